package doctor_test

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"idp/internal/kerberos"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
)

const quick = 10 * time.Second // no check may take longer

// of is an installation that trusts a realm.
func of(t *testing.T, r *krbtest.Realm) *installation {
	in := newInstallation(t)
	k := in.withKerberos()
	k.Realms, k.Keytabs, k.Krb5Conf = []kerberos.Realm{{Name: r.Name}}, []string{r.Keytab}, r.Krb5Conf
	in.Resolver = resolver(t, zone{})
	return in
}

func addrOf(r *krbtest.Realm) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(r.Addr))
}

func TestKDCs(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	other := krbtest.Start(t, krbtest.Options{Realm: "OTHER.TEST"})
	hanging := krbtest.FakeKDC(t, func([]byte) []byte { return nil })
	stopped := krbtest.Start(t, krbtest.Options{Realm: "STOPPED.TEST"})
	stopped.Stop()
	tcp := r.TCPOnly(t)
	for _, c := range []struct {
		name, libdefaults string
		kdcs, want        []string
	}{
		{"healthy", "", []string{r.Addr}, []string{"ok EXAMPLE.TEST: " + r.Addr + " answers over UDP and TCP (", "warning no server for new passwords (kpasswd) answers over TCP"}},
		{"UDP blocked", "", []string{tcp}, []string{"warning " + tcp + " answers over TCP, not over UDP (no answer)", "warning kpasswd"}},
		{"UDP blocked, and not asked for", "udp_preference_limit = 1", []string{tcp}, []string{"ok answers over TCP (", "warning kpasswd"}},
		{"one of two", "", []string{stopped.Addr, r.Addr}, []string{"warning " + stopped.Addr + " does not answer (UDP: refused; TCP: refused): idp and clients lose time on it", "ok answers over UDP and TCP", "warning kpasswd"}},
		{"none", "", []string{stopped.Addr, hanging}, []string{"failed " + stopped.Addr + " does not answer (UDP: refused; TCP: refused); no other KDC answers", "failed " + hanging + " does not answer (UDP: refused; TCP: no answer); no other"}},
		{"a name that is not in the DNS", "", []string{"dc1.example.com"}, []string{"failed dc1.example.com:88 does not answer (UDP: not in the DNS; TCP: not in the DNS)"}},
		{"of another realm", "", []string{other.Addr}, []string{"failed " + other.Addr + " is a KDC, but of another realm"}},
		{"none named", "", nil, []string{"failed which says not to ask the DNS: no password can be checked"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := of(t, r)
			r.UseKDCs(t, c.libdefaults, c.kdcs...)
			began := time.Now()
			wants(t, in.say("kdc"), c.want...)
			if took := time.Since(began); took > quick {
				t.Errorf("took %s", took)
			}
		})
	}
	t.Run("with a server for new passwords", func(t *testing.T) {
		r := krbtest.Start(t, krbtest.Options{})
		r.StartKpasswd(t)
		wants(t, of(t, r).say("kdc"), "ok answers over UDP and TCP", "ok takes connections for new passwords (kpasswd)")
	})
	t.Run("a broken DNS", func(t *testing.T) {
		in := of(t, r)
		r.UseKDCs(t, "", "dc1.example.com")
		in.Resolver = resolver(t, zone{"dc1.example.com SERVFAIL": nil})
		wants(t, in.say("kdc"), "failed dc1.example.com:88 does not answer (UDP: the DNS does not answer; TCP: the DNS does not answer)")
	})
	t.Run("found in the DNS", func(t *testing.T) {
		in := of(t, r)
		in.Kerberos.Krb5Conf = in.path("none")
		srv := "0 0 " + port(addrOf(r)) + " dc1.example.test"
		in.Resolver = resolver(t, zone{"_kerberos._udp.example.test SRV": {srv}, "_kerberos._tcp.example.test SRV": {srv}, "dc1.example.test A": {"127.0.0.1"}})
		wants(t, in.say("kdc"), "ok EXAMPLE.TEST: dc1.example.test:"+port(addrOf(r))+" answers over UDP and TCP", "warning no kpasswd server of EXAMPLE.TEST")
		in.Resolver = resolver(t, zone{})
		wants(t, in.say("kdc"), "failed no KDC of EXAMPLE.TEST in "+in.path("none")+" or the DNS")
	})
}

// TestClock: our own clock is wrong, and the KDC's.
func TestClock(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	for _, c := range []struct {
		ours time.Duration
		want string
	}{
		{0, "ok less than a second off the KDC " + r.Addr + " of EXAMPLE.TEST"},
		{20 * time.Second, "ok 20 seconds ahead of the KDC"},
		{-2 * time.Minute, "warning this machine is 2 minutes behind the KDC"},
		{10 * time.Minute, "failed this machine is 10 minutes ahead of the KDC"},
	} {
		in := of(t, r)
		in.Now = func() time.Time { return time.Now().Add(c.ours) }
		wants(t, in.say("clock"), c.want)
	}
	if err := r.SetClock(6 * time.Minute); err != nil {
		t.Fatal(err)
	}
	in := of(t, r)
	wants(t, in.say("clock"), "failed this machine is 6 minutes behind the KDC "+r.Addr)
	wants(t, in.say("key_version"), "warning the KDC finds our clock wrong")
	t.Run("of an MIT realm as kdb5_util makes it", func(t *testing.T) {
		r := krbtest.Start(t, krbtest.Options{})
		kadmin(t, r, "modprinc -requires_preauth krbtgt/"+r.Name+"\n")
		in := of(t, r)
		wants(t, in.say("clock"), "ok less than a second off the KDC "+r.Addr)
		in.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
		wants(t, in.say("clock"), "failed this machine is 10 minutes behind the KDC "+r.Addr)
		wants(t, in.say("key_version"), "warning the KDC finds our clock wrong")
	})
	t.Run("of a KDC that tells only whoever logs in", func(t *testing.T) {
		r := krbtest.Start(t, krbtest.Options{})
		ticket := func(req []byte) []byte { return krbtest.Framed([]byte{0x6b, 0}) } // to a probe: an AS-REP, without a time
		r.UseKDCs(t, "udp_preference_limit = 1", krbtest.FakeKDC(t, func(req []byte) []byte {
			if !bytes.Contains(req, []byte("HTTP")) {
				return ticket(req)
			}
			return krbtest.Framed(wire.KRBErrorMessage(37, time.Now().Add(7*time.Minute), wire.Principal{Components: []string{"krbtgt", r.Name}, Realm: r.Name, NameType: 2}))
		}))
		in := of(t, r)
		wants(t, in.say("clock"), "failed this machine is 7 minutes behind the KDC of EXAMPLE.TEST")
		r.UseKDCs(t, "udp_preference_limit = 1", krbtest.FakeKDC(t, ticket))
		wants(t, in.say("clock"), "warning the KDC of EXAMPLE.TEST does not say what time it is there")
	})
}
