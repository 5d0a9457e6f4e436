package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/command/commandtest"
	"idp/internal/idptest"
	"idp/internal/oidc/rptest"
)

// place is one that knows what relying parties are like.
type place struct{ *commandtest.Place }

func newPlace(t *testing.T, yaml string) place { return place{commandtest.New(t, yaml)} }

// shown is what `client show` prints.
func (p place) shown(id string) map[string]any {
	p.T.Helper()
	out := p.MustRun("", "client", "show", id)
	if strings.Contains(out, `"secret_hashes"`) || strings.Contains(out, `"client_secret"`) {
		p.T.Errorf("client show has a secret:\n%s", out)
	}
	got := map[string]any{}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		p.T.Fatal(err)
	}
	return got
}

// A flag for everything that a relying party can be, in add and in set.
func TestEveryFlagOfAClient(t *testing.T) {
	p := newPlace(t, "")
	p.Write("keys", string(rptest.NewKey(t, "ES256").JWKS()))
	p.MustRun("", "client", "add", "wiki", "--redirect-uri", "https://wiki.example/cb?a=1&b=2,3", "--redirect-uri", "https://wiki.example/two")
	want := map[string]any{
		"client_id": "wiki", "token_endpoint_auth_method": "client_secret_basic", "redirect_uris": []any{"https://wiki.example/cb?a=1&b=2,3", "https://wiki.example/two"},
		"grant_types": []any{"authorization_code"}, "response_types": []any{"code"}, "scope": "openid profile email groups", "require_pkce": true, "trusted": true,
		"id_token_signed_response_alg": "ES256",
	}
	got := p.shown("wiki")
	delete(got, "client_id_issued_at")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if out := p.MustRun("", "client", "show", "wiki"); !strings.Contains(out, "a=1&b=2") {
		t.Errorf("an address cannot be copied:\n%s", out)
	}
	p.MustRun("", "client", "set", "wiki", "--name", "Wiki", "--client-uri", "https://wiki.example/", "--policy-uri", "https://wiki.example/p", "--tos-uri", "https://wiki.example/t",
		"--auth-method", "private_key_jwt", "--jwks", p.Dir+"/keys", "--auth-alg", "ES256", "--dpop", "--redirect-uri", "https://wiki.example/cb",
		"--grant-types", "authorization_code,refresh_token", "--scope", "openid email", "--default-max-age", "0", "--untrusted",
		"--allow-group", "a,b", "--allow-group", "c", "--reauth-by-ticket", "--groups", "a*", "--preferred-username", "{name}@{realm}", "--id-token-alg", "EdDSA",
		"--userinfo-alg", "PS256", "--claims-in-id-token", "--post-logout-redirect-uri", "https://wiki.example/bye",
		"--backchannel-logout-uri", "https://wiki.example/back", "--backchannel-logout-session-required",
		"--frontchannel-logout-uri", "https://wiki.example/front", "--frontchannel-logout-session-required")
	got = p.shown("wiki")
	delete(got, "jwks")
	delete(got, "client_id_issued_at")
	want = map[string]any{
		"client_id": "wiki", "client_name": "Wiki", "client_uri": "https://wiki.example/", "policy_uri": "https://wiki.example/p", "tos_uri": "https://wiki.example/t",
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "dpop_bound_access_tokens": true,
		"redirect_uris": []any{"https://wiki.example/cb"}, "grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"},
		"scope": "openid email", "require_pkce": true, "default_max_age": 0.0, "trusted": false, "allow_groups": []any{"a", "b", "c"}, "reauth_by_ticket": true,
		"groups": []any{"a*"}, "preferred_username": "{name}@{realm}", "claims_in_id_token": true, "id_token_signed_response_alg": "EdDSA",
		"userinfo_signed_response_alg": "PS256", "post_logout_redirect_uris": []any{"https://wiki.example/bye"},
		"backchannel_logout_uri": "https://wiki.example/back", "backchannel_logout_session_required": true,
		"frontchannel_logout_uri": "https://wiki.example/front", "frontchannel_logout_session_required": true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if list := p.MustRun("", "key", "list"); !strings.Contains(list, "EdDSA") || !strings.Contains(list, "PS256") {
		t.Errorf("the keys that it now needs are not there:\n%s", list)
	}
	p.MustRun("", "client", "set", "wiki", "--allow-group", "", "--dpop=false", "--trusted", "--default-max-age", "", "--userinfo-alg", "", "--jwks-uri", "https://wiki.example/jwks")
	got = p.shown("wiki")
	for _, name := range []string{"allow_groups", "dpop_bound_access_tokens", "default_max_age", "userinfo_signed_response_alg", "jwks"} {
		if got[name] != nil {
			t.Errorf("%s is still %v", name, got[name])
		}
	}
	if got["trusted"] != true || got["jwks_uri"] != "https://wiki.example/jwks" {
		t.Errorf("%v", got)
	}
	if out := p.MustRun("", "client", "set", "wiki", "--auth-method", "client_secret_post"); !strings.Contains(out, "client_secret: ") {
		t.Errorf("a method with a secret, and none is printed:\n%s", out)
	}
	p.MustRun("", "client", "set", "wiki", "--no-pkce", "--no-nonce")
	if got := p.shown("wiki"); got["require_pkce"] != false || got["require_nonce"] != false {
		t.Errorf("%v", got)
	}
	p.MustRun("", "client", "set", "wiki", "--no-pkce=false", "--no-nonce=false", "--public", "--jwks-uri", "")
	if got := p.shown("wiki"); got["require_pkce"] != true || got["require_nonce"] != nil || got["token_endpoint_auth_method"] != "none" {
		t.Errorf("%v", got)
	}
	if out := p.MustRun("", "client", "add", "bank", "--profile", "fapi2", "--auth-method", "private_key_jwt", "--jwks-uri", "https://bank.example/jwks", "--redirect-uri", "https://bank.example/cb"); strings.Contains(out, "client_secret") {
		t.Errorf("a secret for a client with a key:\n%s", out)
	}
}

