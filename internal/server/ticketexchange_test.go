package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"idp/internal/audit"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const (
	ledger     = "https://ledger.example.com"
	archive    = "https://archive.example.com"
	ticketType = "urn:idp:params:oauth:token-type:kerberos"
)

// ticketClients may show tickets, and one of them may not.
const ticketClients = `  - client_id: cli
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: openid profile read
    ticket_exchange: [` + ledger + `]
  - client_id: cron
    client_secret_file: wiki.secret
    token_endpoint_auth_method: client_secret_post
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: read
    ticket_exchange: [` + ledger + `]
    allow_groups: [operators]
  - client_id: front
    client_secret_file: wiki.secret
    token_endpoint_auth_method: client_secret_post
    redirect_uris: [http://front.localhost/callback]
    exchange: [{audience: ` + ledger + `, scopes: [read]}]
  - client_id: ` + ledger + `
    client_secret_file: wiki.secret
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    exchange: [{audience: ` + archive + `, scopes: [read], from: [` + ledger + `]}]
`

const ticketResources = "resources: [{uri: " + ledger + "}, {uri: " + archive + "}]\n"

// programs runs a test with a realm, and a server on each database whose clients may
// show its tickets.
func programs(t *testing.T, more string, test func(t *testing.T, realm *krbtest.Realm, s *idptest.Server)) {
	t.Helper()
	realm := krbtest.Start(t, krbtest.Options{})
	idptest.Each(t, idptest.Options{Clients: ticketClients, YAML: idptest.KerberosYAML(realm) + ticketResources + more},
		func(t *testing.T, s *idptest.Server) { test(t, realm, s) })
}

// ticketForm asks for a token for the ledger by a ticket; pairs change it, an empty
// value removes.
func ticketForm(client string, pairs ...string) url.Values {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {ticketType}, "audience": {ledger}, "client_id": {client}}
	if client != "cli" {
		form.Set("client_secret", idptest.WikiSecret)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form
}

// postTicket posts it with an Authorization header, empty for none.
func postTicket(t *testing.T, s *idptest.Server, authorization string, form url.Values, header http.Header) *idptest.Page {
	t.Helper()
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if authorization != "" {
		h.Set("Authorization", authorization)
	}
	return s.Program(t).Once(http.MethodPost, "/token", form, h)
}

// answerOf reads a JSON answer.
func answerOf(t *testing.T, p *idptest.Page) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(p.Body), &out); err != nil {
		t.Fatalf("%d %s: %v", p.StatusCode, p.Body, err)
	}
	return out
}

// verified are the claims of a token for an audience, as a back end reads them.
func verified(t *testing.T, s *idptest.Server, audience string, token any) map[string]any {
	t.Helper()
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: idptest.Transport()})
	provider, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := token.(string)
	jwt, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{"ES256", "RS256"}}).Verify(ctx, text)
	if err != nil {
		t.Fatalf("token %q: %v", text, err)
	}
	claims := map[string]any{}
	if err := jwt.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// active asks as the ledger whether a token is good.
func active(t *testing.T, s *idptest.Server, token any) bool {
	t.Helper()
	text, _ := token.(string)
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(ledger) + ":" + idptest.WikiSecret))
	p := s.Program(t).Once(http.MethodPost, "/introspect", url.Values{"token": {text}}, http.Header{"Authorization": {"Basic " + basic}})
	is, ok := answerOf(t, p)["active"].(bool)
	if p.StatusCode != http.StatusOK || !ok {
		t.Fatalf("introspection: %d %s", p.StatusCode, p.Body)
	}
	return is
}

