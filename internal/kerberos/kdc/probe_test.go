package kdc

import (
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
)

func TestProbeARealKDC(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	c := newClient(r)
	servers, err := c.Servers(t.Context(), r.Name)
	must(t, err)
	if len(servers) != 2 || servers[0].Source != r.Krb5Conf {
		t.Fatalf("servers: %+v", servers)
	}
	for _, s := range servers {
		p, err := c.Probe(t.Context(), s, r.Name)
		t.Logf("%+v %+v", s, p)
		if err != nil || !p.HasTime || p.Offset.Abs() > 2*time.Second || p.WrongRealm || p.Took <= 0 {
			t.Errorf("%+v: %+v, %v", s, p, err)
		}
		if p, err = c.Probe(t.Context(), s, "OTHER.TEST"); err != nil || !p.WrongRealm {
			t.Errorf("another realm's: %+v, %v", p, err)
		}
		t.Logf("%+v %+v", s, p)
	}
	must(t, r.Kadmin("modprinc -requires_preauth krbtgt/"+r.Name+"\n")) // as kdb5_util makes it without default_principal_flags
	late := New(Config{Krb5Conf: r.Krb5Conf, EtypeAllowed: wire.IsAES, Now: func() time.Time { return time.Now().Add(-10 * time.Minute) }})
	for _, s := range servers {
		p, err := late.Probe(t.Context(), s, r.Name)
		if err != nil || p.Code != 0 || p.WrongRealm || !p.HasTime || (p.Offset-10*time.Minute).Abs() > 2*time.Second {
			t.Errorf("%+v, whose krbtgt needs no pre-authentication: %+v, %v", s, p, err)
		}
	}
	r.Stop()
	for _, s := range servers {
		if _, err := c.Probe(t.Context(), s, r.Name); err == nil {
			t.Errorf("%+v answers though it is stopped", s)
		}
	}
}
