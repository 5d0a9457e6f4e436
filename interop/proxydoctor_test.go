//go:build interop

package interop_test

import (
	"crypto/elliptic"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"idp/internal/doctor"
	"idp/internal/doctor/report"
	"idp/internal/idptest"
	"idp/internal/server"
)

// fault is something wrong at a site's proxy, and what idp doctor says of it: its lines,
// each a level and words, by proxy where they differ.
type fault struct {
	name string
	says []string
	in   map[string]wrong
	idp  string // its address for the proxy; empty: as it is
}

// wrong is a fault in one proxy's files: pairs of what they say and what stands there
// instead, and what of them doctor tells to write, of which file.
type wrong struct {
	edits []string
	mend  string
	says  []string // for fault's
}

// caddyAsks is how the question begins in Caddy's file.
const caddyAsks = "\t\treverse_proxy 127.0.0.1:8080 {\n\t\t\tmethod GET\n"

// envoyAsksNot takes the question away from a route of Envoy's.
const envoyAsksNot = `
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig
                              disabled: true
`

var (
	otherHost = []string{"failed /.idp/start: the proxy tells idp of a host that is not {site}, nor another site of forward_auth (UNKNOWN_SITE): nobody can log in"}
	cookies   = "the proxy does not pass Cookie on to idp: nobody stays logged in"
)

