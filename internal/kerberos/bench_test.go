package kerberos

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"idp/internal/kerberos/wire"
)

// BenchmarkAccept is one login by ticket without HTTP and database, ours beside
// that of the library, which has no AP-REP: SPNEGO, both seals, all checks, a
// replay cache in memory. Every token is a new one, made before the clock starts.
func BenchmarkAccept(b *testing.B) {
	a := forgeAcceptor(b, nil)
	stock := spnego.SPNEGOService(stockKeytab(b, a))
	acceptors := map[string]func(token []byte) bool{
		"ours": func(token []byte) bool {
			login, err := a.Accept(context.Background(), token)
			return err == nil && login.Reply != nil
		},
		"stock": func(token []byte) bool {
			var t spnego.SPNEGOToken
			if t.Unmarshal(token) != nil {
				return false
			}
			ok, _, _ := stock.AcceptSecContext(&t)
			return ok
		},
	}
	made := 0
	for _, etype := range []int32{18, 20} {
		for _, name := range []string{"ours", "stock"} {
			b.Run(wire.EtypeName(etype)+"/"+name, func(b *testing.B) {
				f := forge(a, etype)
				tokens := make([][]byte, b.N)
				for i := range tokens {
					made++ // a replay is to the library what has the same microsecond
					f.ctime = f.start.Add(time.Minute + time.Duration(made)*time.Microsecond)
					tokens[i] = f.token(b)
				}
				b.ReportAllocs()
				b.ResetTimer()
				began := cpuTime(b)
				for _, token := range tokens {
					if !acceptors[name](token) {
						b.Fatal("refused")
					}
				}
				b.ReportMetric(float64(b.N)/(cpuTime(b)-began).Seconds(), "accepts/cpu-s")
			})
		}
	}
}

// stockKeytab is the acceptor's keytab as the library reads it.
func stockKeytab(b *testing.B, a *Acceptor) *keytab.Keytab {
	raw, err := os.ReadFile(a.opts.Keytabs[0])
	must(b, err)
	kt := keytab.New()
	must(b, kt.Unmarshal(raw))
	return kt
}

// cpuTime is what this process has used, the garbage collector included: on a
// machine that others use, too, the clock on the wall tells little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