func TestChangesOfAClientThatAreRefused(t *testing.T) {
	p := newPlace(t, "clients: [{client_id: filed, client_secret_file: filed.secret, redirect_uris: [\"http://127.0.0.1/cb\"]}]\n"+
		"trusted_proxies: [127.0.0.1/32]\nforward_auth: [{host: reports.localhost}]\n")
	p.Write("filed.secret", "a secret of some length\n")
	p.MustRun("", "client", "add", "wiki", "--redirect-uri", "https://wiki.example/cb")
	p.MustRun("", "client", "add", "app", "--public", "--redirect-uri", "https://app.example/cb")
	for want, args := range map[string][]string{
		"nothing to change":        {"set", "wiki"},
		"no relying party":         {"set", "nobody", "--name", "x"},
		"configuration file owns":  {"set", "filed", "--name", "x"},
		"file owns":                {"secret", "filed", "--new"},
		"is a site of forward":     {"add", "reports.localhost", "--redirect-uri", "https://reports.example/cb"},
		"nobody else's client id":  {"show", "reports.localhost"},
		"redirect_uris: \"x\"":     {"set", "wiki", "--redirect-uri", "x"},
		"redirect_uris: missing":   {"set", "wiki", "--redirect-uri", ""},
		"jwks: missing":            {"set", "wiki", "--auth-method", "private_key_jwt"},
		"no such file":             {"set", "wiki", "--jwks", "/none"},
		"neither a JWKS nor a PEM": {"set", "wiki", "--auth-method", "private_key_jwt", "--jwks", p.Dir + "/filed.secret"},
		"trusted untrusted":        {"set", "wiki", "--trusted", "--untrusted"},
		"require_nonce":            {"set", "wiki", "--no-nonce"},
		"invalid syntax":           {"set", "wiki", "--default-max-age", "soon"},
		"has no secret":            {"secret", "app", "--new"},
		"no older secret":          {"secret", "wiki", "--drop-old"},
		"--new makes a second":     {"secret", "wiki"},
		"none of the others":       {"secret", "wiki", "--new", "--drop-old"},
		"require_pkce: a public":   {"set", "app", "--no-pkce"},
		"profile: fapi2 needs tok": {"set", "wiki", "--profile", "fapi2"},
	} {
		if _, errs, err := p.Run("", append([]string{"client"}, args...)...); err == nil || !strings.Contains(errs, want) {
			t.Errorf("client %v: %v %s, want %q", args, err, errs, want)
		}
	}
}