var faults = []fault{
	{name: "none", says: []string{"ok : its proxy leads to idp, and strangers to the login"}, in: map[string]wrong{"nginx": {}, "haproxy": {}, "apache": {}, "caddy": {}, "envoy": {}}},
	{name: "idp elsewhere", idp: "127.0.0.1:1", says: []string{"failed : its proxy gets no answer from idp, which runs (50"}, in: map[string]wrong{
		"nginx":   {mend: "nginx (idp.conf): server 127.0.0.1:8080;"},
		"haproxy": {mend: "HAProxy (haproxy.cfg): server idp 127.0.0.1:8080"},
		"apache":  {mend: `Apache (reports.conf): SetEnvIfExpr "true" idp_at=127.0.0.1:8080`},
		"caddy":   {mend: "Caddy (Caddyfile): reverse_proxy @idp 127.0.0.1:8080 {"},
		"envoy":   {mend: "address: 127.0.0.1, port_value: 8080"},
	}},
	{name: "/.idp/ not routed", says: []string{"failed  asks idp about /.idp/start, and does not lead there: nobody can log in"}, in: map[string]wrong{
		"nginx":   {edits: []string{"location ^~ /.idp/ {", "location ^~ /.nothing/ {"}, mend: "nginx (site.conf): location ^~ /.idp/ {"},
		"haproxy": {edits: []string{"acl idp path -m reg ^/[.]idp/", "acl idp path -m reg ^/[.]nothing/"}, mend: "HAProxy (haproxy.cfg): acl idp path -m reg ^/[.]idp/"},
		"apache": {edits: []string{`ProxyPass "/.idp/" `, "# "}, mend: `Apache (reports.conf): ProxyPass "/.idp/" "http://127.0.0.1:8080/.idp/" nocanon`,
			says: []string{"failed /.idp/start is not answered by idp (200)"}},
		"caddy": {edits: []string{`^/[.]idp/(`, `^/[.]nothing/(`}, mend: "Caddy (Caddyfile): @idp expression `{http.request.orig_uri}.matches(\"^/[.]idp/"},
		"envoy": {edits: []string{`'/\.idp/(`, `'/\.nothing/(`}, mend: `Envoy (envoy.yaml): - match: {safe_regex: {regex: '/\.idp/`},
	}},
	{name: "another host", says: otherHost, in: map[string]wrong{
		"nginx":   {edits: []string{"set $idp_site reports.example.com", "set $idp_site other.example.com"}, mend: "nginx (site.conf): set $idp_site {site};"},
		"haproxy": {edits: []string{"X-Forwarded-Host reports.example.com", "X-Forwarded-Host other.example.com"}, mend: "http-request set-header X-Forwarded-Host {site}"},
		"apache":  {edits: []string{"idp_site=https://reports.example.com", "idp_site=https://other.example.com"}, mend: `Apache (reports.conf): SetEnvIfExpr "true" idp_site=https://{site}`},
		"caddy":   {edits: []string{"X-Forwarded-Host reports.example.com", "X-Forwarded-Host other.example.com"}, mend: "Caddy (Caddyfile): header_up X-Forwarded-Host {site}"},
		"envoy":   {edits: []string{"X-Forwarded-Host, value: reports.example.com", "X-Forwarded-Host, value: other.example.com"}, mend: "{key: X-Forwarded-Host, value: {site}}"},
	}},
	{name: "another host in the question", says: []string{"failed /: the proxy tells idp of a host that is not {site}, nor another site of forward_auth (UNKNOWN_SITE): nobody is let in"}, in: map[string]wrong{
		"haproxy": {edits: []string{"https://reports.example.com unless", "https://other.example.com unless"}, mend: "http-request lua.idp abns@idp-question https://{site} unless idp"},
	}},
	{name: "the port is forgotten", says: []string{"warning : a login there leads back to another port, site.localhost"}, in: map[string]wrong{
		"nginx":   {edits: []string{"set $idp_site reports.example.com", "set $idp_site site.localhost"}, mend: "nginx (site.conf): set $idp_site {site};"},
		"haproxy": {edits: []string{"X-Forwarded-Host reports.example.com", "X-Forwarded-Host site.localhost"}, mend: "http-request set-header X-Forwarded-Host {site}"},
		"apache":  {edits: []string{"idp_site=https://reports.example.com", "idp_site=https://site.localhost"}, mend: "idp_site=https://{site}"},
		"caddy":   {edits: []string{"X-Forwarded-Host reports.example.com", "X-Forwarded-Host site.localhost"}, mend: "header_up X-Forwarded-Host {site}"},
		"envoy":   {edits: []string{"X-Forwarded-Host, value: reports.example.com", "X-Forwarded-Host, value: site.localhost"}, mend: "{key: X-Forwarded-Host, value: {site}}"},
	}},
	{name: "http", says: []string{"failed : a login there leads back to http://site.localhost"}, in: map[string]wrong{ // of a site that is not on this machine: INSECURE
		"nginx":   {edits: []string{"X-Forwarded-Proto https", "X-Forwarded-Proto http", "https://$idp_site", "http://$idp_site"}, mend: "X-Forwarded-Proto https;"},
		"haproxy": {edits: []string{"abns@idp-question https:", "abns@idp-question http:", "X-Forwarded-Proto https", "X-Forwarded-Proto http"}, mend: "http-request set-header X-Forwarded-Proto https"},
		"apache":  {edits: []string{"idp_site=https:", "idp_site=http:", `"X-Forwarded-Proto"] = "https"`, `"X-Forwarded-Proto"] = "http"`}, mend: "idp_site=https://{site}"},
		"caddy":   {edits: []string{"X-Forwarded-Proto https", "X-Forwarded-Proto http"}, mend: "header_up X-Forwarded-Proto https"},
		"envoy":   {edits: []string{"X-Forwarded-Proto, value: https", "X-Forwarded-Proto, value: http"}, mend: "{key: X-Forwarded-Proto, value: https}"},
	}},
	{name: "half of the question", says: []string{"failed /: a header is missing in what the proxy tells idp, or two contradict each other (CONTRADICTORY): nobody is let in"}, in: map[string]wrong{
		"nginx":   {edits: []string{"proxy_set_header X-Original-Method $request_method;", ""}, mend: "proxy_set_header X-Original-Method $request_method;"},
		"haproxy": {edits: []string{`out["x-original-method"] = { txn.f:method() }`, ""}, mend: `out["x-original-method"] = { txn.f:method() }`},
		"apache":  {edits: []string{`"X-Original-Method: " .. r.method,`, ""}, mend: `"X-Original-Method: " .. r.method,`},
		"caddy":   {edits: []string{"header_up X-Forwarded-Uri {http.request.orig_uri}", ""}, mend: "header_up X-Forwarded-Uri {http.request.orig_uri}"},
	}},
	{name: "asked elsewhere", says: []string{"failed / answers 50"}, in: map[string]wrong{
		"nginx":   {edits: []string{"http://idp/forward-auth", "http://idp/forwardauth"}, mend: "auth_request /.idp-question;"},
		"haproxy": {edits: []string{`"http://127.0.0.1/forward-auth"`, `"http://127.0.0.1/forwardauth"`}, mend: "http-request lua.idp"},
		"apache":  {edits: []string{`"GET /forward-auth HTTP`, `"GET /forwardauth HTTP`}, mend: "LuaHookAccessChecker /etc/apache2/idp.lua check"},
		"caddy":   {edits: []string{"rewrite /forward-auth?", "rewrite /forwardauth?"}, mend: "rewrite /forward-auth?", says: []string{"failed / answers 404 to a stranger, which is not idp's word"}},
		"envoy":   {edits: []string{"path_prefix: /forward-auth", "path_prefix: /forwardauth"}, mend: "path_prefix: /forward-auth", says: []string{"failed / answers 404 to a stranger, which is not idp's word"}},
	}},
	{name: "no question", says: []string{"failed / lets strangers in: it answers 200 to nobody"}, in: map[string]wrong{
		"nginx":   {edits: []string{"auth_request /.idp-question;", ""}, mend: "nginx (site.conf): auth_request /.idp-question;"},
		"haproxy": {edits: []string{"http-request lua.idp", "# ", "http-request deny deny_status 503 unless idp", "# "}, mend: "HAProxy (haproxy.cfg): http-request lua.idp abns@idp-question https://{site} unless idp"},
		"apache": {edits: []string{"LuaHookAccessChecker /etc/apache2/idp.lua check", "", "Require expr \"reqenv('idp_yes') == 'yes'\"", "Require all granted"}, mend: "Apache (reports.conf): LuaHookAccessChecker",
			says: []string{"failed / lets strangers in: it answers 200 to nobody", "failed /.idp/start: the proxy does not tell idp that browsers come by https (INSECURE): nobody can log in"}}, // the script sets that, too
		"caddy": {edits: []string{caddyAsks, "\t\t@never path /never\n" + strings.Replace(caddyAsks, "proxy", "proxy @never", 1)}, mend: "Caddy (Caddyfile): reverse_proxy 127.0.0.1:8080 {"},
		"envoy": {edits: []string{"timeout: 0s, idle_timeout: 3600s}", "timeout: 0s, idle_timeout: 3600s}" + envoyAsksNot}, mend: "Envoy (envoy.yaml): - name: envoy.filters.http.ext_authz"},
	}},
	{name: "no way to the login", says: []string{"warning / keeps strangers out (401 LOGIN_REQUIRED), and does not lead people to the login"}, in: map[string]wrong{ // Envoy's answers are idp's
		"nginx":   {edits: []string{"error_page 401 = @idp_login;", ""}, mend: "error_page 401 = @idp_login;", says: []string{"warning / keeps strangers out (401), and does not lead people to the login"}},
		"haproxy": {edits: []string{`if answer.headers["location"] then status = 303 end`, ""}, mend: `if answer.headers["location"] then status = 303 end`},
		"apache":  {edits: []string{`if a.headers["location"] then return 303 end`, ""}, mend: `if a.headers["location"] then return 303 end`},
		"caddy":   {edits: []string{"redir {rp.header.Location} 303", "respond 401"}, mend: "redir {rp.header.Location} 303"},
	}},
	{name: "no cookies in the question", says: []string{"failed /: " + cookies}, in: map[string]wrong{
		"nginx":   {edits: []string{"proxy_set_header Cookie            $http_cookie;\n        proxy_set_header Authorization", "proxy_set_header Authorization"}, mend: "proxy_set_header Cookie $http_cookie;"},
		"haproxy": {edits: []string{`asked = { "cookie", `, "asked = { "}, mend: `HAProxy (idp.lua): local asked = { "cookie", "authorization",`},
		"apache":  {edits: []string{`asked = { "Cookie", `, "asked = { "}, mend: `Apache (idp.lua): local asked = { "Cookie", "Authorization",`},
		"caddy":   {edits: []string{"header_up -Content-Length\n", "header_up -Content-Length\n\t\t\theader_up -Cookie\n"}, mend: "handle_response @yes { and request_header -Cookie"},
		"envoy":   {edits: []string{"- {exact: cookie}", ""}, mend: "allowed_headers: and - {exact: cookie}"},
	}},
	{name: "no cookies below /.idp/", says: []string{"failed /.idp/start: " + cookies}, in: map[string]wrong{
		"nginx":   {edits: []string{"proxy_set_header X-Forwarded-Uri    \"\";\n", "proxy_set_header X-Forwarded-Uri    \"\";\n proxy_set_header Cookie \"\";\n"}, mend: "below /.idp/ no line"},
		"haproxy": {edits: []string{"backend idp\n", "backend idp\n    http-request del-header cookie\n"}, mend: "below /.idp/ no line"},
		"apache":  {edits: []string{`r.subprocess_env["idp_yes"] = "yes"`, `r.subprocess_env["idp_yes"] = "yes" if r.uri:sub(1, 6) == "/.idp/" then r.headers_in["Cookie"] = nil end`}, mend: "below /.idp/ no line"},
		"caddy":   {edits: []string{"reverse_proxy @idp 127.0.0.1:8080 {\n", "reverse_proxy @idp 127.0.0.1:8080 {\n\t\t\theader_up -Cookie\n"}, mend: "below /.idp/ no line"},
		"envoy":   {edits: []string{"host_rewrite_literal: reports.example.com, timeout: 5s}\n", "host_rewrite_literal: reports.example.com, timeout: 5s}\n                          request_headers_to_remove: [cookie]\n"}, mend: "below /.idp/ no line"},
	}},
}

