package oidc

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/secret"
	"idp/internal/store"
)

const initialToken = "an initial access token"

// registering is a world in which relying parties may register themselves.
func registering(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.InitialAccessToken = secret.Hash(initialToken)
	return w
}

// register posts metadata as who holds the initial access token.
func (w *world) register(body string) *answer {
	return w.do(registration(body))
}

func registration(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+initialToken)
	return r
}

func (a *answer) wantCreated() map[string]any {
	a.t.Helper()
	if a.Code != http.StatusCreated {
		a.t.Fatalf("registration: %d %s", a.Code, a.Body)
	}
	return a.json()
}

func TestRegisteredClientIsToldWhatCounts(t *testing.T) {
	w := registering(t)
	a := w.register(`{"redirect_uris":["https://app.example.com/cb"],"client_name":" Café №1 ","client_uri":"https://app.example.com/","tos_uri":"https://bank.example/terms",
		"logo_uri":"https://tracker.example/logo.png","contacts":["a@example.com"],"software_statement":"eyJ.e30.","application_type":"web","subject_type":"public",
		"scope":"openid groups email admin offline_access","userinfo_signed_response_alg":"none","request_uris":[],"jwks_uri":"https://app.example.com/jwks",
		"grant_types":["implicit","authorization_code","client_credentials"],"response_types":["id_token","code","code id_token token"],
		"trusted":true,"registered":false,"allow_groups":[],"require_pkce":false,"require_nonce":false,"claims_in_id_token":true,"profile":"x","secret_hashes":["AA=="],
		"client_id":"wiki","client_secret":"mine","TRUSTED":true,"Scope":"openid groups","reauth_by_ticket":true}`)
	got := a.wantCreated()
	if a.Header().Get("Cache-Control") != "no-store" || a.Header().Get("Content-Type") != "application/json" || a.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", a.Header())
	}
	id, _ := got["client_id"].(string)
	plain, _ := got["client_secret"].(string)
	if len(id) != 22 || len(plain) != 43 || got["client_id_issued_at"] != float64(testStart/1000) || got["client_secret_expires_at"] != 0.0 {
		t.Errorf("credentials %v", got)
	}
	for _, name := range []string{"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at"} {
		delete(got, name)
	}
	want := `{"application_type":"web","client_name":"Café №1","client_uri":"https://app.example.com/","grant_types":["authorization_code"],
		"id_token_signed_response_alg":"RS256","redirect_uris":["https://app.example.com/cb"],"response_types":["code"],"scope":"openid email offline_access",
		"token_endpoint_auth_method":"client_secret_basic"}`
	var wanted map[string]any
	must(t, json.Unmarshal([]byte(want), &wanted))
	if !maps.EqualFunc(got, wanted, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("got  %v\nwant %v", got, wanted)
	}

	c, err := w.Store.ClientByID(t.Context(), id)
	must(t, err)
	if clients.Trusted(c) || !c.Registered || !clients.RequiresPKCE(c) || c.ClaimsInIDToken || c.ReauthByTicket || len(c.SecretHashes) != 1 ||
		!secret.Equal(c.SecretHashes[0], secret.Hash(secret.String(plain))) {
		t.Errorf("kept: %+v", c)
	}
	list, err := w.Store.Entries(t.Context(), store.Filter{Event: "client_registered"})
	must(t, err)
	if len(list) != 1 || list[0].ClientID != id || list[0].Address != "192.0.2.1" || list[0].RequestID == "" || list[0].Name != "Café №1" {
		t.Errorf("audit %+v", list)
	}
}