func TestTicketIsExchangedForATokenOfABackEnd(t *testing.T) {
	t.Parallel()
	programs(t, "", func(t *testing.T, realm *krbtest.Realm, s *idptest.Server) {
		ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
		p := postTicket(t, s, "", ticketForm("cli"), nil)
		if got := p.Header.Values("WWW-Authenticate"); p.StatusCode != http.StatusUnauthorized || cmp.Diff([]string{"Negotiate"}, got) != "" {
			t.Errorf("without a ticket: %d %q", p.StatusCode, got)
		}
		p = postTicket(t, s, idptest.Negotiate(t, ticket), ticketForm("cli"), nil)
		if p.StatusCode != http.StatusOK || !strings.HasPrefix(p.Header.Get("WWW-Authenticate"), "Negotiate o") || p.Header.Get("Cache-Control") != "no-store" || p.Header.Get("Set-Cookie") != "" {
			t.Fatalf("%d %v %s", p.StatusCode, p.Header, p.Body)
		}
		got := answerOf(t, p)
		access, id := verified(t, s, ledger, got["access_token"]), verified(t, s, "cli", got["id_token"])
		alice := s.User("alice")
		if got["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" || got["token_type"] != "Bearer" || got["scope"] != "openid profile read" || got["refresh_token"] != nil {
			t.Errorf("%s", p.Body)
		}
		if access["sub"] != alice.ID || access["client_id"] != "cli" || access["preferred_username"] != "alice" || access["sid"] != nil || access["act"] != nil ||
			access["acr"] != "1" || cmp.Diff([]any{"wia"}, access["amr"]) != "" || access["auth_time"] == nil {
			t.Errorf("access token %v", access)
		}
		if id["sub"] != alice.ID || id["sid"] != nil || cmp.Diff([]any{"wia"}, id["amr"]) != "" {
			t.Errorf("ID token %v", id)
		}
		if !active(t, s, got["access_token"]) {
			t.Error("it is not active")
		}
		if info := s.Program(t).Once(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + got["access_token"].(string)}}); info.StatusCode != http.StatusUnauthorized {
			t.Errorf("userinfo takes it: %d", info.StatusCode)
		}
		entries, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.Login})
		if err != nil || len(entries) != 1 || entries[0].Actor != "alice" || entries[0].UserID != alice.ID || entries[0].ClientID != "cli" || entries[0].Detail != "ticket" || entries[0].SessionID != "" {
			t.Errorf("audit: %v %v", entries, err)
		}
		if sessions, err := s.Store().SessionsOf(t.Context(), alice.ID); err != nil || len(sessions) != 0 {
			t.Errorf("sessions: %v %v", sessions, err)
		}
		// A back end goes on with it.
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
			"subject_token": {got["access_token"].(string)}, "audience": {archive}}
		basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(ledger) + ":" + idptest.WikiSecret))
		p = postTicket(t, s, "Basic "+basic, form, nil)
		next := verified(t, s, archive, answerOf(t, p)["access_token"])
		if d := cmp.Diff(map[string]any{"sub": ledger}, next["act"]); d != "" || next["sub"] != alice.ID || next["preferred_username"] != "alice" || next["scope"] != "read" {
			t.Errorf("%v %s", next, d)
		}
		disable(t, s, "alice")
		if active(t, s, got["access_token"]) {
			t.Error("the user is disabled, and the token is active")
		}
	})
}

