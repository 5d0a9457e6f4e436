package metrics

import "github.com/prometheus/client_golang/prometheus"

// Keytabs is the state of the keytabs at a scrape.
type Keytabs struct {
	Ready bool              // tickets can be checked
	Keys  map[KeyLabels]int // how many there are
}

// KeyLabels tell the keys of a keytab apart, as far as numbers go.
type KeyLabels struct {
	Enctype string
	Allowed bool // by the policy on encryption types
}

// keytabCollector asks at every scrape, for keytabs are read again by themselves.
type keytabCollector func() Keytabs

var (
	keytabKeys = prometheus.NewDesc("idp_keytab_keys", "HTTP/ keys in the keytabs, old versions included.", []string{"enctype", "allowed"}, nil)
	ready      = prometheus.NewDesc("idp_tickets_ready", "1 if tickets can be checked: a realm is trusted and there is a usable key.", nil, nil)
)

// Describe implements prometheus.Collector.
func (keytabCollector) Describe(c chan<- *prometheus.Desc) { c <- keytabKeys; c <- ready }

// Collect implements prometheus.Collector.
func (k keytabCollector) Collect(c chan<- prometheus.Metric) {
	s := k()
	for labels, n := range s.Keys {
		allowed := "false"
		if labels.Allowed {
			allowed = "true"
		}
		c <- prometheus.MustNewConstMetric(keytabKeys, prometheus.GaugeValue, float64(n), labels.Enctype, allowed)
	}
	value := 0.0
	if s.Ready {
		value = 1
	}
	c <- prometheus.MustNewConstMetric(ready, prometheus.GaugeValue, value)
}
