//go:build bench

package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/examples/demo/stage"
	"idp/internal/store/storetest"
)

// flows are the load driver's scenarios, in the order of a person's day.
var flows = []string{
	"spnego-login", "silent-sso", "password-login", "refresh", "client-credentials", "userinfo", "introspect", "discovery", "jwks",
}

// seconds of one measurement, and before it.
const measured, warm = "10s", "3s"

// BenchmarkFlows measures whole logins and requests at the real binary with a
// load driver, whose folder SSOBENCH names: flows per CPU second of idp (the
// figure that can be compared on a busy machine), per second, and the middle and
// the slowest latency. On SQLite and on PostgreSQL, both syncing to disk, with
// ID tokens signed by ES256 and by RS256.
func BenchmarkFlows(b *testing.B) {
	source := os.Getenv("SSOBENCH")
	if source == "" {
		b.Fatal("SSOBENCH must name the folder of the load driver")
	}
	bin := b.TempDir()
	if out, err := exec.Command("go", "build", "-C", source, "-o", bin+"/driver", ".").CombinedOutput(); err != nil {
		b.Fatalf("building the load driver: %v\n%s", err, out)
	}
	if err := stage.Build(b.Context(), bin); err != nil {
		b.Fatal(err)
	}
	for _, db := range []string{"sqlite", "postgres"} {
		for _, alg := range []string{"ES256", "RS256"} {
			b.Run(db+"/"+alg, func(b *testing.B) {
				s := benchStage(b, bin, db, fmt.Sprintf(benchClients, alg))
				for _, flow := range flows {
					b.Run(flow, func(b *testing.B) { drive(b, s, flow) })
				}
			})
		}
	}
}

// clients of the load driver: a public one for people, a confidential one for programs.
const benchClients = `  - client_id: bench-public
    token_endpoint_auth_method: none
    redirect_uris: [http://localhost:18199/cb]
    grant_types: [authorization_code, refresh_token]
    id_token_signed_response_alg: %[1]s
  - client_id: bench-conf
    client_secret_file: bench.secret
    redirect_uris: [http://localhost:18199/cb]
    grant_types: [authorization_code, refresh_token, client_credentials]
    id_token_signed_response_alg: %[1]s
`

const benchSecret = "bench-conf-secret-of-the-load-driver"

func benchStage(b *testing.B, bin, db, clients string, more ...string) *stage.Stage {
	b.Helper()
	c := stage.Config{Dir: b.TempDir(), Bin: bin, Host: "localhost", Users: map[string]string{}, Clients: clients}
	// Many people: guesses at one name's password wait for each other.
	c.YAML = "users:\n"
	for i := range 64 {
		c.Users[fmt.Sprintf("user%03d", i+1)] = stage.UserPassword
		c.YAML += fmt.Sprintf("  - {name: local%03d, password_file: local.password}\n", i+1)
	}
	c.YAML += strings.Join(more, "")
	if db == "postgres" {
		c.Database = storetest.Postgres(b)
	}
	for name, text := range map[string]string{"bench.secret": benchSecret, "local.password": stage.BobPassword} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text+"\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	s, err := stage.Start(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Stop)
	provider := fmt.Sprintf(`name: idp-%s
issuer: %s
redirect_uri: http://localhost:18199/cb
login: {id: bench-public, auth: none}
service: {id: bench-conf, secret: %s, auth: basic}
silent: {prompt: none}
user: {name: local, password: %q, count: 64}
kerberos:
  config: %s
  realm: %s
  spn: HTTP/localhost
  user: {name: user, password: %s, count: 64}
`, db, s.Issuer, benchSecret, stage.BobPassword, s.Realm.Krb5Conf, s.Realm.Name, stage.UserPassword)
	if err := os.WriteFile(s.Path("provider.yaml"), []byte(provider), 0o600); err != nil {
		b.Fatal(err)
	}
	return s
}

// drive lets the load driver run one scenario; the benchmark's own time means
// nothing.
func drive(b *testing.B, s *stage.Stage, flow string) {
	cmd := exec.CommandContext(b.Context(), filepath.Join(s.Bin, "driver"), "-config", s.Path("provider.yaml"),
		"-scenario", flow, "-c", "16", "-warm", warm, "-d", measured, "-pid", fmt.Sprintf("idp=%d", s.IDP.Pid()))
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("the load driver: %v\n%s", err, out)
	}
	var r struct {
		Flows  int            `json:"flows"`
		PerCPU float64        `json:"flows_per_cpu_s"`
		PerS   float64        `json:"flows_per_s"`
		P50    float64        `json:"p50_ms"`
		P99    float64        `json:"p99_ms"`
		Errors map[string]int `json:"errors"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		b.Fatalf("the load driver printed %q: %v", out, err)
	}
	if r.Flows == 0 || len(r.Errors) > 0 {
		b.Errorf("%d flows, errors %v\n%s", r.Flows, r.Errors, s.IDP.Tail())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(r.PerCPU, "flows/CPU-s")
	b.ReportMetric(r.PerS, "flows/s")
	b.ReportMetric(r.P50, "p50-ms")
	b.ReportMetric(r.P99, "p99-ms")
}

// BenchmarkColdStart measures from the start of the process, keys made before,
// to the first discovery answer, and the memory of a server that has nothing to do.
func BenchmarkColdStart(b *testing.B) {
	bin := b.TempDir()
	if err := stage.Build(b.Context(), bin); err != nil {
		b.Fatal(err)
	}
	s, err := stage.Start(b.Context(), stage.Config{Dir: b.TempDir(), Bin: bin, Host: "localhost"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Stop)
	s.IDP.Stop()
	var took time.Duration
	var memory float64
	for range b.N {
		started := time.Now()
		cmd := exec.Command(filepath.Join(bin, "idp"), "serve", "--config", s.Path("idp.yaml"))
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		firstAnswer(b, s.Issuer+"/.well-known/openid-configuration")
		took += time.Since(started)
		memory = residentMB(b, cmd.Process.Pid)
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms/start")
	b.ReportMetric(memory, "MB-RSS")
	if info, err := os.Stat(filepath.Join(bin, "idp")); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
	}
}

func firstAnswer(b *testing.B, url string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return
		}
	}
	b.Fatal("no answer in 10 s")
}

func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1000
		}
	}
	b.Fatal("no VmRSS in /proc")
	return 0
}