// TestHoleTicketExchangeOffByDefault: nothing of it is there for a client that is not
// registered for it, and nothing for another audience.
func TestHoleTicketExchangeOffByDefault(t *testing.T) {
	t.Parallel()
	programs(t, "", func(t *testing.T, realm *krbtest.Realm, s *idptest.Server) {
		ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
		for name, c := range map[string]struct {
			form url.Values
			code string
		}{
			"a client that logs people in":   {ticketForm("front"), "unauthorized_client"},
			"a client with an exchange only": {ticketForm(ledger), "invalid_client"}, // it authenticates in the header
			"another audience":               {ticketForm("cli", "audience", archive), "invalid_target"},
			"an unknown audience":            {ticketForm("cli", "audience", "https://evil.example"), "invalid_target"},
			"this issuer":                    {ticketForm("cli", "audience", s.Issuer), "invalid_target"},
			"no audience":                    {ticketForm("cli", "audience", ""), "invalid_target"},
			"two audiences":                  {ticketForm("cli", "resource", archive), "invalid_target"},
			"a scope that is not its own":    {ticketForm("cli", "scope", "delete"), "invalid_scope"},
			"an unknown client":              {ticketForm("nobody"), "invalid_client"},
			"a wrong secret":                 {ticketForm("cron", "client_secret", "wrong"), "invalid_client"},
			"a subject token as well":        {ticketForm("cli", "subject_token", "x"), "invalid_request"},
			"an actor":                       {ticketForm("cli", "actor_token", "x"), "invalid_request"},
			"for a refresh token":            {ticketForm("cli", "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
		} {
			p := postTicket(t, s, idptest.Negotiate(t, ticket), c.form, nil)
			if got := answerOf(t, p); got["error"] != c.code || strings.Contains(strings.Join(p.Header.Values("WWW-Authenticate"), ","), "Negotiate") {
				t.Errorf("%s: %d %v %s, want %s", name, p.StatusCode, p.Header.Values("WWW-Authenticate"), p.Body, c.code)
			}
		}
		// No other grant is challenged, and a ticket beside one counts for nothing.
		for _, form := range []url.Values{
			{"grant_type": {"client_credentials"}, "client_id": {"front"}, "client_secret": {idptest.WikiSecret}},
			ticketForm("front", "subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
			ticketForm("cli", "subject_token_type", ""),
			ticketForm("front"),
		} {
			for _, authorization := range []string{"", idptest.Negotiate(t, ticket)} {
				if p := postTicket(t, s, authorization, form, nil); p.StatusCode == http.StatusOK || p.Header.Get("WWW-Authenticate") != "" {
					t.Errorf("%v: %d %v", form, p.StatusCode, p.Header)
				}
			}
		}
		if _, err := s.Store().UserByName(t.Context(), "alice"); err == nil {
			t.Error("alice's ticket was looked at")
		}
	})
}

// TestHoleTicketOfABrowser: a page that somebody looks at must not use their ticket.
func TestHoleTicketOfABrowser(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{Clients: ticketClients, YAML: idptest.KerberosYAML(realm) + ticketResources})
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	for _, h := range []http.Header{
		{"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {"Origin": {""}}, {"Origin": {s.Issuer}},
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-origin"}}, {"Sec-Fetch-Mode": {"cors"}}, {"Sec-Fetch-Dest": {"empty"}}, {"Sec-Fetch-User": {"?1"}},
		{"User-Agent": {"Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko"}}, {"Referer": {"https://evil.example/"}},
	} {
		for _, authorization := range []string{"", idptest.Negotiate(t, ticket)} {
			p := postTicket(t, s, authorization, ticketForm("cli"), h)
			if p.StatusCode != http.StatusBadRequest || len(p.Header.Values("WWW-Authenticate")) != 0 || !strings.Contains(p.Body, "not for browsers") {
				t.Errorf("%v: %d %v %s", h, p.StatusCode, p.Header, p.Body)
			}
		}
	}
	if _, err := s.Store().UserByName(t.Context(), "alice"); err == nil {
		t.Error("alice's ticket was looked at")
	}
	if p := s.Program(t).Once(http.MethodOptions, "/token", nil, http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}}); p.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("a page of another site may send credentials")
	}
}

// TestHoleReplayedTicketExchange: a token is good once, on all nodes and at all doors.
func TestHoleReplayedTicketExchange(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	o := idptest.Options{Clients: ticketClients, YAML: idptest.KerberosYAML(realm) + ticketResources}
	storetest.EachURL(t, func(t *testing.T, database string) {
		o := o
		o.Database = database
		s := idptest.Start(t, o)
		token := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
		if p := postTicket(t, s, token, ticketForm("cli"), nil); p.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", p.StatusCode, p.Body)
		}
		o.Beside = s
		other := idptest.Start(t, o)
		for name, node := range map[string]*idptest.Server{"here": s, "there": other} {
			p := postTicket(t, node, token, ticketForm("cli"), nil)
			if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "REPLAY") || p.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: %d %v %s", name, p.StatusCode, p.Header.Values("WWW-Authenticate"), p.Body)
			}
		}
		if p := s.Program(t).Once(http.MethodGet, "/login/negotiate", nil, http.Header{"Authorization": {token}}); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("at the login page: %d", p.StatusCode)
		}
		entries, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
		if err != nil || len(entries) != 3 || entries[2].Reason != "REPLAY" || entries[2].ClientID != "cli" {
			t.Errorf("audit: %v %v", entries, err)
		}
	})
}

