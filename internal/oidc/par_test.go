package oidc

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/pushed"
	"idp/internal/oidc/rptest"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// push pushes a request and returns the address that the browser is sent to.
func (w *world) push(client string, changes ...string) string {
	w.t.Helper()
	a := w.api(client, "/par", authParams(client, changes...))
	if a.Code != http.StatusCreated {
		w.t.Fatalf("pushing: %d %s", a.Code, a.Body)
	}
	return pushedURL(client, a.str("request_uri"))
}

func pushedURL(client, uri string) string {
	return "/authorize?" + url.Values{"client_id": {client}, "request_uri": {uri}}.Encode()
}

func TestPushedRequestGivesACode(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	form := authParams("pushes")
	form.Del("client_id") // the Basic header says it
	form.Set("client_secret", "")
	a := w.api("pushes", "/par", form)
	uri := a.str("request_uri")
	if a.Code != http.StatusCreated || a.Header().Get("Cache-Control") != "no-store" || a.Header().Get("Content-Type") != "application/json" || a.json()["expires_in"] != 90.0 {
		t.Fatalf("%d %v %s", a.Code, a.Header(), a.Body)
	}
	if handle, ok := strings.CutPrefix(uri, pushed.RequestURI); !ok || len(handle) != 43 {
		t.Errorf("request_uri %q, want 256 bits behind the prefix", uri)
	}
	back := b.get(pushedURL("pushes", uri) + "&scope=admin&state=outside&prompt=login&redirect_uri=https%3A%2F%2Fevil.example").back()
	if back.Get("state") != "st&te" || back.Get("iss") != testIssuer {
		t.Fatalf("what stands beside request_uri counts, or nothing came: %v", back)
	}
	if tokens := w.api("pushes", "/token", codeForm(back.Get("code"))); tokens.Code != http.StatusOK || tokens.str("scope") != "openid profile email groups" {
		t.Errorf("redeeming: %d %s", tokens.Code, tokens.Body)
	}
}

// A login takes longer than a request is kept, people reload, and sites use POST:
// the code is what there is one of.
func TestPushedRequestGivesOneCodeHoweverItIsUsed(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.browser()
	target := w.push("pushes")
	_, first := b.row(b.get(target))
	_, second := b.row(b.get(target)) // a reload
	q, err := url.Parse(target)
	must(t, err)
	parked := b.post("/authorize", q.Query()).location().String()
	w.pass(90*time.Second + time.Second)
	if a := b.get(target); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("after its time: %d %s", a.Code, a.Header().Get("Location"))
	}
	b.logIn(url.Values{"user": {"alice"}, "login": {first.ID}})
	b.logIn(url.Values{"user": {"alice"}, "login": {second.ID}})
	if back := b.get("/authorize/resume?login=" + second.ID).back(); !back.Has("code") {
		t.Fatalf("after the login: %v", back)
	}
	for name, target := range map[string]string{"the other tab": "/authorize/resume?login=" + first.ID, "the POST": parked, "the first link": target} {
		if a := b.get(target); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" || !strings.Contains(a.Body.String(), "expired") {
			t.Errorf("%s: %d %s", name, a.Code, a.Header().Get("Location"))
		}
	}
}

func TestPushedRequestIsUsedUpWithItsCode(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	target := w.push("wiki")
	if back := b.get(target).back(); !back.Has("code") {
		t.Fatalf("%v", back)
	}
	if a := b.get(target); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("again: %d %s", a.Code, a.Header().Get("Location"))
	}
	none := w.push("wiki", "prompt", "none", "max_age", "0")
	for range 2 { // an error is no code
		if back := b.get(none).back(); back.Get("error") != "login_required" {
			t.Errorf("%v", back)
		}
	}
}

