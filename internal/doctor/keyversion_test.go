package doctor_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"idp/internal/doctor/site"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
)

const service = "HTTP/sso.example.com"

// serving is a realm with a service, and an installation of it at an address of
// this machine.
func serving(t *testing.T, z zone, services ...string) (*krbtest.Realm, *installation) {
	t.Helper()
	r := krbtest.Start(t, krbtest.Options{Services: services, Enctypes: "aes256-cts-hmac-sha1-96:normal"})
	in := of(t, r)
	in.Issuer, in.Resolver = "https://sso.example.com:1", resolver(t, z)
	return r, in
}

var anAddress = zone{"sso.example.com A": {"127.0.0.7"}}

func kadmin(t *testing.T, r *krbtest.Realm, commands string) {
	t.Helper()
	if err := r.Kadmin(commands); err != nil {
		t.Fatal(err)
	}
}

func TestTheKeytabFitsTheKDC(t *testing.T) {
	_, in := serving(t, anAddress, service)
	wants(t, in.say("key_version"), "ok "+service+"@EXAMPLE.TEST: the KDC's ticket (kvno 1, aes256) opens with the keytab")
}

func TestAKeytabOlderThanTheKDC(t *testing.T) {
	r, in := serving(t, anAddress, service)
	kadmin(t, r, "cpw -randkey "+service+"\n")
	wants(t, in.say("key_version"), "failed the KDC of EXAMPLE.TEST does not take the keytab's key of "+service+"@EXAMPLE.TEST (kvno 1)")
	t.Run("with two old versions", func(t *testing.T) {
		r, in := serving(t, anAddress, service)
		kadmin(t, r, "cpw -keepold -randkey "+service+"\n")
		if err := r.ExportKeytab(r.Keytab, service); err != nil {
			t.Fatal(err)
		}
		kadmin(t, r, "cpw -randkey "+service+"\n")
		wants(t, in.say("key_version"), "failed does not take the keytab's key of "+service+"@EXAMPLE.TEST (kvno 2)")
	})
	t.Run("with another entry that logs in", func(t *testing.T) {
		r, in := serving(t, anAddress, service, "svc-sso")
		kadmin(t, r, "cpw -randkey "+service+"\n")
		wants(t, in.say("key_version"), "failed "+service+"@EXAMPLE.TEST: the KDC has kvno 2, the keytab 1: its tickets do not open")
	})
}

// Programs show a site tickets for its own name.
func TestAKeyOfASiteOlderThanTheKDC(t *testing.T) {
	r, in := serving(t, anAddress, service, "HTTP/reports.example.com")
	in.Sites = []site.Site{{Origin: "https://reports.example.com:8443"}, {Origin: "https://without-a-key.example.com"}}
	wants(t, in.say("key_version"), "ok "+service+"@EXAMPLE.TEST", "ok HTTP/reports.example.com@EXAMPLE.TEST: the KDC's ticket (kvno 1, aes256) opens with the keytab")
	kadmin(t, r, "cpw -randkey HTTP/reports.example.com\n")
	lines := in.say("key_version")
	wants(t, lines, "ok "+service+"@EXAMPLE.TEST", "failed HTTP/reports.example.com@EXAMPLE.TEST: the KDC has kvno 2, the keytab 1: its tickets do not open")
	if hint := in.hint("key_version"); !strings.Contains(hint, "--refresh --also reports.example.com") || strings.Contains(lines[1], "passwords") {
		t.Errorf("%s\n%s", lines[1], hint)
	}
}

// TestAnotherKeyOfTheSameVersion: the account was made anew, or the
// database restored.
func TestAnotherKeyOfTheSameVersion(t *testing.T) {
	r, in := serving(t, anAddress, service, "svc-sso")
	kadmin(t, r, "delprinc -force "+service+"\naddprinc -randkey "+service+"\n")
	wants(t, in.say("key_version"), "failed (kvno 1, aes256) does not open with the keytab's key of that version")
}

func TestAKeyTheKeytabLacks(t *testing.T) {
	r, in := serving(t, anAddress, service, "svc-sso")
	kadmin(t, r, "delprinc -force "+service+"\naddprinc -e aes128-cts-hmac-sha1-96:normal -randkey "+service+"\n")
	wants(t, in.say("key_version"), "failed the keytab has no aes128 key, and the KDC seals with that")
}

func TestAnRC4Ticket(t *testing.T) {
	r, in := serving(t, anAddress, service, "svc-sso")
	kadmin(t, r, "delprinc -force "+service+"\naddprinc -e arcfour-hmac:normal -randkey "+service+"\n")
	wants(t, in.say("key_version"), "failed "+service+"@EXAMPLE.TEST is sealed with rc4, which is not accepted")
	if err := r.ExportKeytab(r.Keytab, service, "svc-sso"); err != nil {
		t.Fatal(err)
	}
	wants(t, in.say("key_version"), "failed "+service+"@EXAMPLE.TEST is sealed with rc4, which is not accepted")
	in.Kerberos.AllowRC4 = true
	wants(t, in.say("key_version"), "ok (kvno 1, rc4) opens with the keytab")
}

