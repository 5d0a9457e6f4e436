package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
)

// discovery: all that a relying party is told is the issuer.
func (t *teller) discovery(ctx context.Context) error {
	t.step("The sites know nothing but the issuer's address; the rest they read there")
	w, err := t.curl(ctx, t.jar("nobody"), t.Issuer+"/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	var d struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	t.check(json.Unmarshal([]byte(w.body), &d) == nil && d.Issuer == t.Issuer, "discovery names the issuer %s", t.Issuer)
	if w, err = t.curl(ctx, t.jar("nobody"), d.JWKSURI); err != nil {
		return err
	}
	var set struct {
		Keys []struct{ Kid, Alg, D string }
	}
	found := json.Unmarshal([]byte(w.body), &set) == nil
	var algs []string
	for _, k := range set.Keys {
		fmt.Fprintf(t.Out, "        key %s for %s\n", k.Kid, k.Alg)
		algs = append(algs, k.Alg)
		found = found && k.D == "" // the private part
	}
	t.check(found && slices.Contains(algs, "ES256") && slices.Contains(algs, "RS256"), "the public keys for ES256 and RS256 are there, and no private one")
	return nil
}

// kinit gets alice's ticket as she would at her desk in the morning.
func (t *teller) kinit(ctx context.Context) error {
	principal := "alice@" + t.Realm
	fmt.Fprintf(t.Out, "   $ kinit %s\n", principal)
	cmd := exec.CommandContext(ctx, "kinit", "-c", t.ccache(), principal) //nolint:gosec // no shell
	cmd.Env = t.env()
	cmd.Stdin = strings.NewReader(t.AlicePassword + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kinit: %w: %s", err, stderr.String())
	}
	return nil
}

func (t *teller) ticketAtWiki(ctx context.Context) error {
	t.step("alice has a Kerberos ticket: Wiki logs her in, and she sees no page")
	if err := t.kinit(ctx); err != nil {
		return err
	}
	w, err := t.curl(ctx, t.jar("alice"), t.Wiki+"/")
	if err != nil {
		return err
	}
	t.check(w.last().status == 401 && slices.Contains(w.offers(), "Negotiate"), "idp asks for a ticket: 401, WWW-Authenticate: Negotiate")
	t.check(soundCookies(w, strings.HasPrefix(t.Issuer, "https:")), "its cookies are HttpOnly, SameSite=Lax and, with https, Secure and __Host-")
	fmt.Fprintln(t.Out, "   A browser answers that by itself. curl sends tickets to the host of its first address only, so it starts there again:")
	if w, err = t.curl(ctx, t.jar("alice"), w.url, "--negotiate", "-u", ":"); err != nil {
		return err
	}
	t.check(w.straight(), "nothing but redirects on the way: no page, no prompt")
	t.check(provedItself(w), "idp proved itself to alice as well (its own token: mutual authentication)")
	_, err = t.loggedIn(ctx, w, t.jar("alice"), t.Wiki, "wiki", "alice", "wia")
	return err
}

// soundCookies: every cookie of the walk is as guarded as it can be.
func soundCookies(w *walk, https bool) bool {
	seen := 0
	for _, a := range w.answers {
		for _, line := range a.header.Values("Set-Cookie") {
			c, err := http.ParseSetCookie(line)
			if err != nil || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" ||
				c.Secure != https || strings.HasPrefix(c.Name, "__Host-") != https {
				return false
			}
			seen++
		}
	}
	return seen > 0
}

// provedItself: an answer carried the server's own token, RFC 4559 §5.
func provedItself(w *walk) bool {
	return slices.ContainsFunc(w.answers, func(a answer) bool {
		return a.status != 401 && strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Negotiate ")
	})
}

func (t *teller) nothingAtTickets(ctx context.Context) error {
	t.step("She goes on to Tickets: she is known there already, without ticket or password", "(the same cookie jar; curl is given no credentials)")
	w, err := t.curl(ctx, t.jar("alice"), t.Tickets+"/")
	if err != nil {
		return err
	}
	t.check(w.straight(), "nothing but redirects on the way")
	c, err := t.loggedIn(ctx, w, t.jar("alice"), t.Tickets, "tickets", "alice", "wia")
	if err != nil || c.Subject == "" {
		return err
	}
	wiki, err := t.whoAmI(ctx, t.jar("alice"), t.Wiki)
	if err != nil {
		return err
	}
	t.check(c.Subject == wiki.Subject && c.AuthTime == wiki.AuthTime, "the same sub and the same login as at Wiki")
	return nil
}

// challenged opens Wiki in a browser without a ticket and returns the 401.
func (t *teller) challenged(ctx context.Context, jar string) (*walk, error) {
	w, err := t.curl(ctx, jar, t.Wiki+"/")
	if err != nil {
		return nil, err
	}
	for _, line := range w.offers() {
		fmt.Fprintf(t.Out, "        WWW-Authenticate: %s\n", line)
	}
	offers := w.offers()
	t.check(w.last().status == 401 && len(offers) == 2 && offers[0] == "Negotiate" && strings.HasPrefix(offers[1], "Basic realm="),
		"the 401 offers Negotiate and Basic, each on a line of its own: the browser opens its prompt")
	return w, nil
}

func (t *teller) wrongPassword(ctx context.Context) error {
	t.step("A colleague without a ticket gets a prompt, and types a wrong password")
	jar := t.jar("colleague")
	w, err := t.challenged(ctx, jar)
	if err != nil {
		return err
	}
	if w, err = t.curl(ctx, jar, w.url, "-u", "alice:not-her-password"); err != nil {
		return err
	}
	t.check(w.last().status == 401 && len(w.offers()) == 0, "refused by a 401 that asks for nothing: browsers forget the wrong password")
	t.check(strings.Contains(w.body, `name="password"`), "its body is the login page, to try again")
	return nil
}

func (t *teller) passwordPrompt(ctx context.Context) error {
	t.step("alice at a machine without a ticket: the prompt, and the KDC checks her password")
	jar := t.jar("alice-elsewhere")
	w, err := t.challenged(ctx, jar)
	if err != nil {
		return err
	}
	if w, err = t.curl(ctx, jar, w.url, "-u", "alice:"+t.AlicePassword); err != nil {
		return err
	}
	c, err := t.loggedIn(ctx, w, jar, t.Wiki, "wiki", "alice", "pwd")
	if err != nil || c.Subject == "" {
		return err
	}
	byTicket, err := t.whoAmI(ctx, t.jar("alice"), t.Wiki)
	if err != nil {
		return err
	}
	t.check(c.Subject == byTicket.Subject, "she is the same person as with the ticket (same sub)")
	return nil
}

func (t *teller) loginForm(ctx context.Context) error {
	t.step("bob is no employee: he cancels the prompt and fills in the form below it")
	jar := t.jar("bob")
	w, err := t.curl(ctx, jar, t.Wiki+"/")
	if err != nil {
		return err
	}
	action, fields, ok := loginFormOf(w.body)
	t.check(ok, "the body of the 401 is a login form")
	if !ok {
		return nil
	}
	args := []string{"--data-urlencode", "username=bob", "--data-urlencode", "password=" + t.BobPassword}
	for _, f := range fields {
		args = append(args, "--data-urlencode", f)
	}
	if w, err = t.curl(ctx, jar, resolve(w.url, action), args...); err != nil {
		return err
	}
	_, err = t.loggedIn(ctx, w, jar, t.Wiki, "wiki", "bob", "pwd")
	return err
}

func (t *teller) signOut(ctx context.Context) error {
	t.step("alice signs out at Wiki, which tells idp")
	w, err := t.curl(ctx, t.jar("alice"), t.Wiki+"/sign-out", "--data", "")
	if err != nil {
		return err
	}
	t.check(w.last().status == 200 && w.url == t.Wiki+"/signed-out", "idp ended its session and sent her back to Wiki")
	if w, err = t.fetch(ctx, []string{"-b", t.jar("alice")}, t.Wiki+"/whoami"); err != nil {
		return err
	}
	t.check(w.last().status == 401, "Wiki knows nobody any more")
	return nil
}

func (t *teller) staysSignedOut(ctx context.Context) error {
	t.step("She stays signed out: her ticket is still good, and is not asked for")
	w, err := t.curl(ctx, t.jar("alice"), t.Wiki+"/")
	if err != nil {
		return err
	}
	t.check(w.last().status == 200 && host(w.url) == host(t.Issuer+"/login"), "the login page, with a status of 200 and no challenge")
	t.check(len(w.offers()) == 0 && strings.Contains(w.body, `name="password"`), "whoever comes next can log in as somebody else")
	return nil
}