func TestPushedRequestBelongsToItsClient(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	uri := w.api("wiki", "/par", authParams("wiki")).str("request_uri")
	for name, target := range map[string]string{
		"another client": pushedURL("other", uri),
		"no client":      "/authorize?" + url.Values{"request_uri": {uri}}.Encode(),
		"another handle": pushedURL("wiki", uri+"x"),
		"sign-out":       "/end_session?" + url.Values{"request_uri": {uri}}.Encode(),
	} {
		if a := b.get(target); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.Code, a.Header().Get("Location"))
		}
	}
	if back := b.get(pushedURL("wiki", uri)).back(); !back.Has("code") {
		t.Errorf("its own: %v", back)
	}
}

// Whatever /authorize would refuse is refused to the client, before a person sees
// anything.
func TestPushedRequestIsCheckedAtOnce(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		client  string
		changes []string
		status  int
		err     string
	}{
		"request_uri":          {"wiki", []string{"request_uri", pushed.RequestURI + "x"}, 400, "invalid_request"},
		"request":              {"wiki", []string{"request", "a.b.c"}, 400, "request_not_supported"},
		"no redirect_uri":      {"wiki", []string{"redirect_uri", ""}, 400, "invalid_request"},
		"foreign redirect_uri": {"wiki", []string{"redirect_uri", "https://evil.example"}, 400, "invalid_request"},
		"hybrid":               {"wiki", []string{"response_type", "code id_token"}, 400, "unsupported_response_type"},
		"no PKCE":              {"wiki", []string{"code_challenge", "", "code_challenge_method", ""}, 400, "invalid_request"},
		"PKCE plain":           {"wiki", []string{"code_challenge_method", "plain"}, 400, "invalid_request"},
		"foreign scope":        {"wiki", []string{"scope", "admin"}, 400, "invalid_scope"},
		"resource":             {"wiki", []string{"resource", "https://x.example"}, 400, "invalid_target"},
		"response_mode":        {"wiki", []string{"response_mode", "fragment"}, 400, "invalid_request"},
		"prompt":               {"wiki", []string{"prompt", "none login"}, 400, "invalid_request"},
		"claims":               {"wiki", []string{"claims", "x"}, 400, "invalid_request"},
		"hint":                 {"wiki", []string{"id_token_hint", "x"}, 400, "invalid_request"},
		"grant_type":           {"machine", []string{"redirect_uri", testRedirect}, 400, "invalid_request"},
		"another client_id":    {"wiki", []string{"client_id", "other"}, 400, "invalid_request"},
		"long":                 {"wiki", []string{"state", strings.Repeat("x", wire.MaxQuery)}, 413, "invalid_request"},
		"very long":            {"wiki", []string{"state", strings.Repeat("x", 70<<10)}, 413, "invalid_request"},
		"wrong secret":         {"wiki", []string{"client_secret", "x"}, 400, "invalid_request"}, // beside Basic
	} {
		a := w.api(c.client, "/par", authParams(c.client, c.changes...))
		if a.Code != c.status || a.str("error") != c.err || a.Header().Get("Location") != "" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, want %d %s", name, a.Code, a.Body, c.status, c.err)
		}
	}
	r := postForm("/par", authParams("wiki"))
	w.do(r).wantError(http.StatusUnauthorized, "invalid_client")
	twice := postForm("/par", url.Values{"state": {"a", "b"}, "client_id": {"native"}})
	w.do(twice).wantError(http.StatusBadRequest, "invalid_request")
	for _, method := range []string{"GET", "PUT", "HEAD", "OPTIONS"} {
		a := w.do(httptest.NewRequest(method, "/par", nil))
		if a.Code != http.StatusMethodNotAllowed || a.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", method, a.Code, a.Header())
		}
	}
	w.do(httptest.NewRequest("POST", "/par?client_id=native", nil)).wantError(http.StatusBadRequest, "invalid_request")
}

// What proves the client is not kept, and of the handle only its hash.
func TestPushedRequestKeepsNoSecrets(t *testing.T) {
	w := newWorld(t)
	form := authParams("post")
	form.Set("client_secret", "secret")
	form.Set("foo", "bar")
	a := w.do(postForm("/par", form))
	handle := strings.TrimPrefix(a.str("request_uri"), pushed.RequestURI)
	row, err := w.Store.PushedRequest(t.Context(), secret.Hash(secret.String(handle)))
	must(t, err)
	if strings.Contains(row.Params, "secret") || strings.Contains(row.Params, "foo") || !bytes.Equal(row.PushedHash, row.Hash) || row.ClientID != "post" {
		t.Errorf("kept: %+v", row)
	}
	if _, err := w.Store.PushedRequest(t.Context(), []byte(handle)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the handle itself is kept: %v", err)
	}
}

