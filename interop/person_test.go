//go:build interop

package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

// person is what the relying party wiki learns of who logged in.
type person struct {
	Sub      string   `json:"sub"`
	Name     string   `json:"preferred_username"`
	FullName string   `json:"name"`
	Groups   []string `json:"groups"`
	method   []string // amr
}

// byTicket logs a new browser in at the wiki with a ticket and says who arrived.
func byTicket(t *testing.T, s *idptest.Server, ticket *krbtest.Ticket) person {
	t.Helper()
	return by(t, s, idptest.Negotiate(t, ticket))
}

// by logs a new browser in at the wiki with an Authorization header.
func by(t *testing.T, s *idptest.Server, header string) person {
	t.Helper()
	b, auth := s.Browser(t), idptest.Wiki()
	challenge := b.Get(auth.URL())
	p := b.GetWith(challenge.Request.URL.String(), header)
	if p.Location == nil {
		t.Fatalf("not logged in: %d at %s\n%s", p.StatusCode, p.Walked, strings.Join(s.Log.Lines("reason="), "\n"))
	}
	return redeem(t, s, auth, auth.Code(t, s, p))
}

// redeem exchanges a code as a relying party does, and asks userinfo.
func redeem(t *testing.T, s *idptest.Server, auth *idptest.Auth, code string) person {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": auth.Query["redirect_uri"], "code_verifier": {auth.Verifier}}
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	call(t, s, "POST", "/token", form, func(r *http.Request) { r.SetBasicAuth(auth.Query.Get("client_id"), idptest.WikiSecret) }, &tokens)
	var who person
	call(t, s, "GET", "/userinfo", nil, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tokens.Access) }, &who)
	part := strings.Split(tokens.ID, ".")
	if len(part) != 3 {
		t.Fatalf("id_token %q", tokens.ID)
	}
	claims, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	var id struct {
		Sub string   `json:"sub"`
		AMR []string `json:"amr"`
	}
	if err := json.Unmarshal(claims, &id); err != nil || id.Sub != who.Sub || who.Sub == "" {
		t.Fatalf("sub %q at userinfo, %q in the ID token (%v)", who.Sub, id.Sub, err)
	}
	who.method = id.AMR
	return who
}

func call(t *testing.T, s *idptest.Server, method, path string, form url.Values, edit func(*http.Request), into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	edit(req)
	resp, err := (&http.Client{Transport: idptest.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body := idptest.ReadAll(t, resp)
	if err := json.Unmarshal([]byte(body), into); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, body)
	}
}

// refused brings a credential that must not log in, and wants this reason in the
// log line of the request, and in the audit entry.
func refused(t *testing.T, s *idptest.Server, header, reason string) {
	t.Helper()
	said := saying(s, reason)
	p := s.Program(t).GetWith("/login/negotiate", header)
	// No new challenge; at most the KRB-ERROR that tells a library what it can mend.
	if h := p.Header.Values("WWW-Authenticate"); p.StatusCode != http.StatusUnauthorized || len(h) > 1 || len(h) == 1 && !strings.HasPrefix(h[0], "Negotiate ") {
		t.Errorf("%d, WWW-Authenticate %q: want a 401 without a challenge", p.StatusCode, h)
	}
	said(t)
}

// refusedForm types a name and a password into the form, with the same wish.
func refusedForm(t *testing.T, s *idptest.Server, name, password, reason string) {
	t.Helper()
	said := saying(s, reason)
	b := s.Browser(t)
	if p := b.LogIn(b.Get("/login"), name, password); p.Request.URL.Path != "/login" {
		t.Errorf("the form leads to %s, want the form again", p.Request.URL.Path)
	}
	said(t)
}

// saying returns a check that one log line and one audit entry more than now
// say a reason.
func saying(s *idptest.Server, reason string) func(*testing.T) {
	lines := func() []string { return s.Log.Lines("msg=request", "reason="+reason) }
	before := len(lines())
	return func(t *testing.T) {
		t.Helper()
		if now := len(lines()); now != before+1 {
			t.Errorf("%d log lines say reason=%s, want one more than %d; the last of any reason: %s", now, reason, before, lastReason(s))
		}
		entries, err := s.Store().Entries(t.Context(), store.Filter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 || entries[0].Reason != reason {
			t.Errorf("the last audit entry is %+v, want the reason %s", entries, reason)
		}
	}
}

func lastReason(s *idptest.Server) string {
	lines := s.Log.Lines("reason=")
	if len(lines) == 0 {
		return "none"
	}
	return lines[len(lines)-1]
}

// negotiate is the Authorization header of a token.
func negotiate(token []byte) string {
	return "Negotiate " + base64.StdEncoding.EncodeToString(token)
}
