package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/command/commandtest"
)

func TestMetricsOnAListenerOfTheirOwn(t *testing.T) {
	addr := commandtest.FreeAddress(t)
	p := newPlace(t, "metrics_listen: "+addr+"\n")
	cmd, log := p.Serve()
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %d %v", resp.StatusCode, err)
	}
	version := strings.Fields(p.MustRun("", "version"))[1]
	for _, want := range []string{`idp_build_info{goversion="go`, `version="` + version, `route="/readyz"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if status, _ := p.Get("/metrics"); status != http.StatusNotFound {
		t.Errorf("/metrics on the public address: %d, want 404", status)
	}

	text, err := os.ReadFile(filepath.Join(p.Dir, "idp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.Write("idp.yaml", strings.Replace(string(text), addr, commandtest.FreeAddress(t), 1))
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(log.Lines("metrics_listen need a restart")) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("another metrics_listen at a reload: nobody says that it needs a restart\n%s", log)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v\n%s", err, log)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("metrics are still served after the end")
	}
}

func TestAnAddressInUseIsSaidWithItsKey(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := newPlace(t, "metrics_listen: "+ln.Addr().String()+"\n")
	if _, errs, err := p.Run("", "serve"); err == nil || !strings.Contains(errs, "metrics_listen: listen tcp "+ln.Addr().String()) || !strings.Contains(errs, "in use") {
		t.Errorf("serve: %v %s", err, errs)
	}
	same := newPlace(t, "")
	same.More = []string{"IDP_METRICS_LISTEN=" + strings.TrimPrefix(same.URL, "http://")}
	if _, errs, err := same.Run("", "check"); err == nil || !strings.Contains(errs, "same as listen") {
		t.Errorf("check: %v %s", err, errs)
	}
}