// Public clients may push, too, and are counted by their address, as anybody could.
func TestPublicClientsPushWithinALimit(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	push := func(client, secret string) *answer {
		r := postForm("/par", authParams(client))
		if secret != "" {
			r.SetBasicAuth(client, secret)
		}
		r.RemoteAddr = "127.0.0.1:1234"
		return w.do(r)
	}
	a := push("native", "")
	if back := w.loggedIn("alice").get(pushedURL("native", a.str("request_uri"))).back(); !back.Has("code") {
		t.Errorf("%v", back)
	}
	for i := range 1999 {
		must(t, w.Store.PutPushedRequest(t.Context(), store.PushedRequest{Hash: fmt.Append(nil, i), Address: "127.0.0.1", ExpiresAt: w.clock.Load() + 60_000}))
	}
	push("native", "").wantError(http.StatusTooManyRequests, "invalid_request")
	if a := push("wiki", "secret"); a.Code != http.StatusCreated {
		t.Errorf("a confidential client: %d %s", a.Code, a.Body)
	}
}

// "Use another account" leads on, although the request stands in no link and the
// client takes no others; and it is still one request.
// What a request is too long for, once we have escaped it: it is kept.
func TestDeniedPageOfALongRequestLeadsToAnotherAccount(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	w.user("fiona", "finance")
	w.client("wiki").AllowGroups = []string{"finance"}
	b := w.loggedIn("alice")
	long := authorizeURL("wiki") + "&login_hint=" + strings.Repeat("(", 6000) + "&ui_locales=" + strings.Repeat("(", 8000)
	a := b.get(long)
	link := regexp.MustCompile(`href="(/authorize\?[^"]+)"`).FindStringSubmatch(a.Body.String())
	if a.Code != http.StatusForbidden || link == nil || len(link[1]) > 1000 {
		t.Fatalf("%d, a link of %d bytes", a.Code, len(link[1]))
	}
	w.pass(20 * time.Minute)
	path, row := b.row(b.get(html.UnescapeString(link[1])))
	if path != "/login" {
		t.Fatalf("sent to %s", path)
	}
	b.logIn(url.Values{"user": {"fiona"}, "login": {row.ID}})
	if back := b.get("/authorize/resume?login=" + row.ID).back(); !back.Has("code") {
		t.Fatalf("fiona: %v", back)
	}
}

