package store_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// eachBench measures on both databases. cpu-µs/op is this process only, user
// and system, so that waiting for the disk does not count; PostgreSQL's own
// processes are not in it.
func eachBench(b *testing.B, run func(b *testing.B, w *world) func(i int) error) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b))
			step := run(b, w)
			before := cpu()
			b.ResetTimer()
			b.ReportAllocs()
			for i := range b.N {
				if err := step(i); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSessionBySecret(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		sess := w.login(w.user("alice"))
		return func(int) error {
			_, _, err := w.SessionBySecret(b.Context(), sess.SecretHash, w.Now())
			return err
		}
	})
}

func BenchmarkTokenState(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		g := w.granted(w.login(w.user("alice")), false)
		return func(int) error {
			_, _, err := w.TokenState(b.Context(), g.ID, "jti", w.Now())
			return err
		}
	})
}

func BenchmarkSeenOnce(b *testing.B) { // a write of one small row
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		until := time.UnixMilli(w.in(time.Minute))
		return func(int) error {
			_, err := w.SeenOnce(b.Context(), store.UseProof, secret.Bytes(32), until)
			return err
		}
	})
}

func BenchmarkAudit(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		return func(int) error { return w.Audit(b.Context(), store.Entry{Event: "login", Name: "alice"}) }
	})
}

func BenchmarkCreateLoginRequest(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		return func(i int) error {
			l := w.pending(secret.Bytes(32))
			l.Address = fmt.Sprint(i / 100)
			return w.CreateLoginRequest(b.Context(), l)
		}
	})
}

func BenchmarkStartSession(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		u := w.user("alice")
		return func(int) error {
			return w.StartSession(b.Context(), store.StartSession{Session: w.newSession(u)})
		}
	})
}

func BenchmarkFinishAuthorization(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		sess := w.login(w.user("alice"))
		return func(int) error {
			return w.FinishAuthorization(b.Context(), store.Finish{SessionID: sess.ID, Code: newCode(w, sess)})
		}
	})
}

func BenchmarkRedeemCode(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		sess := w.login(w.user("alice"))
		codes := make([]store.Code, b.N)
		for i := range codes {
			codes[i] = w.code(sess)
		}
		return func(i int) error {
			_, _, err := w.RedeemCode(b.Context(), w.redeem(codes[i], false))
			return err
		}
	})
}

func BenchmarkRotateRefresh(b *testing.B) {
	eachBench(b, func(b *testing.B, w *world) func(int) error {
		g := w.granted(w.login(w.user("alice")), false)
		return func(i int) error {
			_, _, _, err := w.RotateRefresh(b.Context(), w.rotate(g, int64(i)))
			return err
		}
	})
}

// BenchmarkFinishAuthorizationParallel shows what sharing a commit brings.
func BenchmarkFinishAuthorizationParallel(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b))
			sess := w.login(w.user("alice"))
			before := cpu()
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := w.FinishAuthorization(b.Context(), store.Finish{SessionID: sess.ID, Code: newCode(w, sess)}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
}
