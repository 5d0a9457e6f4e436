//go:build interop || bench

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// front is a proxy in front of an application, as deploy/proxies/ ships it: with
// other names, ports and certificates, and nothing else.
type front struct {
	URL   string // https://site.localhost:PORT
	Addr  string // 127.0.0.1:PORT
	Plain string // the same without TLS
	Log   string

	dir              string // other users may read it, as the servers' do
	idp, app         string // addresses
	certificate, key string // files

	faults []string // pairs: what the shipped files say, and what stands there instead
}

// newFront is one that has not been started, between idp and an application.
func newFront(t testing.TB, idp, app, certificate, key string) *front {
	t.Helper()
	dir, err := os.MkdirTemp("", "idp-proxy-")
	must(t, err, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr, port := freeAddress(t)
	plain, _ := freeAddress(t)
	return &front{URL: "https://site.localhost:" + port, Addr: addr, Plain: plain, Log: filepath.Join(dir, "proxy.log"),
		dir: dir, idp: idp, app: app, certificate: certificate, key: key}
}

// proxy is one of those in deploy/proxies/, and how it is started.
type proxy struct {
	name  string
	start func(*front, testing.TB)
	waits time.Duration // for idp's answer, where no file can say it
	mute  bool          // of a positive answer clients get nothing: no mutual authentication
	blank bool          // where idp does not answer, people see an empty page

	arrives map[string]string // targets that reach the application otherwise than they were sent
}

// proxies are those that Debian has, or Python's packages.
var proxies = []proxy{
	{name: "nginx", start: (*front).nginx}, {name: "haproxy", start: (*front).haproxy}, {name: "apache", start: (*front).apache}, {name: "caddy", start: (*front).caddy}, {name: "envoy", start: (*front).envoy},
}

// adapt writes a file of deploy/proxies/ with other names: edits are pairs, old and
// new. Old ones that are not in the file fail the test.
func (f *front) adapt(t testing.TB, shipped string, edits ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../deploy/proxies", shipped))
	must(t, err)
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(string(text), edits[i]) {
			t.Fatalf("deploy/proxies/%s does not say %q", shipped, edits[i])
		}
	}
	made := string(text)
	for i := 0; i < len(f.faults); i += 2 {
		made = strings.ReplaceAll(made, f.faults[i], f.faults[i+1])
	}
	return f.write(t, filepath.Base(shipped), strings.NewReplacer(edits...).Replace(made))
}