// A registered client exists at once, is not trusted, and gets nothing in its own name.
func TestRegisteredClientIsNeverTrusted(t *testing.T) {
	w := registering(t)
	w.user("bob")
	const callback = "https://stranger.example/cb"
	got := w.register(`{"redirect_uris":["` + callback + `"]}`).wantCreated()
	id, _ := got["client_id"].(string)
	plain, _ := got["client_secret"].(string)
	b := w.loggedIn("bob")
	if a := b.get(authorizeURL(id, "prompt", "none", "redirect_uri", callback)); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" || !strings.Contains(a.Body.String(), "interaction_required") {
		t.Errorf("without consent: %d %s", a.Code, a.Body)
	}
	b.asked(b.get(authorizeURL(id, "redirect_uri", callback)))
	form := codeForm("x")
	r := postForm("/token", form)
	r.SetBasicAuth(id, plain)
	w.do(r).wantError(http.StatusBadRequest, "invalid_grant")
	form.Set("grant_type", "client_credentials")
	r = postForm("/token", form)
	r.SetBasicAuth(id, plain)
	w.do(r).wantError(http.StatusBadRequest, "unauthorized_client")
}

func TestEveryKindOfClientCanRegister(t *testing.T) {
	w := registering(t)
	jwks := string(rptest.NewKey(t, "ES256").JWKS())
	for name, c := range map[string]struct {
		body, method string
		secret       bool
	}{
		"web":                  {`{"redirect_uris":["https://a.example/cb"]}`, "client_secret_basic", true},
		"posts":                {`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_post"}`, "client_secret_post", true},
		"native":               {`{"redirect_uris":["http://127.0.0.1/cb","http://localhost:3334/cb","http://[::1]/","com.example.app:/cb"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`, "none", false},
		"native with a secret": {`{"redirect_uris":["http://localhost:3000/cb"],"application_type":"native"}`, "client_secret_basic", true},
		"by key":               {`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks":` + jwks + `,"dpop_bound_access_tokens":true}`, "private_key_jwt", false},
		"by key elsewhere":     {`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://a.example/jwks"}`, "private_key_jwt", false},
		"null":                 {`{"redirect_uris":["https://a.example/cb"],"jwks":null,"scope":null,"default_max_age":null,"grant_types":null,"response_types":["code"]}`, "client_secret_basic", true},
		"other algorithms":     {`{"redirect_uris":["https://a.example/cb"],"id_token_signed_response_alg":"EdDSA","userinfo_signed_response_alg":"ES256"}`, "client_secret_basic", true},
	} {
		got := w.register(c.body).wantCreated()
		_, hasSecret := got["client_secret"]
		_, expires := got["client_secret_expires_at"]
		if got["token_endpoint_auth_method"] != c.method || hasSecret != c.secret || expires != c.secret {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMetadataThatIsRefused(t *testing.T) {
	w := registering(t)
	good := func(more string) string { return `{"redirect_uris":["https://a.example/cb"]` + more + `}` }
	many := strings.TrimSuffix(strings.Repeat(`"https://a.example/cb",`, 21), ",")
	for name, c := range map[string]struct{ body, code, hint string }{
		"no redirect URI":        {`{}`, "invalid_redirect_uri", "redirect_uris: missing"},
		"no object":              {`[]`, "invalid_client_metadata", "body"},
		"null":                   {`null`, "invalid_client_metadata", "body"},
		"nothing":                {``, "invalid_client_metadata", "body"},
		"broken":                 {`{"redirect_uris":[`, "invalid_client_metadata", "body"},
		"two":                    {`{} {}`, "invalid_client_metadata", "body"},
		"not UTF-8":              {"{\"client_name\":\"\xff\"}", "invalid_client_metadata", "body"},
		"wrong type":             {`{"redirect_uris":"https://a.example/cb"}`, "invalid_redirect_uri", "redirect_uris: is of the wrong type"},
		"too long":               {good(`,"x":"` + strings.Repeat("x", maxMetadata) + `"`), "invalid_client_metadata", "64 KB"},
		"http":                   {`{"redirect_uris":["http://a.example/cb"],"token_endpoint_auth_method":"none"}`, "invalid_redirect_uri", "https"},
		"http, confidential":     {`{"redirect_uris":["http://localhost/cb"]}`, "invalid_redirect_uri", "native"},
		"http, native elsewhere": {`{"redirect_uris":["http://a.example/cb"],"application_type":"native"}`, "invalid_redirect_uri", "https"},
		"fragment":               {`{"redirect_uris":["https://a.example/cb#x"]}`, "invalid_redirect_uri", "fragment"},
		"wildcard":               {`{"redirect_uris":["https://*.a.example/cb"]}`, "invalid_redirect_uri", "patterns"},
		"script":                 {`{"redirect_uris":["javascript:alert(1)//\"\\"]}`, "invalid_redirect_uri", "redirect_uris"},
		"NUL":                    {`{"redirect_uris":["https://a.example/\u0000"]}`, "invalid_redirect_uri", "redirect_uris"},
		"many":                   {`{"redirect_uris":[` + many + `]}`, "invalid_redirect_uri", "20 at most"},
		"long":                   {`{"redirect_uris":["https://a.example/` + strings.Repeat("x", 2000) + `"]}`, "invalid_redirect_uri", "2000 bytes"},
		"implicit":               {good(`,"grant_types":["implicit"]`), "invalid_client_metadata", "grant_types"},
		"password":               {good(`,"grant_types":["password"]`), "invalid_client_metadata", "grant_types"},
		"for itself":             {good(`,"grant_types":["client_credentials"]`), "invalid_client_metadata", "grant_types"},
		"nothing to refresh":     {good(`,"grant_types":["refresh_token"]`), "invalid_client_metadata", "refresh_token alone"},
		"token":                  {good(`,"response_types":["token"]`), "invalid_client_metadata", "response_types"},
		"hybrid":                 {good(`,"response_types":["code id_token"]`), "invalid_client_metadata", "response_types"},
		"scope":                  {good(`,"scope":"groups admin"`), "invalid_client_metadata", "openid profile email"},
		"pairwise":               {good(`,"subject_type":"pairwise"`), "invalid_client_metadata", "subject_type"},
		"sector":                 {good(`,"sector_identifier_uri":"https://a.example/s"`), "invalid_client_metadata", "sector_identifier_uri"},
		"request object":         {good(`,"request_object_signing_alg":"RS256"`), "invalid_client_metadata", "request objects"},
		"request URIs":           {good(`,"request_uris":["https://a.example/r"]`), "invalid_client_metadata", "request objects"},
		"encryption":             {good(`,"id_token_encrypted_response_alg":"RSA-OAEP"`), "invalid_client_metadata", "encryption"},
		"mutual TLS":             {good(`,"tls_client_certificate_bound_access_tokens":true`), "invalid_client_metadata", "DPoP"},
		"secret JWT":             {good(`,"token_endpoint_auth_method":"client_secret_jwt"`), "invalid_client_metadata", "token_endpoint_auth_method"},
		"none as algorithm":      {good(`,"id_token_signed_response_alg":"none"`), "invalid_client_metadata", "id_token_signed_response_alg"},
		"HMAC":                   {good(`,"id_token_signed_response_alg":"HS256"`), "invalid_client_metadata", "id_token_signed_response_alg"},
		"no key":                 {good(`,"token_endpoint_auth_method":"private_key_jwt"`), "invalid_client_metadata", "jwks: missing"},
		"both keys":              {good(`,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]},"jwks_uri":"https://a.example/"`), "invalid_client_metadata", "jwks"},
		"symmetric key":          {good(`,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"AA"}]}`), "invalid_client_metadata", "jwks"},
		"keys by http":           {good(`,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"http://127.0.0.1/jwks"`), "invalid_client_metadata", "https"},
		"keys in a file":         {good(`,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"file:///etc/passwd"`), "invalid_client_metadata", "jwks_uri"},
		"long name":              {good(`,"client_name":"` + strings.Repeat("é", 101) + `"`), "invalid_client_metadata", "100 characters"},
		"line in the name":       {good(`,"client_name":"a\nb"`), "invalid_client_metadata", "client_name"},
		"backwards":              {good(`,"client_name":"a\u202eb"`), "invalid_client_metadata", "client_name"},
		"isolated":               {good(`,"client_name":"\u2066b"`), "invalid_client_metadata", "client_name"},
		"two hosts":              {`{"redirect_uris":["https://a.example/cb","https://b.example/cb"]}`, "invalid_redirect_uri", "at one host"},
		"an address beside it":   {`{"redirect_uris":["https://bank.example/","https://[2001:db8:1:2::]/cb"]}`, "invalid_redirect_uri", "at one host"},
		"signs out elsewhere":    {good(`,"post_logout_redirect_uris":["https://b.example/"]`), "invalid_client_metadata", "at one host"},
		"our own host":           {`{"redirect_uris":["https://localhost:8080/cb"]}`, "invalid_redirect_uri", "this server's own"},
		"our own pages":          {`{"redirect_uris":["http://127.0.0.1:8080/account"],"token_endpoint_auth_method":"none"}`, "invalid_redirect_uri", "this server's own"},
		"another's host":         {`{"redirect_uris":["https://WIKI.example.com.:444/x"]}`, "invalid_redirect_uri", "another relying party"},
		"homograph":              {`{"redirect_uris":["https://ex%D0%B0mple.com/cb"]}`, "invalid_redirect_uri", "host name of letters"},
		"fillers":                {good(`,"client_name":"\u3164\u115f"`), "invalid_client_metadata", "client_name"},
		"a name of dots":         {good(`,"client_name":"..."`), "invalid_client_metadata", "no letter"},
		"invisible":              {good(`,"client_name":"\u200b"`), "invalid_client_metadata", "client_name"},
		"half a character":       {good(`,"client_name":"\ud800"`), "invalid_client_metadata", "client_name"},
		"script page":            {good(`,"client_uri":"javascript:alert(1)"`), "invalid_client_metadata", "client_uri"},
		"page of a user":         {good(`,"policy_uri":"https://a.example@evil.example/"`), "invalid_client_metadata", "policy_uri"},
		"application type":       {good(`,"application_type":"x"`), "invalid_client_metadata", "application_type"},
		"age":                    {good(`,"default_max_age":-1`), "invalid_client_metadata", "default_max_age"},
		"fraction of an age":     {good(`,"default_max_age":1.5`), "invalid_client_metadata", "default_max_age"},
	} {
		a := w.register(c.body)
		a.wantError(http.StatusBadRequest, c.code)
		hint := a.str("error_description")
		if !strings.Contains(hint, c.hint) || len(hint) > maxHint+3 || hint != plainHint(hint) {
			t.Errorf("%s: %q, want %q in it", name, hint, c.hint)
		}
	}
	if list, err := w.Store.Clients(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("refused, and kept: %v %v", list, err)
	}
}

func TestOnlyTheInitialAccessTokenRegisters(t *testing.T) {
	w := registering(t)
	const body = `{"redirect_uris":["https://a.example/cb"]}`
	for header, c := range map[string]struct {
		status int
		code   any
	}{
		"":                                {401, nil},
		"Bearer":                          {401, nil},
		"Bearer ":                         {401, nil},
		"Basic d2lraTpzZWNyZXQ=":          {401, nil},
		"DPoP " + initialToken:            {401, nil},
		"Bearer x":                        {401, "invalid_token"},
		"Bearer " + initialToken + "x":    {401, "invalid_token"},
		"Bearer " + initialToken[1:]:      {401, "invalid_token"},
		"Bearer " + initialToken + "\x00": {401, "invalid_token"},
		"bEARER " + initialToken:          {201, nil},
	} {
		r := registration(body)
		r.Header.Set("Authorization", header)
		a := w.do(r)
		challenge := a.Header().Get("WWW-Authenticate")
		if a.Code != c.status || a.json()["error"] != c.code || (a.Code == 401) != strings.HasPrefix(challenge, "Bearer realm=") ||
			strings.Contains(challenge, "error") != (c.code != nil) {
			t.Errorf("%q: %d %s, %q", header, a.Code, a.Body, challenge)
		}
	}
	r := registration(body)
	r.Header.Add("Authorization", "Bearer x")
	w.do(r).wantError(http.StatusBadRequest, "invalid_request")
	r = registration(body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.do(r).wantError(http.StatusBadRequest, "invalid_client_metadata")
	r = registration(body)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w.do(r).wantCreated()
	r = registration(body)
	r.Method = http.MethodGet
	if a := w.do(r); a.Code != http.StatusMethodNotAllowed || a.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", a.Code)
	}
	r = registration(body)
	r.Method = http.MethodOptions // no script of a page registers anything
	r.Header.Set("Origin", "https://a.example")
	if a := w.do(r); a.Code != http.StatusMethodNotAllowed || a.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight: %d %v", a.Code, a.Header())
	}
}

func TestRegistrationsEnd(t *testing.T) {
	w := registering(t)
	for i := range maxRegistered {
		must(t, w.Store.RegisterClient(t.Context(), store.Client{ClientID: fmt.Sprint(i)}, maxRegistered, store.Entry{Actor: "test"}))
	}
	a := w.register(`{"redirect_uris":["https://a.example/cb"]}`)
	a.wantError(http.StatusBadRequest, "access_denied")
	if !strings.Contains(a.str("error_description"), "1000 relying parties") {
		t.Errorf("%s", a.Body)
	}
}

func TestRegistrationIsInDiscoveryOnlyWhereItIsOn(t *testing.T) {
	w := registering(t)
	for _, on := range []bool{true, false} {
		c := w.Config
		if !on {
			c.InitialAccessToken = nil
		}
		p, err := New(c)
		must(t, err)
		var discovery map[string]any
		must(t, json.Unmarshal(p.discovery, &discovery))
		if endpoint, there := discovery["registration_endpoint"]; there != on || (on && endpoint != testIssuer+"/register") {
			t.Errorf("on %v: %v", on, endpoint)
		}
	}
}

// FuzzRegistration: whatever is registered obeys the rules of all clients and those
// of strangers, and can be read again; whatever is refused says why in plain ASCII.
func FuzzRegistration(f *testing.F) {
	f.Add(`{"redirect_uris":["https://a.example/cb"],"client_name":"Wiki","client_uri":"https://a.example/"}`)
	f.Add(`{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"scope":"openid groups"}`)
	f.Add(`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]},"jwks_uri":null}`)
	f.Add(`{"redirect_uris":["com.example.app:/cb"],"client_name":"\u202e","default_max_age":1e3,"trusted":true}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := clients.ParseRegistration([]byte(body))
		if err != nil {
			if hint := badMetadata(err).(*protocol.Error).Description; hint == "" || hint != plainHint(hint) { //nolint:errorlint // made here
				t.Errorf("hint %q", hint)
			}
			return
		}
		c := r.Client
		if c.ClientID = "x"; clients.UsesSecret(&c) {
			c.SecretHashes = [][]byte{{1}}
		}
		if clients.Check(&c) != nil {
			return
		}
		if clients.Trusted(&c) || !c.Registered || !clients.RequiresPKCE(&c) || c.Groups != nil || c.AllowGroups != nil || c.Profile != "" ||
			clients.HasScope(c.Scope, clients.ScopeGroups) || clients.MayUse(&c, "client_credentials") || strings.ContainsAny(c.ClientName, "\x00\n\u202e") {
			t.Errorf("%q became %+v", body, c)
		}
		text, err := json.Marshal(answerTo(r, c, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := clients.ParseRegistration(text)
		if err != nil || again.Client.Scope != c.Scope || fmt.Sprint(again.Client.RedirectURIs) != fmt.Sprint(c.RedirectURIs) || again.Client.ClientName != c.ClientName {
			t.Errorf("%s is not read again: %v", text, err)
		}
	})
}
