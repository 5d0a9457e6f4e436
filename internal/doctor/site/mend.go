package site

import (
	"strings"
)

// place is where a proxy's file says something: lines of a file that deploy/proxies/
// ships, to the letter but for spaces.
type place struct {
	file  string
	lines []string
}

// shipped are the places of a proxy's files, by what is wrong when they are not as they
// were shipped.
type shipped struct {
	name string

	route    place // below /.idp/ to idp
	address  place // idp's
	site     place // what browsers call it: host and scheme
	question place // asked before anything is passed on
	whole    place // the request that it asks about
	login    place // where people are led
	cookies  place // that idp hears of in the question
}

var nginx = shipped{
	name:     "nginx",
	route:    place{"site.conf", []string{`location ^~ /.idp/ {`, `proxy_pass http://idp;`}},
	address:  place{"idp.conf", []string{`server 127.0.0.1:8080;`}},
	site:     place{"site.conf", []string{`set $idp_site reports.example.com;`, `proxy_set_header X-Original-URL https://$idp_site$request_uri;`, `proxy_set_header X-Forwarded-Host $idp_site;`, `proxy_set_header X-Forwarded-Proto https;`}},
	question: place{"site.conf", []string{`auth_request /.idp-question;`}},
	whole:    place{"site.conf", []string{`proxy_set_header X-Original-URL https://$idp_site$request_uri;`, `proxy_set_header X-Original-Method $request_method;`}},
	login:    place{"site.conf", []string{`error_page 401 = @idp_login;`}},
	cookies:  place{"site.conf", []string{`proxy_set_header Cookie $http_cookie;`}},
}

var haproxy = shipped{
	name:     "HAProxy",
	route:    place{"haproxy.cfg", []string{`acl idp path -m reg ^/[.]idp/([a-z-]+|static/[a-z0-9-]+([.][a-z0-9-]+)*)$`, `use_backend idp if idp`}},
	address:  place{"haproxy.cfg", []string{`server idp 127.0.0.1:8080`}},
	site:     place{"haproxy.cfg", []string{`http-request lua.idp abns@idp-question https://reports.example.com unless idp`, `http-request set-header X-Forwarded-Host reports.example.com`, `http-request set-header X-Forwarded-Proto https`}},
	question: place{"haproxy.cfg", []string{`http-request lua.idp abns@idp-question https://reports.example.com unless idp`, `http-request deny deny_status 503 unless idp or { var(txn.idp_yes) -m str yes }`}},
	whole:    place{"idp.lua", []string{`out["x-original-url"] = { site .. txn.f:pathq() }`, `out["x-original-method"] = { txn.f:method() }`}},
	login:    place{"idp.lua", []string{`if answer.headers["location"] then status = 303 end`}},
	cookies:  place{"idp.lua", []string{`local asked = { "cookie", "authorization",`}},
}

var apache = shipped{
	name:     "Apache",
	route:    place{"reports.conf", []string{`ProxyPass "/.idp/" "http://127.0.0.1:8080/.idp/" nocanon`}},
	address:  place{"reports.conf", []string{`SetEnvIfExpr "true" idp_at=127.0.0.1:8080`, `ProxyPass "/.idp/" "http://127.0.0.1:8080/.idp/" nocanon`}},
	site:     place{"reports.conf", []string{`SetEnvIfExpr "true" idp_site=https://reports.example.com`, `LuaHookAccessChecker /etc/apache2/idp.lua check`}},
	question: place{"reports.conf", []string{`LuaHookAccessChecker /etc/apache2/idp.lua check`, `Require expr "reqenv('idp_yes') == 'yes'"`}},
	whole:    place{"idp.lua", []string{`"X-Original-URL: " .. site .. r.unparsed_uri,`, `"X-Original-Method: " .. r.method,`}},
	login:    place{"idp.lua", []string{`if a.headers["location"] then return 303 end`}},
	cookies:  place{"idp.lua", []string{`local asked = { "Cookie", "Authorization",`}},
}

