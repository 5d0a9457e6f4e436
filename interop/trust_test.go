//go:build interop

package interop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// realm starts an MIT realm with alice, and our service where it has one.
func realm(t *testing.T, name string, services []string, conf string) *krbtest.Realm {
	t.Helper()
	return krbtest.Start(t, krbtest.Options{Realm: name, Services: services, KDCConf: conf})
}

var ours = []string{"HTTP/idp.localhost"}

// trusting is a server with a realm's keytab; realms are those it trusts, each a
// name, or a name and more settings.
func trusting(t *testing.T, r *krbtest.Realm, realms ...string) *idptest.Server {
	t.Helper()
	return idptest.Start(t, idptest.Options{YAML: fmt.Sprintf(
		"kerberos:\n  keytabs: [%s]\n  krb5_conf: %s\n  realms: [{name: %s}]\n", r.Keytab, r.Krb5Conf, strings.Join(realms, "}, {name: "))})
}

// foreign gets a ticket for a service of realm "of" as alice of another realm.
func foreign(t *testing.T, alice, of *krbtest.Realm) *krbtest.Ticket {
	t.Helper()
	ticket, err := alice.Client().Kvno("alice", krbtest.AlicePassword, "HTTP/idp.localhost@"+of.Name)
	must(t, err)
	return ticket
}

// Equal names of two realms that trust each other are two people, by ticket and
// by password, whoever comes first.
func TestAliceOfTwoRealmsIsTwoUsers(t *testing.T) {
	a, b := realm(t, "A.TEST", ours, ""), realm(t, "B.TEST", []string{}, "")
	must(t, a.Trust(b))
	s := trusting(t, a, a.Name, b.Name)
	other := byTicket(t, s, foreign(t, b, a))
	own := byTicket(t, s, foreign(t, a, a))
	if other.Name != "alice@B.TEST" || own.Name != "alice" || own.Sub == other.Sub {
		t.Errorf("alice@B.TEST arrives as %+v, alice@A.TEST as %+v: want alice@B.TEST and alice, two users", other, own)
	}
	if who := by(t, s, idptest.Basic("alice@b.test", krbtest.AlicePassword)); who.Sub != other.Sub {
		t.Errorf("alice@B.TEST by password: %+v, want the same as %+v", who, other)
	}
	if who := by(t, s, idptest.Basic("alice", krbtest.AlicePassword)); who.Sub != own.Sub {
		t.Errorf("alice by password: %+v, want the same as %+v", who, own)
	}
}

// Our KDC trusts the other realm, we do not: its people are nobody here.
func TestARealmOnlyTheKDCTrusts(t *testing.T) {
	a, b := realm(t, "A.TEST", ours, ""), realm(t, "B.TEST", []string{}, "")
	must(t, a.Trust(b))
	s := trusting(t, a, a.Name)
	refused(t, s, idptest.Negotiate(t, foreign(t, b, a)), "REALM_NOT_TRUSTED")
}

// A sound ticket of alice@B.TEST, whose owner writes another realm, or another
// name, into the authenticator: what gokrb5 takes as the identity.
func TestForgedRealmInTheAuthenticator(t *testing.T) {
	a, b := realm(t, "A.TEST", ours, ""), realm(t, "B.TEST", []string{}, "")
	must(t, a.Trust(b), b.AddPrincipal("mallory", "mallory-password"))
	s := trusting(t, a, a.Name, b.Name)
	mallory, err := b.Client().Kvno("mallory", "mallory-password", "HTTP/idp.localhost@A.TEST")
	must(t, err)
	for what, edit := range map[string]func(*types.Authenticator){
		"realm":          func(auth *types.Authenticator) { auth.CRealm = "A.TEST" },
		"name":           func(auth *types.Authenticator) { auth.CName.NameString = []string{"alice"} },
		"realm and name": func(auth *types.Authenticator) { auth.CRealm, auth.CName.NameString = "A.TEST", []string{"alice"} },
	} {
		t.Run(what, func(t *testing.T) {
			req, err := mallory.APReq(edit)
			must(t, err)
			refused(t, s, negotiate(krbtest.SPNEGO(krbtest.Frame(req))), "NAME_MISMATCH")
		})
	}
	if who := byTicket(t, s, mallory); who.Name != "mallory@B.TEST" {
		t.Errorf("the same ticket, unforged: %+v", who)
	}
}

// The people of A come to C through B. Where C's KDC knows that path it says so
// in the ticket; where it does not, and lets them pass nevertheless (as Active
// Directory does), the configuration decides.
func TestTransitedPath(t *testing.T) {
	a, b := realm(t, "A.TEST", []string{}, ""), realm(t, "B.TEST", []string{}, "")
	c := realm(t, "C.TEST", ours, "reject_bad_transit = false")
	must(t, a.Trust(b), b.Trust(c), a.Path(a, b, c), b.Path(a, b, c))
	unchecked := foreign(t, a, c)
	s := trusting(t, c, c.Name, a.Name)
	refused(t, s, idptest.Negotiate(t, unchecked), "TRANSITED")
	if lines := s.Log.Lines("reason=TRANSITED", "B.TEST"); len(lines) == 0 {
		t.Errorf("the log does not name the realm they came through: %s", lastReason(s))
	}
	trusted := trusting(t, c, c.Name, a.Name+", transited: trusted")
	if who := byTicket(t, trusted, unchecked); who.Name != "alice@A.TEST" {
		t.Errorf("transited: trusted: %+v, want alice@A.TEST", who)
	}
	must(t, c.Path(a, b, c))
	if who := byTicket(t, s, foreign(t, a, c)); who.Name != "alice@A.TEST" {
		t.Errorf("path checked by the KDC: %+v, want alice@A.TEST", who)
	}
}

// A person of a realm two trusts away, as in the domains of a forest: the ticket
// works (TestTransitedPath), the password must too.
func TestPasswordThroughAThirdRealm(t *testing.T) {
	a, b := realm(t, "A.TEST", []string{}, ""), realm(t, "B.TEST", []string{}, "")
	c := realm(t, "C.TEST", ours, "")
	must(t, a.Trust(b), b.Trust(c), a.Path(a, b, c), b.Path(a, b, c), c.Path(a, b, c))
	s := trusting(t, c, c.Name, a.Name)
	if who := by(t, s, idptest.Basic("alice@A.TEST", krbtest.AlicePassword)); who.Name != "alice@A.TEST" {
		t.Errorf("%+v, want alice@A.TEST", who)
	}
}