func (f *front) write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(f.dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// host is the site with its port, as browsers see it.
func (f *front) host() string { return strings.TrimPrefix(f.URL, "https://") }

// run starts the program and waits until it listens.
func (f *front) run(t testing.TB, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = f.dir, append(os.Environ(), "HOME="+f.dir, "XDG_DATA_HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir)
	launch(t, cmd, f.Log, f.Addr)
}

// nginxConf is what Debian's nginx.conf would add.
const nginxConf = `daemon off;
%[2]s
pid nginx.pid;
error_log stderr warn;
worker_processes 2;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include %[1]s/idp.conf;
    include %[1]s/site.conf;
    include %[1]s/sso.conf;
}
`

func (f *front) nginx(t testing.TB) {
	t.Helper()
	tls := []string{"/etc/nginx/tls/reports.crt", f.certificate, "/etc/nginx/tls/reports.key", f.key}
	f.adapt(t, "nginx/idp.conf", append(tls, "listen 443", "listen "+f.Addr, "127.0.0.1:8080", f.idp)...)
	f.adapt(t, "nginx/site.conf", append(tls, "listen 443", "listen "+f.Addr, "listen 80", "listen "+f.Plain, "127.0.0.1:3000", f.app,
		"$idp_site reports.example.com", "$idp_site "+f.host(), "https://reports.example.com", f.URL, "reports.example.com", "site.localhost")...)
	f.adapt(t, "nginx/sso.conf", "/etc/nginx/tls/sso.crt", f.certificate, "/etc/nginx/tls/sso.key", f.key, "listen 443", "listen "+f.Addr, "listen 80", "listen "+f.Plain,
		"sso.example.com", "idp.localhost")
	f.startNginx(t)
}

// startNginx starts it with the files that are there.
func (f *front) startNginx(t testing.TB) {
	t.Helper()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folder is root's
	}
	f.run(t, "/usr/sbin/nginx", "-p", f.dir, "-e", "stderr", "-c", f.write(t, "nginx.conf", fmt.Sprintf(nginxConf, f.dir, user)))
}

func (f *front) haproxy(t testing.TB) {
	t.Helper()
	certificate, err := os.ReadFile(f.certificate)
	must(t, err)
	key, err := os.ReadFile(f.key)
	must(t, err)
	f.write(t, "reports.pem", string(certificate)+string(key))
	lua := f.adapt(t, "haproxy/idp.lua")
	config := f.adapt(t, "haproxy/haproxy.cfg", "bind :80", "bind "+f.Plain, "bind :443", "bind "+f.Addr, "127.0.0.1:8080", f.idp, "127.0.0.1:3000", f.app,
		"/etc/haproxy/reports.pem", f.dir+"/reports.pem", "/etc/haproxy/idp.lua", lua, "abns@idp-question", "abns@"+f.Addr,
		"https://reports.example.com", f.URL, "Host reports.example.com", "Host "+f.host(), "reports.example.com", "site.localhost")
	f.run(t, "/usr/sbin/haproxy", "-db", "-f", config)
}

// apacheFrontConf is what Debian's files in /etc/apache2 would add.
const apacheFrontConf = `ServerName localhost
Listen %[2]s
Listen %[6]s
ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/apache.pid
ErrorLog %[1]s/proxy.log
LogLevel warn
%[3]s
LoadModule mpm_event_module %[4]s/mod_mpm_event.so
LoadModule authn_core_module %[4]s/mod_authn_core.so
LoadModule authz_core_module %[4]s/mod_authz_core.so
LoadModule alias_module %[4]s/mod_alias.so
LoadModule setenvif_module %[4]s/mod_setenvif.so
LoadModule ssl_module %[4]s/mod_ssl.so
LoadModule proxy_module %[4]s/mod_proxy.so
LoadModule proxy_http_module %[4]s/mod_proxy_http.so
LoadModule lua_module %[4]s/mod_lua.so
StartServers 1
Include %[5]s
`

func (f *front) apache(t testing.TB) {
	t.Helper()
	user := ""
	if os.Geteuid() == 0 { // Apache does not serve as root
		user = "User nobody\nGroup nogroup"
	}
	f.adapt(t, "apache/idp.lua")
	site := f.adapt(t, "apache/reports.conf", "*:443", f.Addr, "*:80", f.Plain, "127.0.0.1:8080", f.idp, "127.0.0.1:3000", f.app, "/etc/apache2/idp.lua", f.dir+"/idp.lua",
		"/etc/apache2/tls/reports.crt", f.certificate, "/etc/apache2/tls/reports.key", f.key,
		"https://reports.example.com", f.URL, "reports.example.com", "site.localhost")
	config := f.write(t, "apache.conf", fmt.Sprintf(apacheFrontConf, f.dir, f.Addr, user, "/usr/lib/apache2/modules", site, f.Plain))
	f.run(t, "/usr/sbin/apache2", "-f", config, "-D", "FOREGROUND")
}

func (f *front) caddy(t testing.TB) {
	t.Helper()
	_, port, _ := strings.Cut(f.Plain, ":")
	config := f.adapt(t, "caddy/Caddyfile", "\tservers {", "\tadmin off\n\thttp_port "+port+"\n\tdefault_bind 127.0.0.1\n\tservers {", "127.0.0.1:8080", f.idp, "127.0.0.1:3000", f.app,
		"/etc/caddy/tls/reports.crt", f.certificate, "/etc/caddy/tls/reports.key", f.key, "reports.example.com", f.host())
	f.run(t, "/usr/bin/caddy", "run", "--config", config, "--adapter", "caddyfile")
}

// envoyProgram comes with the package of Python.
func envoyProgram(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("../.cache/python/lib/python3*/site-packages/envoy/_bin/envoy")
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d programs of Envoy (scripts/install-python makes .cache/python)", len(found))
	}
	program, err := filepath.Abs(found[0])
	must(t, err)
	return program
}

func (f *front) envoy(t testing.TB) {
	t.Helper()
	address := func(addr string) string {
		host, port, _ := strings.Cut(addr, ":")
		return "address: " + host + ", port_value: " + port
	}
	// A connection that it refuses it keeps for a second, and attacks wait for its end.
	const keeps, short = "max_request_headers_kb: 128\n", "max_request_headers_kb: 128\n                delayed_close_timeout: 0.02s\n"
	config := f.adapt(t, "envoy/envoy.yaml", keeps, short, "address: 0.0.0.0, port_value: 80}", address(f.Plain)+"}", "address: 0.0.0.0, port_value: 443", address(f.Addr),
		address("127.0.0.1:8080"), address(f.idp), "127.0.0.1:8080", f.idp, address("127.0.0.1:3000"), address(f.app),
		"/etc/envoy/tls/reports.crt", f.certificate, "/etc/envoy/tls/reports.key", f.key,
		"value: reports.example.com", "value: "+f.host(), "host_rewrite_literal: reports.example.com", "host_rewrite_literal: "+f.host(),
		"host_redirect: reports.example.com", "host_redirect: "+f.host(), "reports.example.com", "site.localhost")
	f.run(t, envoyProgram(t), "--disable-hot-restart", "--concurrency", "2", "--log-level", "warning", "-c", config)
}