var caddy = shipped{
	name:     "Caddy",
	route:    place{"Caddyfile", []string{"@idp expression `{http.request.orig_uri}.matches(\"^/[.]idp/([a-z-]+|static/[a-z0-9-]+([.][a-z0-9-]+)*)([?]|$)\")`", `reverse_proxy @idp 127.0.0.1:8080 {`}},
	address:  place{"Caddyfile", []string{`reverse_proxy @idp 127.0.0.1:8080 {`, `reverse_proxy 127.0.0.1:8080 {`}},
	site:     place{"Caddyfile", []string{`header_up X-Forwarded-Host reports.example.com`, `header_up X-Forwarded-Proto https`}},
	question: place{"Caddyfile", []string{`reverse_proxy 127.0.0.1:8080 {`, `rewrite /forward-auth?`}},
	whole:    place{"Caddyfile", []string{`header_up X-Forwarded-Method {http.request.orig_method}`, `header_up X-Forwarded-Uri {http.request.orig_uri}`}},
	login:    place{"Caddyfile", []string{`handle_response @login {`, `redir {rp.header.Location} 303`}},
	cookies:  place{"Caddyfile", []string{`handle_response @yes {`, `request_header -Cookie`}}, // and not before
}

var envoy = shipped{
	name:     "Envoy",
	route:    place{"envoy.yaml", []string{`- match: {safe_regex: {regex: '/\.idp/([a-z-]+|static/[a-z0-9-]+(\.[a-z0-9-]+)*)'}}`, `route: {cluster: idp, host_rewrite_literal: reports.example.com, timeout: 5s}`}},
	address:  place{"envoy.yaml", []string{`cluster_name: idp`, `endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]`}},
	site:     place{"envoy.yaml", []string{`- append: {header: {key: X-Forwarded-Host, value: reports.example.com}}`, `- append: {header: {key: X-Forwarded-Proto, value: https}}`}},
	question: place{"envoy.yaml", []string{`- name: envoy.filters.http.ext_authz`, `path_prefix: /forward-auth`}},
	whole:    place{"envoy.yaml", []string{`path_prefix: /forward-auth`, `- append: {header: {key: X-Forwarded-Host, value: reports.example.com}}`, `- append: {header: {key: X-Forwarded-Proto, value: https}}`}},
	login:    place{"envoy.yaml", []string{`path_prefix: /forward-auth`}},
	cookies:  place{"envoy.yaml", []string{`allowed_headers:`, `- {exact: cookie}`}},
}

var traefik = shipped{
	name:     "Traefik",
	route:    place{"reports.yaml", []string{"rule: Host(`reports.example.com`) && PathRegexp(`^/\\.idp/([a-z-]+|static/[a-z0-9-]+(\\.[a-z0-9-]+)*)$`)", `service: idp`}},
	address:  place{"reports.yaml", []string{`address: http://127.0.0.1:8080/forward-auth?redirect`, `servers: [{url: http://127.0.0.1:8080}]`}},
	site:     place{"reports.yaml", []string{`X-Forwarded-Host: reports.example.com`, `X-Forwarded-Proto: https`}},
	question: place{"reports.yaml", []string{`middlewares: [site, no-upgrade, idp, site]`}},
	whole:    place{"reports.yaml", []string{`trustForwardHeader: false`}},
	login:    place{"reports.yaml", []string{`address: http://127.0.0.1:8080/forward-auth?redirect`}},
	cookies:  place{"reports.yaml", []string{`authRequestHeaders: [Cookie, Authorization,`}},
}

// proxyOf are those that an answer may have come through: most call themselves by name
// in Server (RFC 9110 §10.2.4), where no application does; HAProxy and Traefik do not.
func proxyOf(server string) []shipped {
	for name, p := range map[string]shipped{"nginx": nginx, "apache": apache, "caddy": caddy, "envoy": envoy} {
		if strings.HasPrefix(strings.ToLower(server), name) {
			return []shipped{p}
		}
	}
	return []shipped{haproxy, traefik}
}

// says are the lines of a site's proxy about something, with the site's name.
func (s Site) says(which func(shipped) place) string {
	var all []string
	for _, p := range s.proxies {
		at := which(p)
		all = append(all, p.name+" ("+at.file+"): "+strings.Join(at.lines, " and "))
	}
	text := strings.Join(all, "; or ")
	if len(all) > 1 {
		text += "; another proxy: the same of its file below deploy/proxies/"
	}
	return strings.NewReplacer("https://reports.example.com", s.Origin, "reports.example.com", s.host(),
		"X-Forwarded-Proto https", "X-Forwarded-Proto "+s.scheme(), "X-Forwarded-Proto, value: https", "X-Forwarded-Proto, value: "+s.scheme(),
		"X-Forwarded-Proto: https", "X-Forwarded-Proto: "+s.scheme(), "https://$idp_site", s.scheme()+"://$idp_site").Replace(text)
}