// While the server runs: a second secret, both are good, then the old one is not.
func TestSecretRollsOverWithoutAnOutage(t *testing.T) {
	p := newPlace(t, "")
	p.Serve()
	secretOf := func(out string) string {
		_, secret, _ := strings.Cut(out, "client_secret: ")
		return strings.TrimSpace(secret)
	}
	first := secretOf(p.MustRun("", "client", "add", "robot", "--grant-types", "client_credentials", "--scope", "read"))
	ask := func(secret string) int {
		req, err := http.NewRequest(http.MethodPost, p.URL+"/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", idptest.Basic("robot", secret))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	until := func(secret string, want int) { // a change is seen within a second
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ask(secret) != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the answer is not %d in a minute", want)
			}
		}
	}
	until(first, 200)
	second := secretOf(p.MustRun("", "client", "secret", "robot", "--new"))
	if second == first || len(second) != 43 {
		t.Fatalf("secrets %q %q", first, second)
	}
	if _, errs, err := p.Run("", "client", "secret", "robot", "--new"); err == nil || !strings.Contains(errs, "two secrets already") {
		t.Errorf("a third secret: %v %s", err, errs)
	}
	until(second, 200)
	if got := ask(first); got != 200 {
		t.Errorf("the old secret beside the new: %d", got)
	}
	p.MustRun("", "client", "secret", "robot", "--drop-old")
	until(first, 401)
	if got := ask(second); got != 200 {
		t.Errorf("the new secret alone: %d", got)
	}
}