func TestTicketExchangesThatAreRefused(t *testing.T) {
	t.Parallel()
	programs(t, "", func(t *testing.T, realm *krbtest.Realm, s *idptest.Server) {
		for authorization, code := range map[string]string{
			"Negotiate":      "MALFORMED_TOKEN",
			"Negotiate !":    "MALFORMED_TOKEN",
			"Negotiate YII=": "MALFORMED_TOKEN",
			"Negotiate " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x01\x00\x00\x00")): "NTLM_TOKEN",
			"Bearer x": "Authorization: Negotiate",
			"Basic " + base64.StdEncoding.EncodeToString([]byte("cli:")): "",
		} {
			p := postTicket(t, s, authorization, ticketForm("cli"), nil)
			if p.StatusCode == http.StatusOK || !strings.Contains(p.Body, code) || strings.Contains(strings.Join(p.Header.Values("WWW-Authenticate"), ","), "Negotiate") {
				t.Errorf("%s: %d %v %s", authorization, p.StatusCode, p.Header.Values("WWW-Authenticate"), p.Body)
			}
		}
		failed, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
		if err != nil || len(failed) != 1 || failed[0].Reason != "NTLM_TOKEN" { // what is no ticket is a line in the log
			t.Errorf("audit: %v %v", failed, err)
		}
		ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
		if p := postTicket(t, s, idptest.Negotiate(t, ticket), ticketForm("cron"), nil); p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "may not use this client") {
			t.Errorf("not in allow_groups: %d %s", p.StatusCode, p.Body)
		}
		entries, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.Login})
		if err != nil || len(entries) != 0 {
			t.Errorf("audit: %v %v", entries, err)
		}
		disable(t, s, "alice")
		if p := postTicket(t, s, idptest.Negotiate(t, ticket), ticketForm("cli"), nil); p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "USER_DISABLED") {
			t.Errorf("disabled: %d %s", p.StatusCode, p.Body)
		}
	})
}

// TestHoleTicketExchangeBesideTheRules: what a rule wants of a login, a ticket alone
// does not get here either; nor who is not inside.
func TestHoleTicketExchangeBesideTheRules(t *testing.T) {
	t.Parallel()
	programs(t, "factors: [{clients: [cli], acr: mfa}]\n", func(t *testing.T, realm *krbtest.Realm, s *idptest.Server) {
		ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
		p := postTicket(t, s, idptest.Negotiate(t, ticket), ticketForm("cli"), nil)
		if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "FACTOR_NEEDED") || p.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%d %v %s", p.StatusCode, p.Header, p.Body)
		}
		entries, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
		if err != nil || len(entries) != 1 || entries[0].Reason != "FACTOR_NEEDED" {
			t.Errorf("audit: %v %v", entries, err)
		}
		for _, authorization := range []string{"", idptest.Negotiate(t, ticket)} { // through a proxy that nobody told us of
			p := postTicket(t, s, authorization, ticketForm("cli"), http.Header{"X-Forwarded-For": {"10.0.0.1"}})
			if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.Body, "offer_to") || p.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("from outside: %d %v %s", p.StatusCode, p.Header, p.Body)
			}
		}
	})
}

func TestWhatATicketGaveEndsBeforeItsTime(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *idptest.Server) error{
		"signed out everywhere": func(t *testing.T, s *idptest.Server) error {
			_, err := s.Store().EndLogins(t.Context(), s.User("alice").ID, "", store.Entry{Actor: "alice"})
			return err
		},
		"and but for one session": func(t *testing.T, s *idptest.Server) error {
			_, err := s.Store().EndLogins(t.Context(), s.User("alice").ID, "some-session", store.Entry{Actor: "alice"})
			return err
		},
		"disabled": func(t *testing.T, s *idptest.Server) error { disable(t, s, "alice"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			programs(t, "", func(t *testing.T, realm *krbtest.Realm, s *idptest.Server) {
				p := postTicket(t, s, idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword)), ticketForm("cli"), nil)
				token := answerOf(t, p)["access_token"]
				if held, err := s.Store().HeldGrants(t.Context(), s.User("alice").ID); err != nil || len(held) != 0 {
					t.Errorf("it is listed as a device: %v %v", held, err)
				}
				if !active(t, s, token) {
					t.Fatal("it is not active")
				}
				if err := end(t, s); err != nil {
					t.Fatal(err)
				}
				if active(t, s, token) {
					t.Error("it is still active")
				}
			})
		})
	}
}