func TestDeniedPageOfAPushedRequestLeadsToAnotherAccount(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	w.user("fiona", "finance")
	w.client("pushes").AllowGroups = []string{"finance"}
	b := w.loggedIn("alice")
	target := w.push("pushes", "login_hint", "alice")
	a := b.get(target)
	link := regexp.MustCompile(`href="(/authorize\?[^"]+)"`).FindStringSubmatch(a.Body.String())
	if a.Code != http.StatusForbidden || link == nil || strings.Contains(link[1], "redirect_uri") {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	w.pass(20 * time.Minute) // somebody reads
	path, row := b.row(b.get(html.UnescapeString(link[1])))
	if path != "/login" || row.LoginHint != "" {
		t.Errorf("sent to %s, hint %q", path, row.LoginHint)
	}
	b.logIn(url.Values{"user": {"fiona"}, "login": {row.ID}})
	if back := b.get("/authorize/resume?login=" + row.ID).back(); !back.Has("code") {
		t.Fatalf("fiona: %v", back)
	}
	if a := b.get(html.UnescapeString(link[1])); a.Code != http.StatusBadRequest {
		t.Errorf("the link again: %d", a.Code)
	}
}

func TestClientThatMustPushIsTakenByPushOnly(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	if back := b.get(authorizeURL("pushes", "response_mode", "query")).back(); back.Get("error") != "invalid_request" || back.Has("code") {
		t.Errorf("by GET: %v", back)
	}
	if back := b.post("/authorize", authParams("pushes")).back(); back.Get("error") != "invalid_request" {
		t.Errorf("by POST: %v", back)
	}
	if back := b.get(w.push("pushes")).back(); !back.Has("code") {
		t.Errorf("pushed: %v", back)
	}
}

func TestOneOf64BrowsersGetsTheCodeOfAPushedRequest(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	target := w.push("pushes")
	browsers := make([]*browser, 64)
	for i := range browsers {
		browsers[i] = w.loggedIn("alice")
	}
	got := race(len(browsers), func(i int) int {
		a := browsers[i].get(target)
		if a.Code == http.StatusSeeOther && !a.location().Query().Has("code") {
			return 0
		}
		return a.Code
	})
	if diff := cmp.Diff(map[int]int{303: 1, 400: 63}, got); diff != "" {
		t.Error(diff)
	}
}

// RFC 9126 §2 has three audiences that a client may mean this endpoint by.
func TestAssertionForThePushEndpoint(t *testing.T) {
	w := newWorld(t)
	key := rptest.NewKey(t, "ES256")
	w.signing("signs", key, nil)
	for audience, want := range map[string]int{testIssuer: 201, testIssuer + "/token": 201, testIssuer + "/par": 201, testIssuer + "/introspect": 401} {
		form := authParams("signs", "client_assertion_type", rptest.AssertionType, "client_assertion", key.Assertion(t, "signs", audience, w.now(), nil))
		if a := w.do(postForm("/par", form)); a.Code != want {
			t.Errorf("%s: %d %s", audience, a.Code, a.Body)
		}
	}
}

// FAPI 2.0 from the push to the tokens: the proof that came with the push binds
// the code to its key (RFC 9449 §10.1), and so does dpop_jkt alone.
func TestPushBindsTheCodeToAKey(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	key, other := rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	signer := rptest.NewKey(t, "PS256")
	w.signing("fapi", signer, func(c *store.Client) { c.Profile = clients.ProfileFAPI2 })
	as := func(form url.Values) url.Values {
		form.Set("client_assertion_type", rptest.AssertionType)
		form.Set("client_assertion", signer.Assertion(t, "fapi", testIssuer, w.now(), nil))
		return form
	}
	if back := b.get(authorizeURL("fapi")).back(); back.Get("error") != "invalid_request" {
		t.Errorf("not pushed: %v", back)
	}
	for name, c := range map[string]struct {
		jkt   string
		prove bool
	}{
		"by a proof":     {"", true},
		"by dpop_jkt":    {key.Thumbprint(t), false},
		"by both, equal": {key.Thumbprint(t), true},
	} {
		r := postForm("/par", as(authParams("fapi", "dpop_jkt", c.jkt)))
		if c.prove {
			r = w.prove(r, key, nil)
		}
		a := w.do(r)
		if a.Code != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, a.Code, a.Body)
		}
		code := b.get(pushedURL("fapi", a.str("request_uri"))).back().Get("code")
		w.do(w.prove(postForm("/token", as(codeForm(code))), other, nil)).wantError(http.StatusBadRequest, "invalid_grant")
		if a := w.do(w.prove(postForm("/token", as(codeForm(code))), key, nil)); a.Code != http.StatusOK || a.str("token_type") != "DPoP" {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	w.do(w.prove(postForm("/par", as(authParams("fapi", "dpop_jkt", other.Thumbprint(t)))), key, nil)).wantError(http.StatusBadRequest, "invalid_dpop_proof")
	w.do(postForm("/par", as(authParams("fapi", "dpop_jkt", "x")))).wantError(http.StatusBadRequest, "invalid_request")
	bad := as(authParams("fapi"))
	bad.Set("client_assertion", signer.Assertion(t, "fapi", testIssuer+"/par", w.now(), nil))
	w.do(postForm("/par", bad)).wantError(http.StatusUnauthorized, "invalid_client")
}