// A client that registered itself shows as such, is changed by the administrator
// alone, and gets groups and trust from nobody else.
func TestRelyingPartyThatRegisteredItself(t *testing.T) {
	p := newPlace(t, "registration: {initial_access_token_file: initial.token}\n")
	p.Write("initial.token", "the-initial-access-token\n")
	p.Serve()
	register := func() (int, map[string]any) {
		req, err := http.NewRequest(http.MethodPost, p.URL+"/register", strings.NewReader(`{"redirect_uris":["https://app.example/cb"],"client_name":"App"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer the-initial-access-token")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		got := map[string]any{}
		_ = json.NewDecoder(resp.Body).Decode(&got)
		return resp.StatusCode, got
	}
	status, got := register()
	id, _ := got["client_id"].(string)
	if status != http.StatusCreated || id == "" {
		t.Fatalf("register: %d %v", status, got)
	}
	if list := p.MustRun("", "client", "list"); !strings.Contains(list, "registered itself") || !strings.Contains(list, id) {
		t.Errorf("client list:\n%s", list)
	}
	if shown := p.shown(id); shown["trusted"] != false || shown["registered"] != true || shown["scope"] != "openid profile email" {
		t.Errorf("%v", shown)
	}
	if _, errs, err := p.Run("", "client", "set", id, "--no-pkce"); err == nil || !strings.Contains(errs, "registered itself") {
		t.Errorf("--no-pkce: %v %s", err, errs)
	}
	p.MustRun("", "client", "set", id, "--trusted", "--scope", "openid groups")
	if shown := p.shown(id); shown["trusted"] != true || shown["registered"] != true || shown["scope"] != "openid groups" {
		t.Errorf("adopted: %v", shown)
	}
	p.MustRun("", "client", "remove", id)
}

func TestTrustedAssertionsByCommand(t *testing.T) {
	p := newPlace(t, "")
	p.Write("trusted", `[{"issuer":"https://ci.example","jwks_uri":"https://ci.example/jwks","subject":"repo:org/app:ref:refs/heads/main"}]`)
	p.MustRun("", "client", "add", "deploy", "--public", "--grant-types", "urn:ietf:params:oauth:grant-type:jwt-bearer", "--trusted-assertions", p.Dir+"/trusted")
	want := []any{map[string]any{"issuer": "https://ci.example", "jwks_uri": "https://ci.example/jwks", "subject": "repo:org/app:ref:refs/heads/main"}}
	if d := cmp.Diff(want, p.shown("deploy")["trusted_assertions"]); d != "" {
		t.Error(d)
	}
	p.Write("trusted", `[{"issuer":"https://ci.example","subjects":["x"]}]`)
	if _, out, err := p.Run("", "client", "set", "deploy", "--trusted-assertions", p.Dir+"/trusted"); err == nil || !strings.Contains(out, "subjects") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestExchangesByCommand(t *testing.T) {
	p := newPlace(t, "")
	p.Write("exchange", `[{"audience":"https://ledger.example.com","scopes":["read"],"lifetime":"2m","from":["https://api.example.com"]}]`)
	p.MustRun("", "client", "add", "front", "--auth-method", "client_secret_post", "--redirect-uri", "https://front.example/cb", "--exchange", p.Dir+"/exchange",
		"--ticket-exchange", "https://ledger.example.com", "--ticket-exchange", "https://archive.example.com")
	shown := p.shown("front")
	if d := cmp.Diff([]any{map[string]any{"audience": "https://ledger.example.com", "scopes": []any{"read"}, "lifetime": "2m0s", "from": []any{"https://api.example.com"}}}, shown["exchange"]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]any{"https://ledger.example.com", "https://archive.example.com"}, shown["ticket_exchange"]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]any{"authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"}, shown["grant_types"]); d != "" {
		t.Error(d)
	}
	p.Write("exchange", `[{"audience":"ledger"}]`)
	if _, errs, err := p.Run("", "client", "set", "front", "--exchange", p.Dir+"/exchange"); err == nil || !strings.Contains(errs, "exchange: entry 1: audience") {
		t.Errorf("%v %s", err, errs)
	}
	p.Write("exchange", "[]")
	if _, errs, err := p.Run("", "client", "set", "front", "--exchange", p.Dir+"/exchange", "--ticket-exchange", ""); err != nil || !strings.Contains(errs, "has ended") {
		t.Errorf("%v %s", err, errs)
	}
	if shown := p.shown("front"); shown["exchange"] != nil || shown["ticket_exchange"] != nil {
		t.Errorf("%v", shown)
	}
}

// What the commands take from people, and what they say to them.
func TestClientCommandsSayWhatTheyDoAndWarn(t *testing.T) {
	p := newPlace(t, "")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	p.Write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	p.Write("one.json", `{"issuer": "https://ci.example"}`)
	p.MustRun("", "client", "add", "signs", "--auth-method", "private_key_jwt", "--jwks", p.Dir+"/key.pem", "--redirect-uri", "https://signs.example/cb", "--untrusted")
	if keys := fmt.Sprint(p.shown("signs")["jwks"]); !strings.Contains(keys, "kid:") || !strings.Contains(keys, "crv:P-256") {
		t.Errorf("the key of a PEM file: %s", keys)
	}
	_, errs, err := p.Run("", "client", "add", "wiki", "--redirect-uri", "http://wiki.example/cb", "--scope", "openid offline_access")
	for _, want := range []string{"warning: redirect_uris: who listens on the way to http://wiki.example/cb", "warning: scope: offline_access is never granted"} {
		if err != nil || !strings.Contains(errs, want) {
			t.Errorf("%v %s, want %q", err, errs, want)
		}
	}
	if _, errs, err := p.Run("", "client", "set", "wiki", "--name", "Wiki"); err != nil || !strings.Contains(errs, "warning: redirect_uris") {
		t.Errorf("%v %s, want a warning", err, errs)
	}
	if _, errs, err := p.Run("", "client", "set", "wiki", "--trusted-assertions", p.Dir+"/one.json"); err == nil || !strings.Contains(errs, "want a JSON array") {
		t.Errorf("%v %s", err, errs)
	}
	list := strings.Join(strings.Fields(p.MustRun("", "client", "list")), " ")
	for _, want := range []string{"TRUSTED METHOD", "signs database no private_key_jwt", "wiki Wiki database yes client_secret_basic"} {
		if !strings.Contains(list, want) {
			t.Errorf("list: %s, want %q", list, want)
		}
	}
	p.MustRun("", "client", "secret", "wiki", "--new")
	for want, args := range map[string][]string{"newer secret only": {"secret", "wiki", "--drop-old"}, "is removed": {"remove", "signs"}} {
		if out := p.MustRun("", append([]string{"client"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%v: %q, want %q", args, out, want)
		}
	}
}
