package doctor

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"idp/internal/doctor/report"
	"idp/internal/reason"
)

// server asks the issuer's URL the way a relying party does, and when nobody
// answers there, the address idp listens on.
func (e *exam) server(ctx context.Context) []report.Line {
	if e.issuer.Hostname() == "" {
		return nil
	}
	ready, err := e.network.Get(ctx, e.Issuer+"/readyz")
	if err != nil {
		return e.silent(ctx, err)
	}
	about := slices.Clone(e.discovery())
	about[0].Details = map[string]any{"status": ready.Status, "server": ready.Header.Get("Server"), "via": ready.Header.Get("Via")}
	if between := seen(ready.Header); between != "" {
		about[0].Text += "; in between: " + between
	}
	if about[0].Level != report.LevelOK {
		return about
	}
	if ready.Status != http.StatusOK {
		return report.Warning("idp's log says why", "%s is idp, and is not ready: %s", e.Issuer, strings.TrimSpace(reason.Short(string(ready.Body))))
	}
	return append(about, e.largeTicket(ctx)...)
}

// ticketSize is what the header of somebody in very many groups takes.
const ticketSize = 64 << 10

// largeTicket: most proxies refuse headers of more than 8 KB unless told
// otherwise, which locks out just the people with many groups.
func (e *exam) largeTicket(ctx context.Context) []report.Line {
	if e.Kerberos == nil {
		return nil
	}
	got, err := e.network.Get(ctx, e.Issuer+"/healthz", "X-Padding", strings.Repeat("A", ticketSize))
	const hint = "let the proxy pass large headers: nginx large_client_header_buffers 4 80k; Apache LimitRequestFieldSize 81920; HAProxy tune.bufsize 98304"
	switch {
	case err != nil:
		return report.Failed(hint, "a request with a header of 64 KB, as a ticket of somebody in many groups has, is cut off: %v", err)
	case got.Status != http.StatusOK:
		return report.Failed(hint, "a request with a header of 64 KB, as a ticket of somebody in many groups has, is answered %d", got.Status)
	}
	return report.OK("headers of 64 KB, for tickets of people in many groups, get through")
}

// seen are the headers by which proxies name themselves; idp sends neither.
func seen(h http.Header) string {
	var names []string
	for _, name := range []string{"Server", "Via"} {
		if v := h.Get(name); v != "" {
			names = append(names, name+" "+reason.Short(v))
		}
	}
	return strings.Join(names, ", ")
}

// judgeDiscovery: is it us, and by the same name (OIDC Discovery §4.3)?
func (e *exam) judgeDiscovery(ctx context.Context) []report.Line {
	const path = "/.well-known/openid-configuration"
	got, err := e.network.Get(ctx, e.Issuer+path)
	if err != nil {
		return report.Failed("a proxy that forwards some paths only? it must forward all", "%s%s does not answer: %v", e.Issuer, path, err)
	}
	var says struct {
		Issuer string `json:"issuer"`
	}
	switch {
	case got.Status >= 300 && got.Status < 400:
		return report.Failed("take the redirect out of the proxy: relying parties do not follow it", "%s%s is redirected to %s", e.Issuer, path, reason.Short(got.Header.Get("Location")))
	case got.Status >= 502 && got.Status <= 504:
		return report.Failed("start idp; then the proxy's upstream address, which should be "+e.Listen, "at %s a proxy answers %d: it does not reach idp", e.Issuer, got.Status)
	case got.Status != http.StatusOK || json.Unmarshal(got.Body, &says) != nil:
		return report.Failed("something else answers there: look at the proxy's host names and at the DNS", "%s%s answers %d, and not as idp does", e.Issuer, path, got.Status)
	case says.Issuer != e.Issuer:
		return report.Failed("restart idp when issuer was changed; or another server answers there: look at the proxy and the DNS", "%s says that it is %q", e.Issuer, reason.Short(says.Issuer))
	}
	return report.OK("%s answers, and is idp", e.Issuer)
}

// silent says whether idp runs at all.
func (e *exam) silent(ctx context.Context, cause error) []report.Line {
	scheme := "http"
	if e.TLSCertificate != "" {
		scheme = "https"
	}
	if host, port, err := net.SplitHostPort(e.Listen); err == nil {
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		if got, err := e.network.Get(ctx, scheme+"://"+net.JoinHostPort(host, port)+"/healthz"); err == nil && got.Status == http.StatusOK {
			return report.Failed("the proxy, the firewall, or the DNS; from here: curl -v "+e.Issuer+"/healthz", "idp runs and answers on %s, but not at %s: %v", e.Listen, e.Issuer, cause)
		}
	}
	return report.Warning("idp serve (systemctl start idp)", "idp does not run: nobody answers on %s; %s: %v", e.Listen, e.Issuer, cause)
}
