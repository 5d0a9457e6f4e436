// Package metrics counts what idp does, for Prometheus: logins and why they were
// refused, requests and how long they took, the keys in the keytabs.
//
// Labels come from short lists only: a route is a pattern of the route table,
// never an address; a reason is one of our codes; nobody's name is in any. So
// nobody who asks us for something can make the number of series grow, and
// whoever may read them learns nothing of anybody.
package metrics

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// buckets of durations, in seconds: few, for there is a set for each route. Most
// answers take less than a millisecond; one that hashes a password or asks a KDC
// some tens; what waits for a KDC that is down half a second and more.
var buckets = []float64{.001, .005, .025, .1, .5, 2.5}

// Config is everything New needs.
type Config struct {
	Version string // of idp
	// Keytabs returns the keys at hand and whether tickets can be checked; nil: no
	// Kerberos. It is asked at every scrape.
	Keytabs func() Keytabs
}

// Metrics are the counters of a process. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	logins   *prometheus.CounterVec
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	logouts  *prometheus.CounterVec
	people   *prometheus.CounterVec
}

// New makes the counters, all at zero.
func New(c Config) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "idp_logins_total",
			Help: "Credentials presented, by method, result and reason code (docs/kerberos-errors.md says what each means)."}, []string{"method", "result", "reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "idp_http_requests_total",
			Help: "Requests answered, by route, method and class of status."}, []string{"route", "method", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "idp_http_request_duration_seconds",
			Help: "Time from the request's header to the end of the answer.", Buckets: buckets}, []string{"route"}),
		logouts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "idp_logout_deliveries_total",
			Help: "Attempts to tell a relying party that a session has ended (back-channel logout), by result."}, []string{"result"}),
		people: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "idp_directory_lookups_total",
			Help: "Questions to the directory (LDAP) that were not answered from memory, by result."}, []string{"result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "idp_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": c.Version, "goversion": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(m.logins, m.requests, m.took, m.logouts, m.people, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if c.Keytabs != nil {
		m.registry.MustRegister(keytabCollector(c.Keytabs))
	}
	return m
}

// Login counts a credential that was presented: reason is empty for a good one.
func (m *Metrics) Login(method, reason string) {
	result := "ok"
	if reason != "" {
		result = "refused"
	}
	m.logins.WithLabelValues(method, result, code(reason)).Inc()
}

// Request counts an answer. Route is a pattern of net/http's ServeMux.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	}
	m.requests.WithLabelValues(route, methodClass(method), statusClass(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// Logout counts an attempt to tell a relying party that a session has ended;
// result is one of a few words: delivered, delayed, refused, given_up.
func (m *Metrics) Logout(result string) { m.logouts.WithLabelValues(result).Inc() }

// Directory counts a question to the directory; result is one of a few words: found,
// disabled, absent, ambiguous, silent.
func (m *Metrics) Directory(result string) { m.people.WithLabelValues(result).Inc() }

// Handler serves the numbers.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Timeout: 10 * time.Second})
}

// code lets only what looks like a reason code become a label: should a text ever
// get into its place, the series must not multiply.
func code(reason string) string {
	if len(reason) > 40 || strings.ContainsFunc(reason, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' }) {
		return "OTHER"
	}
	return reason
}

// methodClass: whoever asks can write any method.
func methodClass(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

func statusClass(status int) string {
	switch {
	case status >= 500:
		return "5xx"
	case status >= 400:
		return "4xx"
	case status >= 300:
		return "3xx"
	default:
		return "2xx"
	}
}