// TestAnAccountThatHasRC4KeysOnly, and a keytab with AES: nobody logs in to ask.
func TestAnAccountThatHasRC4KeysOnly(t *testing.T) {
	r, in := serving(t, anAddress, service)
	kadmin(t, r, "delprinc -force "+service+"\naddprinc -e arcfour-hmac:normal -randkey "+service+"\n")
	wants(t, in.say("key_version"), "failed the KDC and the keytab have no encryption type in common for "+service+"@EXAMPLE.TEST")
}

func TestNoKeytabMeansNoPasswordsEither(t *testing.T) {
	r, in := serving(t, anAddress, service)
	if err := os.Remove(r.Keytab); err != nil {
		t.Fatal(err)
	}
	wants(t, in.say("key_version"), "failed no key to open tickets with; passwords cannot be checked either")
	wants(t, in.say("spn"), "failed browsers ask for "+service+", and no keytab with a key of it was read")
}

func TestAServiceTheKDCDoesNotKnow(t *testing.T) {
	r, in := serving(t, anAddress, service, "svc-sso")
	kadmin(t, r, "delprinc -force "+service+"\n")
	wants(t, in.say("key_version"), "failed the KDC does not know "+service+"@EXAMPLE.TEST: browsers get no ticket")
}

func TestAKeytabThatLogsNobodyIn(t *testing.T) {
	r, in := serving(t, anAddress, service)
	kadmin(t, r, "modprinc -allow_tix "+service+"\n")
	wants(t, in.say("key_version"), "warning the KDC logs in no name of the keytab")
}

// TestTheKDCSettlesWhatTheKeytabLeavesOpen: whether a name that the keytab lacks
// is an alias of the account.
func TestTheKDCSettlesWhatTheKeytabLeavesOpen(t *testing.T) {
	cname := zone{"sso.example.com CNAME": {"web.example.com"}, "web.example.com A": {"127.0.0.7"}, "7.0.0.127.in-addr.arpa PTR": {"sso.example.com"}}
	const web = "HTTP/web.example.com"
	only := func(t *testing.T, r *krbtest.Realm, names ...string) {
		if err := r.ExportKeytab(r.Keytab, names...); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the target of the CNAME is not known", func(t *testing.T) {
		_, in := serving(t, cname, service)
		wants(t, in.say("spn"), "failed Chromium and Edge ask for "+web+", which neither the keytab has nor the KDC knows")
		wants(t, in.say("key_version"), "ok "+service+"@EXAMPLE.TEST: the KDC's ticket (kvno 1, aes256) opens", "failed the KDC does not know "+web)
	})
	t.Run("the target of the CNAME has another key", func(t *testing.T) {
		r, in := serving(t, cname, service, web)
		only(t, r, service)
		wants(t, in.say("spn"), "failed which no keytab has, and the KDC's ticket for it does not open")
		wants(t, in.say("key_version"), "ok opens with the keytab", "failed opens with no key of the keytab: the name belongs to another account")
	})
	// The same key under two names, as accounts with an alias have it.
	const sameKey = "addprinc -e aes256-cts-hmac-sha1-96:onlyrealm -pw password-of-the-account "
	t.Run("the target of the CNAME is an alias", func(t *testing.T) {
		r, in := serving(t, cname)
		kadmin(t, r, sameKey+service+"\n"+sameKey+web+"\n")
		only(t, r, service)
		wants(t, in.say("spn"), "ok browsers ask for "+web+", not in the keytab by that name, but the KDC knows it as an alias")
		wants(t, in.say("key_version"), "ok opens with the keytab", "ok "+web+"@EXAMPLE.TEST: the KDC's ticket (kvno 1, aes256) opens with the key of "+service)
		only(t, r, web)
		wants(t, in.say("spn"), "ok the KDC knows both, and tickets for both open")
		in.Resolver = resolver(t, zone{"sso.example.com A": {"127.0.0.7"}, "web.example.com A": {"127.0.0.7"}})
		wants(t, in.say("spn"), "ok browsers ask for "+service+": not in the keytab by that name")
	})
	t.Run("the typed name is not known", func(t *testing.T) {
		_, in := serving(t, cname, web)
		wants(t, in.say("spn"), "warning clients that do not follow CNAMEs ask for "+service)
		wants(t, in.say("key_version"), "warning the KDC does not know "+service, "ok "+web)
	})
}

// TestANameThatTwoAccountsHave: a KDC of Active Directory then gives no ticket,
// with an error that MIT Kerberos never makes.
func TestANameThatTwoAccountsHave(t *testing.T) {
	r, in := serving(t, anAddress, service)
	const tgsReq, notUnique = 0x6c, 8
	r.UseKDCs(t, "udp_preference_limit = 1", krbtest.FakeKDC(t, func(req []byte) []byte {
		if req[0] == tgsReq {
			return krbtest.Framed(wire.KRBErrorMessage(notUnique, time.Now(), wire.Principal{Components: []string{"HTTP", "sso.example.com"}, Realm: r.Name, NameType: 2}))
		}
		reply, err := r.Relay(req)
		if err != nil {
			return []byte{}
		}
		return krbtest.Framed(reply)
	}))
	wants(t, in.say("key_version"), "failed "+service+"@EXAMPLE.TEST: two accounts have this name")
}
