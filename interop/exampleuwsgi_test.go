//go:build interop

package interop_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// uwsgiVars are the variables of one request, of the protocol uwsgi: its length, and then
// names and values, each behind its length.
func uwsgiVars(c net.Conn) (map[string]string, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	length := func(b []byte) int { return int(b[0]) | int(b[1])<<8 }
	rest := make([]byte, length(head[1:]))
	_, err := io.ReadFull(c, rest)
	next := func() string {
		n := min(length(rest), len(rest)-2)
		text := string(rest[2 : 2+n])
		rest = rest[2+n:]
		return text
	}
	vars := map[string]string{}
	for len(rest) >= 4 {
		name := next()
		vars[name] = next()
	}
	return vars, err
}

// What the application of examples/django-remote-user is told of a request, and by whom:
// nothing that its client wrote stands under a name from which somebody might read a user,
// an address, a host or a path.
func TestHoleExampleHandsOverNamesOfTheClient(t *testing.T) {
	stub := t.TempDir() // in the place of uWSGI
	must(t, os.WriteFile(filepath.Join(stub, "uwsgi"), []byte("#!/bin/sh\necho spawned uWSGI worker\nexec sleep 600\n"), 0o700))
	t.Setenv("PATH", stub+":"+os.Getenv("PATH"))
	e := runExample(t, "django-remote-user", "reports.localhost")
	app, err := net.Listen("unix", filepath.Join(e.data, "app.sock"))
	must(t, err)
	must(t, os.Chmod(filepath.Join(e.data, "app.sock"), 0o600))
	t.Cleanup(func() { _ = app.Close() })
	told := make(chan map[string]string, 1)
	go func() {
		for {
			c, err := app.Accept()
			if err != nil {
				return
			}
			vars, err := uwsgiVars(c)
			if err == nil {
				told <- vars
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n")
			}
			_ = c.Close()
		}
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL+"/public/", nil)
	must(t, err)
	names := slices.Concat(identity, othersNames, placesNames, []string{"Authorization", "Proxy", "Proxy-Authorization", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Uri", "X-Original-Method", "X-Original-URL",
		"X-Real-IP", "X-Rewrite-URL", "Remote_User", "REMOTE_USER"})
	for _, name := range names {
		req.Header[name] = []string{"planted"} // as it is written
	}
	req.Header["Accept"] = []string{"text/html"} // what does arrive
	v := newVisitor(t, e.binary)
	resp, err := v.http.Do(req)
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	vars := <-told
	if vars["HTTP_ACCEPT"] != "text/html" || vars["REQUEST_URI"] != "/public/" {
		t.Errorf("%v", vars)
	}
	for name, value := range vars {
		if strings.Contains(value, "planted") {
			t.Errorf("%s is the client's: %q", name, value)
		}
	}
}
