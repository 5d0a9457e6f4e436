package directory_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/directory"
	"idp/internal/directory/ldaptest"
	"idp/internal/secret"
)

const realm = "EXAMPLE.TEST"

// world is a Directory before a server, with a clock and a log of its own.
type world struct {
	*directory.Directory
	t      testing.TB
	mu     sync.Mutex
	now    time.Time
	counts map[string]int
	log    strings.Builder
}

func ask(t testing.TB, c directory.Config) *world {
	t.Helper()
	w := &world{t: t, now: time.Now(), counts: map[string]int{}}
	var err error
	w.Directory, err = directory.New(directory.Options{Config: c, DefaultRealm: realm,
		Password: func() (secret.String, error) { return ldaptest.Password, nil },
		Log:      slog.New(slog.NewTextHandler(&w.log, nil)),
		Count:    func(r string) { w.mu.Lock(); defer w.mu.Unlock(); w.counts[r]++ },
		Now:      func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func (w *world) wait(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

func named(name string) directory.Account {
	return directory.Account{Realm: realm, Name: name, Exact: true}
}

// person must be found.
func (w *world) person(name string) *directory.Person {
	w.t.Helper()
	p, err := w.Lookup(w.t.Context(), named(name))
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return p
}

// wants an error.
func (w *world) wants(name string, want error) { w.t.Helper(); _ = w.says(name, want) }

// says wants an error, and returns it.
func (w *world) says(name string, want error) error {
	w.t.Helper()
	p, err := w.Lookup(w.t.Context(), named(name))
	if !errors.Is(err, want) {
		w.t.Errorf("%q: %+v, %v, want %v", name, p, err, want)
	}
	return err
}

// TestOpenLDAPTellsNamesMailAndGroups, by TLS and by StartTLS.
func TestOpenLDAPTellsNamesMailAndGroups(t *testing.T) {
	s := ldaptest.Start(t)
	alice := s.AddPerson("alice", "displayName", "Alice Liddell", "mail", "alice@example.test", "mail", "a@example.test")
	s.AddPerson("bob")
	team := s.AddGroup("team", alice)
	dept := s.AddGroup("department", team)
	s.AddGroup("strangers", "uid=bob,"+ldaptest.People)
	s.AddGroup("round", dept, alice)
	s.Set(team, "member", alice, "cn=round,"+ldaptest.Groups) // a ring
	s.Add("cn=unique,"+ldaptest.Groups, "objectClass", "groupOfUniqueNames", "uniqueMember", dept)
	s.Add("cn=posix,"+ldaptest.Groups, "objectClass", "posixGroup", "gidNumber", "1", "memberUid", "alice")
	for _, url := range []string{s.LDAPS, s.LDAP} {
		c := s.Config()
		c.URL = url
		w := ask(t, c)
		want := &directory.Person{DN: alice, FullName: "Alice Liddell", Email: "alice@example.test"}
		if diff := cmp.Diff(want, w.person("alice")); diff != "" {
			t.Errorf("%s, no groups configured (-want +got):\n%s", url, diff)
		}
		if p := w.person("bob"); p.FullName != "bob" || p.Email != "" {
			t.Errorf("bob, with a cn and no more: %+v", p)
		}
		c.Groups = map[string]string{"CN=Team, OU=Groups,dc=EXAMPLE,dc=test": "wonderland", "Department": "dept", "strangers": "strangers"}
		want.Groups = []string{"dept", "wonderland"}
		if diff := cmp.Diff(want, ask(t, c).person("alice")); diff != "" {
			t.Errorf("groups by a map (-want +got):\n%s", diff)
		}
		c.AllGroups = true
		want.Groups = []string{"dept", "posix", "round", "unique", "wonderland"}
		if diff := cmp.Diff(want, ask(t, c).person("alice")); diff != "" {
			t.Errorf("all groups (-want +got):\n%s", diff)
		}
	}
}

// TestAnAccountIsItsOwn: what the directory takes for the same name is not.
func TestAnAccountIsItsOwn(t *testing.T) {
	s := ldaptest.Start(t)
	s.AddPerson("alice")
	s.AddPerson("fred", "krbPrincipalName", "frederic@"+realm)
	s.AddPerson("one", "mail", "one@example.test", "krbPrincipalName", "twice@"+realm)
	s.AddPerson("two", "mail", "two@example.test", "krbPrincipalName", "twice@"+realm)
	s.Add("cn=alice@"+realm+",ou=services,"+ldaptest.Base, "objectClass", "organizationalRole", "objectClass", "extensibleObject", "krbPrincipalName", "alice@"+realm)
	w := ask(t, s.Config())
	w.person("alice") // the principal's own entry is no person
	w.person("frederic")
	w.wants("ALICE", directory.ErrAbsent)
	w.wants("ａlice", directory.ErrAbsent) // a wide letter
	w.wants("nobody", directory.ErrAbsent)
	w.wants("twice", directory.ErrAmbiguous)
	if _, err := w.Lookup(t.Context(), directory.Account{Realm: realm, Name: "ALICE"}); err != nil {
		t.Errorf("ALICE, where the realm has no case: %v", err)
	}
	if _, err := w.Lookup(t.Context(), directory.Account{Realm: realm, Name: "alice", SID: "S-1-5-21-1-2-3-4"}); !errors.Is(err, directory.ErrAbsent) {
		t.Errorf("a SID in a directory without: %v", err)
	}
	c := s.Config()
	c.Filter = "(!(uid=fred))"
	ask(t, c).wants("frederic", directory.ErrAbsent)
	if !w.Knows(realm) || w.Knows("OTHER.TEST") {
		t.Error("it knows the people of its realm, and no others")
	}
}

// TestHoleLDAPInjection: nothing that a ticket can say finds anybody but the account
// of that very name.
func TestHoleLDAPInjection(t *testing.T) {
	s := ldaptest.Start(t)
	s.AddPerson("alice")
	odd := `o*(dd)\ name`
	s.AddPerson(odd)
	s.AddGroup("team", "uid=alice,"+ldaptest.People)
	c := s.Config()
	c.AllGroups = true
	w := ask(t, c)
	for _, name := range []string{"*", "al*", "alice)(uid=*", "alice))(|(uid=*", "*)(objectClass=*", "alice\x00", "\x00", "alice)(|(cn=*", `\2a`, `alice\`, "ali\\63e",
		"(|(uid=alice))", "", " alice", "alice ", "ali\xff", strings.Repeat("a", 300), strings.Repeat("*", 1<<20)} {
		w.wants(name, directory.ErrAbsent)
	}
	if p := w.person(odd); p.FullName != odd || len(p.Groups) != 0 {
		t.Errorf("the account that really is called %q: %+v", odd, p)
	}
	for _, a := range []directory.Account{{Realm: "*", Name: "nobody"}, {Realm: realm + ")(uid=*", Name: "nobody"}, {Realm: realm, SID: "*"}} {
		if p, err := w.Lookup(t.Context(), a); !errors.Is(err, directory.ErrAbsent) {
			t.Errorf("%+v: %+v, %v", a, p, err)
		}
	}
}

// TestOpenLDAPTellsWhoIsDisabled, and that a lock-out is none.
func TestOpenLDAPTellsWhoIsDisabled(t *testing.T) {
	s := ldaptest.Start(t)
	for _, c := range []struct{ attribute, value, want string }{
		{"nsAccountLock", "TRUE", "disabled"}, {"nsAccountLock", "FALSE", ""},
		{"pwdAccountLockedTime", "000001010000Z", "disabled"}, {"pwdAccountLockedTime", "20260101000000Z", ""},
		{"krbPrincipalExpiration", "20200101000000Z", "expired"}, {"krbPrincipalExpiration", "20990101000000Z", ""},
		{"shadowExpire", "18000", "expired"}, {"shadowExpire", "99999", ""}, {"shadowExpire", "-1", ""},
	} {
		dn := s.AddPerson("carl")
		s.Set(dn, c.attribute, c.value)
		if p := ask(t, s.Config()).person("carl"); !strings.Contains(p.Disabled, c.want) || (c.want == "") != (p.Disabled == "") {
			t.Errorf("%s %s: %q, want %q", c.attribute, c.value, p.Disabled, c.want)
		}
		s.Delete(dn)
	}
}

// TestAnswersAreKept for five minutes where somebody is let in by them, else half a
// minute.
func TestAnswersAreKept(t *testing.T) {
	s := ldaptest.Start(t)
	alice := s.AddPerson("alice")
	w := ask(t, s.Config())
	w.person("alice")
	s.Set(alice, "nsAccountLock", "TRUE")
	w.wait(5*time.Minute - time.Millisecond)
	if p := w.person("alice"); p.Disabled != "" {
		t.Error("asked again before its time")
	}
	w.wait(time.Millisecond)
	if p := w.person("alice"); p.Disabled == "" {
		t.Error("kept for longer than five minutes")
	}
	s.Set(alice, "nsAccountLock")
	w.wait(30 * time.Second)
	if p := w.person("alice"); p.Disabled != "" {
		t.Error("kept out for longer than half a minute")
	}
	w.wants("late", directory.ErrAbsent)
	s.AddPerson("late")
	w.wants("late", directory.ErrAbsent)
	w.wait(30 * time.Second)
	w.person("late")
	if want := map[string]int{"found": 3, "disabled": 1, "absent": 1}; cmp.Diff(want, w.counts) != "" {
		t.Errorf("counted %v, want %v", w.counts, want)
	}
}

// TestManyWhoAskAtOnceAskOnce.
func TestManyWhoAskAtOnceAskOnce(t *testing.T) {
	s := ldaptest.Start(t)
	s.AddPerson("alice")
	w := ask(t, s.Config())
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, err := w.Lookup(t.Context(), named("alice")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.counts["found"] != 1 {
		t.Errorf("asked %d times for 64 who ask at once", w.counts["found"])
	}
}

// TestADirectoryThatComesBack: connections that were good a moment ago are not, and
// nobody waits for a server that is down.
func TestADirectoryThatComesBack(t *testing.T) {
	s := ldaptest.Start(t)
	s.AddPerson("alice")
	s.AddPerson("bob")
	s.AddPerson("carl")
	w := ask(t, s.Config())
	w.person("alice")
	s.Stop()
	s.Run()
	w.person("bob") // the idle connection is broken: a new one is made
	s.Stop()
	w.wants("carl", directory.ErrSilent)
	w.wants("carl", directory.ErrSilent)
	w.person("bob") // kept
	s.Run()
	if err := w.says("carl", directory.ErrSilent); !strings.Contains(err.Error(), "connect") {
		t.Errorf("before ten seconds are over nobody asks, and the reason is kept: %v", err)
	}
	w.wait(10 * time.Second)
	w.person("carl")
	if log := w.log.String(); strings.Count(log, "does not answer") != 1 || strings.Count(log, "answers again") != 1 {
		t.Errorf("said more than once, or not at all:\n%s", log)
	}
}

// TestAConnectionThatIsForgotten in between, by a firewall say, costs nobody an answer.
func TestAConnectionThatIsForgotten(t *testing.T) {
	s := ldaptest.Start(t)
	s.AddPerson("alice")
	s.AddPerson("bob")
	between := ldaptest.Through(t, strings.TrimPrefix(s.LDAPS, "ldaps://"))
	c := s.Config()
	c.URL = "ldaps://" + between.Addr
	w := ask(t, c)
	w.person("alice")
	between.Forget()
	w.person("bob")
	if n := between.Taken(); n != 2 {
		t.Errorf("%d connections, want one that was forgotten and another", n)
	}
}

// TestAnotherServerTakesOver from one that is down and one that hangs, is remembered,
// and gives way to the first again.
func TestAnotherServerTakesOver(t *testing.T) {
	first, second := ldaptest.Start(t), ldaptest.Start(t)
	first.AddPerson("alice", "displayName", "First")
	for _, name := range []string{"alice", "bob", "carl"} {
		second.AddPerson(name, "displayName", "Second")
	}
	c := second.Config()
	c.CAFile = first.Dir + "/both.pem"
	ldaptest.WriteFile(t, c.CAFile, append(first.CA.PEM, second.CA.PEM...))
	silent := ldaptest.Silent(t)
	for what, hangs := range map[string]string{"down": "", "hanging": "ldaps://" + silent.Addr + " "} {
		c.URL = hangs + first.LDAPS + " " + second.LDAPS
		c.Timeout = directory.Duration(5 * time.Second)
		first.Stop()
		w := ask(t, c)
		if p := w.person("alice"); p.FullName != "Second" {
			t.Errorf("%s: %+v", what, p)
		}
		w.person("bob")
		if n := silent.Taken(); hangs != "" && n != 1 {
			t.Errorf("%s: who answers is not remembered: the other was asked %d times", what, n)
		}
		first.Run()
		w.wait(5 * time.Minute)
		if p := w.person("alice"); hangs == "" && p.FullName != "First" {
			t.Errorf("%s: the first is not asked again: %+v", what, p)
		}
	}
}

// TestNobodyWaitsForADirectoryThatHangs longer than its time, wherever it hangs.
func TestNobodyWaitsForADirectoryThatHangs(t *testing.T) {
	s := ldaptest.Start(t)
	for what, hangs := range map[string]*ldaptest.Fake{"ldaps before TLS": ldaptest.Silent(t), "ldap at StartTLS": ldaptest.Silent(t),
		"ldaps at the bind": s.CA.Hang(), "ldap at the handshake": ldaptest.HangsAfterStartTLS(t)} {
		c := s.Config()
		scheme, _, _ := strings.Cut(what, " ")
		c.URL, c.Timeout = scheme+"://"+hangs.Addr, directory.Duration(100*time.Millisecond)
		w := ask(t, c)
		for range 3 {
			if err := w.says("alice", directory.ErrSilent); !strings.Contains(err.Error(), "no answer in time") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := hangs.Taken(); n != 1 {
			t.Errorf("%s: %d people waited for it", what, n)
		}
	}
}

// TestOnlyAServerThatProvesItselfIsAsked: nothing is sent to one whose certificate is
// another's, or that does not want TLS.
func TestOnlyAServerThatProvesItselfIsAsked(t *testing.T) {
	s := ldaptest.Start(t)
	s.AddPerson("alice")
	stranger := ldaptest.NewAuthority(t)
	c := s.Config()
	other := s.Dir + "/other.pem"
	ldaptest.WriteFile(t, other, stranger.PEM)
	for _, try := range []struct{ what, url, ca, want string }{
		{"an unknown authority", s.LDAPS, other, "unknown authority"},
		{"an unknown authority, StartTLS", s.LDAP, other, "unknown authority"},
		{"the system's authorities", s.LDAPS, "", "unknown authority"},
		{"another name", strings.Replace(s.LDAPS, "127.0.0.1", "127.0.0.2", 1), c.CAFile, "connect"},
		{"no TLS wanted", "ldap://" + ldaptest.NoTLS(t).Addr, c.CAFile, "StartTLS"},
		{"no LDAP at all", "ldap://" + ldaptest.Says(t, "HTTP/1.1 400 Bad Request\r\n\r\n").Addr, c.CAFile, "StartTLS"},
	} {
		c.URL, c.CAFile = try.url, try.ca
		if err := ask(t, c).says("alice", directory.ErrSilent); !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: %v, want %q", try.what, err, try.want)
		}
	}
}

// TestAWrongPasswordIsTriedOnce: the directory counts it, and both servers would.
func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	s := ldaptest.Start(t)
	c := s.Config()
	c.URL = s.LDAPS + " " + s.LDAP
	tried := 0
	d, err := directory.New(directory.Options{Config: c, Password: func() (secret.String, error) { tried++; return "wrong", nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	for range 3 {
		if _, err := d.Lookup(t.Context(), named("alice")); !errors.Is(err, directory.ErrSilent) || !strings.Contains(err.Error(), "bind") {
			t.Errorf("%v", err)
		}
	}
	if tried != 1 {
		t.Errorf("tried %d times", tried)
	}
}

// TestWhoSeesNobody has lost a right; a base that is not there is said so.
func TestWhoSeesNobody(t *testing.T) {
	s := ldaptest.Start(t)
	if ask(t, s.Config()).ShowsAnybody(t.Context()) {
		t.Error("there is nobody to be seen")
	}
	s.AddPerson("alice")
	s.AddPerson("bob")
	if !ask(t, s.Config()).ShowsAnybody(t.Context()) {
		t.Error("alice is to be seen")
	}
	c := s.Config()
	c.Base = "dc=elsewhere"
	w := ask(t, c)
	if w.ShowsAnybody(t.Context()) {
		t.Error("nobody is elsewhere")
	}
	w.wait(time.Minute)
	if err := w.says("alice", directory.ErrSilent); !strings.Contains(err.Error(), "No Such Object") {
		t.Errorf("a base that is not there: %v", err)
	}
}
