package kerberos

import (
	"context"
	"testing"
	"time"

	"idp/internal/kerberos/wire"
)

// BenchmarkAccept is one login by ticket without HTTP and database: SPNEGO,
// decryption of ticket and authenticator, all checks, AP-REP.
func BenchmarkAccept(b *testing.B) {
	for _, etype := range []int32{18, 20} {
		b.Run(wire.EtypeName(etype), func(b *testing.B) {
			a := forgeAcceptor(b, func(o *Options) {
				o.Seen = func(context.Context, []byte, time.Time) (bool, error) { return true, nil }
			})
			token := forge(a, etype).token(b)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Accept(ctx, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
