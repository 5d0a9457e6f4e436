package session

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/web"
)

// visitor is a browser at a server whose clock the test moves.
type visitor struct {
	*Sessions
	t       *testing.T
	now     time.Time
	cookies map[string]*http.Cookie
	address string
	bob     *store.User
}

func visit(t *testing.T, rules Rules) *visitor {
	t.Helper()
	v := &visitor{t: t, now: time.Now().Truncate(time.Second), cookies: map[string]*http.Cookie{}, address: "203.0.113.7"}
	clock := func() time.Time { return v.now }
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t), Now: clock})
	var err error
	if v.Sessions, err = New(Config{Store: st, Ring: secret.NewRing(), Issuer: &url.URL{Scheme: "https", Host: "sso.example.com"}, Rules: rules, Now: clock}); err != nil {
		t.Fatal(err)
	}
	u, err := st.CreateUser(t.Context(), store.User{Name: "bob", Groups: []string{"partners"}}, nil, store.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	v.bob = &u
	return v
}

// ask does something in a request of the browser, which keeps the cookies.
func (v *visitor) ask(do func(w http.ResponseWriter, r *http.Request)) {
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = v.address + ":1234"
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	web.Chain(http.HandlerFunc(do), web.ChainConfig{Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
	resp := w.Result()
	_ = resp.Body.Close()
	for _, c := range resp.Cookies() {
		v.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
}

// start logs bob in.
func (v *visitor) start(l Login) (row *store.Session, err error) {
	l.User, l.AuthTime = v.bob, v.now
	v.ask(func(w http.ResponseWriter, r *http.Request) { row, err = v.Start(w, r, l) })
	return row, err
}

func (v *visitor) mustStart(l Login) *store.Session {
	v.t.Helper()
	row, err := v.start(l)
	if err != nil {
		v.t.Fatal(err)
	}
	return row
}

func (v *visitor) current() *store.Session {
	v.t.Helper()
	var found *store.Session
	v.ask(func(_ http.ResponseWriter, r *http.Request) {
		c, err := v.Current(r)
		switch {
		case err == nil:
			found = c.Session
		case !errors.Is(err, ErrNone):
			v.t.Error(err)
		}
	})
	return found
}

const cookie = "__Host-idp_session"

func (v *visitor) ends(row *store.Session) time.Duration {
	return time.UnixMilli(row.ExpiresAt).Sub(v.now).Round(time.Minute)
}

func TestHoleStepUpExtendsASessionForEver(t *testing.T) {
	v := visit(t, Rules{{Idle: Duration(2 * time.Hour), Absolute: Duration(3 * time.Hour)}})
	first := v.mustStart(Login{ACR: "1"})
	secrets := map[string]bool{v.cookies[cookie].Value: true}
	for range 5 {
		v.now = v.now.Add(30 * time.Minute)
		row := v.mustStart(Login{ACR: "mfa", Continues: first.ID})
		if row.ID != first.ID {
			t.Error("the sid is another one")
		}
		if secrets[v.cookies[cookie].Value] {
			t.Error("the secret of the cookie is the same")
		}
		secrets[v.cookies[cookie].Value] = true
		if now := v.current(); now == nil || now.ExpiresAt != first.ExpiresAt || now.ACR != "mfa" {
			t.Fatalf("after a step-up: %+v, want it to end as it would have, at %d", now, first.ExpiresAt)
		}
	}
	v.now = v.now.Add(time.Hour)
	if v.current() != nil {
		t.Error("it goes on after its end")
	}
	if _, err := v.start(Login{ACR: "mfa", Continues: first.ID}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a step-up of a session that is over: %v", err)
	}
}

// Who logs in again begins anew, under the same sid.
func TestLoggingInAgainStartsAnew(t *testing.T) {
	v := visit(t, nil)
	first := v.mustStart(Login{ACR: "1"})
	old := v.cookies[cookie].Value
	v.now = v.now.Add(7 * time.Hour)
	again := v.mustStart(Login{ACR: "1"})
	if again.ID != first.ID || v.cookies[cookie].Value == old || v.ends(again) != 12*time.Hour {
		t.Errorf("sid %s then %s, ends in %s", first.ID, again.ID, v.ends(again))
	}
}

// What is added to a session that was signed out meanwhile, on whichever node, does not
// bring it back.
func TestHoleStepUpRevivesASession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		u, err := st.CreateUser(t.Context(), store.User{Name: "bob"}, nil, store.Entry{})
		if err != nil {
			t.Fatal(err)
		}
		now := st.Now()
		in := store.StartSession{Session: store.Session{ID: "sid", SecretHash: []byte("a"), UserID: u.ID, SeenAt: now, IdleExpiresAt: now + 1000000, ExpiresAt: now + 1000000}}
		if err := st.StartSession(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		in.Continues, in.Session.SecretHash = "sid", []byte("b")
		if err := st.StartSession(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if err := st.EndSession(t.Context(), "sid", store.Entry{}); err != nil {
			t.Fatal(err)
		}
		in.Session.SecretHash = []byte("c")
		if err := st.StartSession(t.Context(), in); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v, want %v", err, store.ErrNotFound)
		}
		if _, _, err := st.SessionBySecret(t.Context(), []byte("c"), now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session is there again: %v", err)
		}
	})
}

func TestTheFirstRuleThatFitsDecidesHowLong(t *testing.T) {
	office := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	rules := Rules{
		{Groups: []string{"admins"}, Idle: Duration(10 * time.Minute), Absolute: Duration(time.Hour)},
		{Groups: []string{"partners"}, Networks: office, Absolute: Duration(4 * time.Hour), Ticket: true, Remember: Duration(48 * time.Hour)},
		{Networks: office, Idle: Duration(time.Hour)},
	}
	v := visit(t, rules)
	hour := func(h int) time.Time { return v.now.Add(time.Duration(h) * time.Hour) }
	for _, c := range []struct {
		what       string
		groups     []string
		address    string
		l          Login
		idle, last time.Duration
		remembered bool
	}{
		{"no rule", nil, "203.0.113.7", Login{}, 8 * time.Hour, 12 * time.Hour, false},
		{"by group", []string{"partners", "admins"}, "203.0.113.7", Login{}, 10 * time.Minute, time.Hour, false},
		{"by network", nil, "10.1.2.3", Login{}, time.Hour, 12 * time.Hour, false},
		{"by both", []string{"partners"}, "10.1.2.3", Login{}, 8 * time.Hour, 4 * time.Hour, false},
		{"only one of both", []string{"partners"}, "203.0.113.7", Login{}, 8 * time.Hour, 12 * time.Hour, false},
		{"the ticket's end", []string{"partners"}, "10.1.2.3", Login{TicketEnd: hour(2)}, 8 * time.Hour, 2 * time.Hour, false},
		{"the ticket's end where no rule says so", nil, "203.0.113.7", Login{TicketEnd: hour(2)}, 8 * time.Hour, 12 * time.Hour, false},
		{"remembered", []string{"partners"}, "10.1.2.3", Login{Remember: true}, 48 * time.Hour, 48 * time.Hour, true},
		{"remembered, but not after what proved it", []string{"partners"}, "10.1.2.3", Login{Remember: true, Until: hour(10)}, 48 * time.Hour, 10 * time.Hour, true},
		{"wants to be remembered where no rule lets them", nil, "10.1.2.3", Login{Remember: true}, time.Hour, 12 * time.Hour, false},
	} {
		v.bob.Groups, v.address, v.cookies = c.groups, c.address, map[string]*http.Cookie{}
		row := v.mustStart(c.l)
		idle := time.UnixMilli(row.IdleExpiresAt).Sub(v.now).Round(time.Minute)
		if idle != c.idle || v.ends(row) != c.last || row.Remembered != c.remembered {
			t.Errorf("%s: idle %s, absolute %s, remembered %v, want %s, %s, %v", c.what, idle, v.ends(row), row.Remembered, c.idle, c.last, c.remembered)
		}
		age := 0
		if c.remembered {
			age = int(c.last.Seconds())
		}
		if got := v.cookies[cookie].MaxAge; got > age || got < age-60 {
			t.Errorf("%s: the cookie lasts %d s, want %d", c.what, got, age)
		}
	}
	for _, c := range []struct {
		address string
		groups  []string // nil: nobody is known yet
		want    bool
	}{
		{"203.0.113.7", nil, false}, {"10.1.2.3", nil, true}, {"10.1.2.3", []string{"partners"}, true},
		{"10.1.2.3", []string{"staff"}, false}, {"10.1.2.3", []string{"admins", "partners"}, false},
	} {
		v.address = c.address
		var u *store.User
		if c.groups != nil {
			u = &store.User{Groups: c.groups}
		}
		v.ask(func(_ http.ResponseWriter, r *http.Request) {
			if got := v.MayRemember(r, u); got != c.want {
				t.Errorf("%s, groups %v: offered %v", c.address, c.groups, got)
			}
		})
	}
}

// A session goes on for as long as it is used, by its own limit: short ones, too.
func TestIdleLimits(t *testing.T) {
	for _, idle := range []time.Duration{time.Minute, 90 * time.Second, 10 * time.Minute, 8 * time.Hour} {
		v := visit(t, Rules{{Idle: Duration(idle), Absolute: Duration(100 * time.Hour)}})
		v.mustStart(Login{})
		for range 10 {
			v.now = v.now.Add(idle * 6 / 10)
			if v.current() == nil {
				t.Fatalf("idle %s: it ended while it was used", idle)
			}
		}
		v.now = v.now.Add(idle)
		if v.current() != nil {
			t.Errorf("idle %s: it goes on unused", idle)
		}
	}
}

func TestARememberedDevice(t *testing.T) {
	v := visit(t, Rules{{Remember: Duration(30 * 24 * time.Hour)}})
	first := v.mustStart(Login{Remember: true})
	v.now = v.now.Add(20 * 24 * time.Hour)
	if v.current() == nil {
		t.Fatal("it ended")
	}
	if row := v.mustStart(Login{Continues: first.ID}); !row.Remembered || row.ExpiresAt != first.ExpiresAt || v.cookies[cookie].MaxAge != 10*24*3600 {
		t.Errorf("after a step-up: %+v, cookie %+v", row, v.cookies[cookie])
	}
	if row := v.mustStart(Login{Ticket: true, Until: v.now.Add(time.Hour), TicketEnd: v.now.Add(time.Hour)}); !row.Remembered || row.ExpiresAt != first.ExpiresAt || row.TicketEnd != 0 {
		t.Errorf("after a ticket: %+v", row)
	}
	if row := v.mustStart(Login{}); row.Remembered || v.ends(row) != 12*time.Hour || v.cookies[cookie].MaxAge != 0 {
		t.Errorf("after a login without the wish: %+v", row)
	}
	v.mustStart(Login{Remember: true})
	was := v.cookies[cookie]
	v.ask(func(w http.ResponseWriter, r *http.Request) {
		c, err := v.Current(r)
		if err == nil {
			err = v.End(w, r, c)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if v.cookies[cookie] != nil {
		t.Error("the cookie stays after the sign-out")
	}
	if v.cookies[cookie] = was; v.current() != nil {
		t.Error("its session stays after the sign-out")
	}
	v.mustStart(Login{Remember: true})
	if err := v.Store.SetPassword(t.Context(), v.bob.ID, "$new", store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if v.current() != nil {
		t.Error("it outlives the password")
	}
}

// The browser remembers whose passwords were right in it, the last four, and no names.
func TestTheBrowserKnowsAccounts(t *testing.T) {
	v := visit(t, nil)
	for _, account := range []string{"a", "b", "c", "d", "b", "e", ""} {
		v.mustStart(Login{Account: account})
	}
	var b *Browser
	v.ask(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if b, err = v.Browser(w, r); err != nil {
			t.Error(err)
		}
	})
	for account, want := range map[string]bool{"a": false, "b": true, "c": true, "d": true, "e": true, "": false, "f": false} {
		if b.Knows(account) != want {
			t.Errorf("%q: %v, want %v", account, !want, want)
		}
	}
	if !b.Had(v.current().ID) {
		t.Error("it has forgotten its last session")
	}
	other := newBrowser(secret.Token())
	other.accounts = b.accounts
	if other.Knows("b") {
		t.Error("what one browser knows counts in another")
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	d := func(h time.Duration) Duration { return Duration(h) }
	for name, c := range map[string]struct {
		r    Rule
		want string
	}{
		"fine":      {Rule{Idle: d(time.Hour), Absolute: d(2 * time.Hour), Remember: d(720 * time.Hour)}, ""},
		"nothing":   {Rule{}, ""},
		"too short": {Rule{Idle: d(time.Second)}, "idle"},
		"negative":  {Rule{Absolute: d(-time.Hour), Idle: d(time.Hour)}, "absolute"},
		"idle":      {Rule{Absolute: d(time.Hour)}, "idle"},
		"remember":  {Rule{Remember: d(time.Hour)}, "remember"},
	} {
		got := Rules{c.r}.Problems(8*time.Hour, 12*time.Hour)
		if (c.want == "") != (len(got) == 0) || (len(got) > 0 && got[0].Field != c.want) {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}

// What sites got by a session must not end before it.
func TestTheLongestSession(t *testing.T) {
	rules := Rules{{Absolute: Duration(time.Hour)}, {Absolute: Duration(20 * time.Hour)}, {Remember: Duration(720 * time.Hour)}}
	for i, want := range []time.Duration{12 * time.Hour, 12 * time.Hour, 20 * time.Hour, 720 * time.Hour} {
		if got := rules[:i].Longest(12 * time.Hour); got != want {
			t.Errorf("of %d rules: %s, want %s", i, got, want)
		}
	}
}