// TestDoctorSeesWhatAProxyDoesWrong: each fault in each proxy's file, all at once.
func TestDoctorSeesWhatAProxyDoesWrong(t *testing.T) {
	certificate, key := pair(t, elliptic.P256())
	app := newEcho(t)
	app.forgets = true
	const site = "\nforward_auth: [{host: site.localhost}]\n"
	idp := idptest.Start(t, idptest.Options{YAML: "trusted_proxies: [127.0.0.1/32]" + site})
	careful := idptest.Start(t, idptest.Options{YAML: "trusted_proxies: [192.0.2.1/32]" + site})
	var all sync.WaitGroup
	examine := func(p proxy, s *idptest.Server, name string, fault fault, in wrong) {
		c := server.Doctor(s.Config(), nil, "idp test")
		f := newFront(t, c.Listen, app.Addr, certificate, key)
		f.faults = in.edits
		if fault.idp != "" {
			f.idp = fault.idp
		}
		p.start(f, t)
		c.Sites = slices.Clone(c.Sites)
		c.Sites[0].Origin = f.URL // with its port
		says := fault.says
		if in.says != nil {
			says = in.says
		}
		all.Go(func() { finds(t, p.name+": "+name, f, c, says, in.mend) })
	}
	for _, p := range proxies {
		for _, fault := range faults {
			if in, has := fault.in[p.name]; has {
				examine(p, idp, fault.name, fault, in)
			}
		}
		examine(p, careful, "not trusted", fault{}, wrong{says: []string{"failed /.idp/start: idp does not know the proxy, and answers it nothing (PROXY_NOT_TRUSTED): nobody can log in"}, mend: "trusted_proxies: [127.0.0.1/32"})
	}
	all.Wait()
}

// finds fails the test unless doctor's lines about a site are these, and the first tells
// to write the mending line.
func finds(t *testing.T, what string, f *front, c doctor.Config, says []string, mend string) {
	var lines []report.Line
	for _, r := range doctor.Run(t.Context(), c) {
		if r.Check == "sites" && strings.HasPrefix(r.Text, f.URL) { // others are about the issuer
			lines = append(lines, r)
		}
	}
	same, said := len(lines) == len(says), ""
	for i, r := range lines {
		said += fmt.Sprintf("%s %s\n  %s\n", r.Level, r.Text, r.Hint)
		if same {
			level, words, _ := strings.Cut(strings.ReplaceAll(says[i], "{site}", f.host()), " ")
			same = string(r.Level) == level && strings.HasPrefix(r.Text, f.URL+words)
		}
	}
	if !same || !strings.Contains(lines[0].Hint, strings.ReplaceAll(mend, "{site}", f.host())) {
		t.Errorf("%s: doctor says\n%swant %q, and to write %q\n%s", what, said, says, mend, tail(f.Log))
	}
}
