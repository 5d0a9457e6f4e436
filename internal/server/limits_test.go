package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// differs is what may be another in two answers to the same mistake.
var differs = []*regexp.Regexp{
	regexp.MustCompile(`name="form_token" value="[^"]*"`), regexp.MustCompile(`name="login" value="[^"]*"`),
	regexp.MustCompile(`login=[A-Za-z0-9_-]{22}`), regexp.MustCompile(`Reference: [^<]*`),
	regexp.MustCompile(`&#34;challenge&#34;:&#34;[A-Za-z0-9_-]+&#34;`),
}

func alike(body, name string) string {
	for _, re := range differs {
		body = re.ReplaceAllString(body, "…")
	}
	return strings.ReplaceAll(body, name, "NAME")
}

// Whether a name is known here, at the KDC, nowhere, is disabled or locked: by form and
// by prompt the answers are the same to the byte, as often as somebody asks.
func TestHoleEnumerationByText(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	if err := realm.Kadmin("addprinc -pw x gone\nmodprinc -allow_tix gone\naddprinc -pw x lapsed\nmodprinc -expire 2020-01-01 lapsed\n"); err != nil {
		t.Fatal(err)
	}
	addUser(t, s, "shut")
	if err := s.Store().SetDisabled(t.Context(), s.User("shut").ID, true, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	passwords := map[string]string{"shut": idptest.BobPassword, "gone": "x", "lapsed": "x"} // right, and of no use
	var mu sync.Mutex
	answers := map[string]string{}
	// answered asks by form and by prompt with the same password, which counts once.
	answered := func(t *testing.T, name, password string, round int) {
		b := s.Browser(t)
		byForm := b.LogIn(b.Get("/login"), name, password)
		c := s.Browser(t)
		step := c.Get("/login/negotiate").Request.URL.String()
		byPrompt := c.Once("GET", step, nil, http.Header{"Authorization": {idptest.Basic(name, password)}})
		mu.Lock()
		defer mu.Unlock()
		for how, p := range map[string]*idptest.Page{"form": byForm, "prompt": byPrompt} {
			got := fmt.Sprint(p.StatusCode, len(p.Header), "\n") + alike(p.Body, name)
			if !strings.Contains(got, "wrong") {
				t.Errorf("%s %d: %s was not refused as wrong:\n%s", how, round, name, got)
			}
			at := fmt.Sprint(how, round)
			if answers[at] == "" {
				answers[at] = got
			}
			if got != answers[at] {
				t.Errorf("%s %d: %s is answered differently:\n%s\nand another name:\n%s", how, round, name, got, answers[at])
			}
		}
	}
	t.Run("names", func(t *testing.T) {
		for _, name := range []string{"bob", "shut", "alice", "gone", "lapsed", "nobody", "nobody@EXAMPLE.TEST", "ghost", "x@elsewhere.example"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for i := range 5 {
					password := fmt.Sprint("wrong ", i)
					if right, ok := passwords[name]; ok && i == 1 {
						password = right
					}
					answered(t, name, password, i)
				}
			})
		}
	})
	answered(t, "BOB", "wrong", 4) // counts with bob, whether there is one or not
	answered(t, "GHOST", "wrong", 4)
}

// The address is counted on every path alike, and a browser in which somebody has
// logged in goes on.
func TestAddressThatTriesNames(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "limits: {per_address_inside: 4}\n")
	home := s.Browser(t)
	if p := home.LogIn(home.Get("/login"), "bob", idptest.BobPassword); p.Request.URL.Path != "/account" {
		t.Fatalf("led to %s", p.Request.URL)
	}
	home.Post("/end_session", signOutForm(t, home))
	for i := range 2 {
		b := s.Browser(t)
		b.LogIn(b.Get("/login"), fmt.Sprint("form", i), "Winter2026")
		s.Program(t).GetWith("/login/negotiate", idptest.Basic(fmt.Sprint("prompt", i), "Winter2026"))
	}
	const full = "Too many wrong passwords came from your network"
	b := s.Browser(t)
	if p := b.LogIn(b.Get("/login"), "bob", idptest.BobPassword); !strings.Contains(p.Body, full) {
		t.Errorf("by form, after four names: %s", p.Body)
	}
	if p := s.Program(t).GetWith("/login/negotiate", idptest.Basic("alice", krbtest.AlicePassword)); p.StatusCode != 401 || !strings.Contains(p.Body, full) {
		t.Errorf("by prompt, after four names: %d %s", p.StatusCode, p.Body)
	}
	if n := len(s.Log.Lines("reason=TOO_MANY_FROM_ADDRESS", "4 wrong passwords from 127.0.0.1")); n != 2 {
		t.Errorf("%d log lines say why, want 2", n)
	}
	if p := home.LogIn(home.Get("/login"), "bob", idptest.BobPassword); p.Request.URL.Path != "/account" {
		t.Errorf("the browser that bob has logged in with: %s", p.Body)
	}
}

func signOutForm(t *testing.T, b *idptest.Browser) url.Values {
	t.Helper()
	_, form := b.Get("/end_session").Form(t, "form_token")
	return form
}

// The choice is there where a rule lets somebody have it, and counts.
func TestDeviceIsRememberedByChoice(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: "sessions: [{groups: [partners], remember: 720h}]\n"})
	addUser(t, s, "eve") // of no group
	logIn := func(name, remember string) (*idptest.Browser, *http.Cookie) {
		t.Helper()
		b := s.Browser(t)
		page := b.Get("/login")
		action, form := page.Form(t, "remember")
		form.Set("username", name)
		form.Set("password", idptest.BobPassword)
		form.Set("remember", remember)
		p := b.Once("POST", action, form, nil)
		for _, c := range p.Cookies() {
			if c.Name == "idp_session" {
				return b, c
			}
		}
		t.Fatalf("no session: %d %s", p.StatusCode, p.Body)
		return nil, nil
	}
	month := int((720 * time.Hour).Seconds())
	b, c := logIn("bob", "1")
	if c.MaxAge > month || c.MaxAge < month-60 {
		t.Errorf("bob's cookie lasts %d s, want %d", c.MaxAge, month)
	}
	if p := b.Get("/login?x"); !strings.Contains(p.Request.URL.Path, "/account") {
		t.Errorf("led to %s", p.Request.URL)
	}
	auth := idptest.Wiki()
	auth.Query.Set("prompt", "login")
	if p := b.Get(auth.URL()); !strings.Contains(p.Body, `value="1" checked`) {
		t.Errorf("who confirms loses the choice:\n%s", p.Body)
	}
	if _, c := logIn("bob", ""); c.MaxAge != 0 {
		t.Errorf("unasked bob's cookie lasts %d s", c.MaxAge)
	}
	if _, c := logIn("eve", "1"); c.MaxAge != 0 {
		t.Errorf("eve, whom no rule lets, has a cookie for %d s", c.MaxAge)
	}
	plain := idptest.Start(t, idptest.Options{})
	if p := plain.Browser(t).Get("/login"); strings.Contains(p.Body, "remember") {
		t.Error("offered without a rule")
	}
}
