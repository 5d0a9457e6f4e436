//go:build bench

package interop_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/examples/demo/stage"
)

// logins of BenchmarkPasswords, so many of them at a time.
const passwordLogins, passwordsAtOnce = 640, 64

// BenchmarkPasswords lets 64 people log in by local password at once, again and again,
// at the real binary: logins per CPU second, how long they take, and what memory the
// server had before, at its peak and afterwards.
func BenchmarkPasswords(b *testing.B) {
	bin := b.TempDir()
	if err := stage.Build(b.Context(), bin); err != nil {
		b.Fatal(err)
	}
	for _, db := range []string{"sqlite", "postgres"} {
		b.Run(db, func(b *testing.B) {
			s := benchStage(b, bin, db, fmt.Sprintf(benchClients, "ES256"))
			passwords(b, s)
		})
	}
}

func passwords(b *testing.B, s *stage.Stage) {
	pid := s.IDP.Pid()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: passwordsAtOnce}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	logIn := func(name string) error {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.Issuer+"/login/negotiate", nil)
		if err != nil {
			return err
		}
		req.SetBasicAuth(name, stage.BobPassword)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther || !strings.HasSuffix(resp.Header.Get("Location"), "/account") {
			return fmt.Errorf("%s: %d to %q", name, resp.StatusCode, resp.Header.Get("Location"))
		}
		return nil
	}
	if err := logIn("local001"); err != nil {
		b.Fatalf("%v\n%s", err, s.IDP.Tail())
	}
	idle, before, started := memoryMB(b, pid, "VmRSS"), cpuSeconds(b, pid), time.Now()
	queue := make(chan string)
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for range passwordsAtOnce {
		all.Go(func() {
			for name := range queue {
				start := time.Now()
				if err := logIn(name); err != nil {
					b.Errorf("%v\n%s", err, s.IDP.Tail())
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			}
		})
	}
	for i := range passwordLogins {
		queue <- fmt.Sprintf("local%03d", i%64+1)
	}
	close(queue)
	all.Wait()
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(passwordLogins/(cpuSeconds(b, pid)-before), "logins/CPU-s")
	b.ReportMetric(passwordLogins/time.Since(started).Seconds(), "logins/s")
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(idle, "MB-before")
	b.ReportMetric(memoryMB(b, pid, "VmHWM"), "MB-peak")
}

// memoryMB is a figure of /proc/PID/status.
func memoryMB(b *testing.B, pid int, name string) float64 {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb float64
		if _, err := fmt.Sscanf(lines.Text(), name+": %f kB", &kb); err == nil {
			return kb / 1000
		}
	}
	b.Fatalf("no %s in /proc", name)
	return 0
}
