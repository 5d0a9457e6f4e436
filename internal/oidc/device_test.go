package oidc

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"

// begin is what a device does first; pairs change the request.
func (w *world) begin(client string, pairs ...string) *answer {
	return w.do(postForm("/device_authorization", changed(url.Values{"client_id": {client}, "scope": {"openid profile"}}, pairs)))
}

// begun is a device of the public client tv that waits.
func (w *world) begun(pairs ...string) *answer {
	w.t.Helper()
	a := w.begin("tv", pairs...)
	if a.Code != http.StatusOK {
		w.t.Fatalf("device authorization: %d %s", a.Code, a.Body)
	}
	return a
}

func pollForm(client, code string) url.Values {
	return url.Values{"grant_type": {deviceGrantType}, "client_id": {client}, "device_code": {code}}
}

// poll asks as tv does, after the time that it has to wait.
func (w *world) poll(device *answer) *answer {
	w.pass(5 * time.Second)
	return w.do(postForm("/token", pollForm("tv", device.str("device_code"))))
}

var inputs = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// types sends a code by the form that a link to the page, or typing, fills in.
func (b *browser) types(code string) *answer {
	b.w.t.Helper()
	field := b.get("/device")
	m := inputs.FindStringSubmatch(field.Body.String())
	if field.Code != http.StatusOK || m == nil || m[1] != "form_token" {
		b.w.t.Fatalf("no field for the code: %d %s", field.Code, field.Body)
	}
	return b.get("/device?" + url.Values{"user_code": {code}, "form_token": {html.UnescapeString(m[2])}}.Encode())
}

// answerForm is the form of the question that a browser is shown.
func (b *browser) answerForm(code, answer string) url.Values {
	b.w.t.Helper()
	a := b.types(code)
	f := url.Values{"answer": {answer}}
	for _, m := range inputs.FindAllStringSubmatch(a.Body.String(), -1) {
		f.Set(m[1], html.UnescapeString(m[2]))
	}
	if a.Code != http.StatusOK || f.Get("form_token") == "" {
		b.w.t.Fatalf("no question: %d %s", a.Code, a.Body)
	}
	return f
}

// answers goes through the page.
func (b *browser) answers(device *answer, answer string) *answer {
	b.w.t.Helper()
	a := b.post("/device", b.answerForm(device.str("user_code"), answer))
	if a.Code != http.StatusSeeOther {
		b.w.t.Fatalf("answer: %d %s", a.Code, a.Body)
	}
	return b.get(a.Header().Get("Location"))
}

func TestDeviceAuthorizationResponse(t *testing.T) {
	w := newWorld(t)
	a := w.begun()
	d := a.json()
	want := []string{"device_code", "expires_in", "interval", "user_code", "verification_uri", "verification_uri_complete"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(d))); diff != "" {
		t.Error(diff)
	}
	code := a.str("user_code")
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(code) || len(a.str("device_code")) != 43 {
		t.Errorf("%s", a.Body)
	}
	if d["expires_in"] != 600.0 || d["interval"] != 5.0 || d["verification_uri"] != testIssuer+"/device" || d["verification_uri_complete"] != testIssuer+"/device?user_code="+code {
		t.Errorf("%s", a.Body)
	}
	if a.Header().Get("Cache-Control") != "no-store" || a.Header().Get("Content-Type") != "application/json" || a.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.Header())
	}
	row, err := w.Store.DeviceByUserCode(t.Context(), strings.ReplaceAll(code, "-", ""))
	must(t, err)
	if diff := cmp.Diff(secret.Hash(secret.String(a.str("device_code"))), row.Hash); diff != "" {
		t.Errorf("the device code is not kept by its hash: %s", diff)
	}
	if other := w.begun().str("user_code"); other == code {
		t.Error("two devices with one user code")
	}
}

func TestDeviceAuthorizationRefuses(t *testing.T) {
	w := newWorld(t)
	w.begin("native").wantError(400, "unauthorized_client")
	w.begin("nobody").wantError(401, "invalid_client")
	w.begin("printer").wantError(401, "invalid_client") // has a secret
	w.begin("tv", "client_secret", "secret").wantError(401, "invalid_client")
	w.begin("tv", "scope", "").wantError(400, "invalid_scope")
	w.begin("tv", "scope", "root").wantError(400, "invalid_scope")
	w.begin("tv", "resource", "https://api.example.com").wantError(400, "invalid_target")
	w.api("printer", "/device_authorization", url.Values{"scope": {"openid", "email"}}).wantError(400, "invalid_request")
	if a := w.api("printer", "/device_authorization", url.Values{"scope": {"openid root"}, "unknown": {"a", "b"}, "nonce": {""}}); a.Code != http.StatusOK {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// The whole story, once by hand and once by link, in the browser of somebody who is
// logged in and of somebody who is not.
func TestDeviceIsAllowed(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice", "staff")
	b := w.loggedIn("alice")
	for _, typed := range []func(string) string{
		func(code string) string { return code },
		strings.ToLower,
		func(code string) string { return " " + strings.ReplaceAll(code, "-", " ") + "\u2013" },
	} {
		device := w.begun()
		w.poll(device).wantError(400, "authorization_pending")
		page := b.get("/device").Body.String()
		for _, want := range []string{`name="user_code"`, `autocomplete="off"`, `autocapitalize="characters"`, `inputmode="text"`, `method="get"`} {
			if !strings.Contains(page, want) {
				t.Errorf("the field for the code has no %s", want)
			}
		}
		w.pass(time.Minute)
		page = b.types(typed(device.str("user_code"))).Body.String()
		for _, want := range []string{"Tellyvision", device.str("user_code"), "1 minute ago", "from 192.0.2.1</dd>", "alice",
			"Is the device in front of you?", "If somebody sent you this code", "Your profile", "Full alice", "/device?other=1&amp;user_code="} {
			if !strings.Contains(page, want) {
				t.Errorf("the question has no %q:\n%s", want, page)
			}
		}
		if strings.Count(page, `class="primary"`) != 1 {
			t.Error("want one primary button")
		}
		w.poll(device).wantError(400, "authorization_pending") // looking allows nothing
		if done := b.answers(device, "allow"); done.Code != http.StatusOK || !strings.Contains(done.Body.String(), "You can go back to your device") {
			t.Fatalf("%d %s", done.Code, done.Body)
		}
		got := w.poll(device)
		if got.Code != http.StatusOK || got.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
		id := w.claimsOf(got.str("id_token"))
		if id["sub"] != u.ID || id["aud"] != "tv" || id["nonce"] != nil || id["acr"] != "1" || id["sid"] != b.sid() || id["at_hash"] == nil {
			t.Errorf("ID token %v", id)
		}
		if a := w.askUserinfo(got.str("access_token")); a.str("name") != "Full alice" {
			t.Errorf("userinfo %s", a.Body)
		}
		form := refreshForm(got.str("refresh_token"))
		form.Set("client_id", "tv")
		if a := w.do(postForm("/token", form)); a.Code != http.StatusOK {
			t.Errorf("refresh %d %s", a.Code, a.Body)
		}
		again := b.types(device.str("user_code"))
		if !strings.Contains(again.Body.String(), "You can go back to your device") {
			t.Errorf("%d %s", again.Code, again.Body)
		}
	}
	if visited, _ := w.Store.VisitedClients(t.Context(), b.sid()); !slices.Contains(visited, "tv") {
		t.Errorf("visited %v", visited)
	}
}

func TestDevicePageBeginsALogin(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	device, b := w.begun(), w.browser()
	code := device.str("user_code")
	_, row := b.row(b.get("/device?user_code=" + strings.ToLower(code)))
	if row.ReturnTo != "/device?user_code="+code || row.ClientID != "" || row.Fresh {
		t.Errorf("%+v", row)
	}
	b.logIn(url.Values{"user": {"alice"}, "login": {row.ID}})
	if to := b.get("/authorize/resume?login=" + row.ID).Header().Get("Location"); to != testIssuer+"/device?user_code="+code && to != "/device?user_code="+code {
		t.Errorf("back to %q", to)
	}
	if _, row := b.row(b.get("/device?other=1&user_code=" + code)); !row.Fresh || row.ReturnTo != "/device?user_code="+code {
		t.Errorf("another account: %+v", row)
	}
	stranger := w.browser()
	if _, row := stranger.row(stranger.get("/device?user_code=//evil.example")); row.ReturnTo != "/device" {
		t.Errorf("%+v", row)
	}
	if a := w.browser().post("/device", url.Values{"user_code": {code}, "answer": {"allow"}}); a.Code != http.StatusSeeOther || !strings.HasSuffix(a.Header().Get("Location"), "/device?user_code="+code) {
		t.Errorf("an answer without a session: %d %v", a.Code, a.Header())
	}
	r := postForm("/device", nil)
	r.Method = http.MethodGet
	r.URL.RawQuery = "user_code=" + code
	r.Header.Set("Sec-Fetch-Mode", "no-cors")
	r.Header.Set("Sec-Fetch-Dest", "image")
	if a := w.do(r); a.Code != http.StatusForbidden {
		t.Errorf("an image begins a login: %d", a.Code)
	}
	w.poll(device).wantError(400, "authorization_pending")
}

func TestDeviceIsDenied(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b, device := w.loggedIn("alice"), w.begun()
	form := b.answerForm(device.str("user_code"), "allow")
	if a := b.answers(device, "deny"); !strings.Contains(a.Body.String(), "Nothing was allowed") {
		t.Errorf("%s", a.Body)
	}
	if a := b.get(b.post("/device", form).Header().Get("Location")); !strings.Contains(a.Body.String(), "Nothing was allowed") { // another window
		t.Errorf("%s", a.Body)
	}
	w.poll(device).wantError(400, "access_denied")
	w.poll(device).wantError(400, "access_denied")
}

func TestDeviceCodesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	device := w.begun()
	w.do(postForm("/token", url.Values{"grant_type": {deviceGrantType}, "client_id": {"tv"}})).wantError(400, "invalid_request")
	w.do(postForm("/token", pollForm("tv", "guessed"))).wantError(400, "invalid_grant")
	w.do(postForm("/token", pollForm("tv", device.str("user_code")))).wantError(400, "invalid_grant")
	w.do(postForm("/token", pollForm("native", device.str("device_code")))).wantError(400, "unauthorized_client")
	printer := url.Values{"grant_type": {deviceGrantType}, "device_code": {device.str("device_code")}}
	w.api("printer", "/token", printer).wantError(400, "invalid_grant")
	b.answers(device, "allow")
	w.api("printer", "/token", printer).wantError(400, "invalid_grant") // and uses nothing up
	got := w.poll(device)
	if got.Code != http.StatusOK {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	w.poll(device).wantError(400, "invalid_grant")
	if a := w.askUserinfo(got.str("access_token")); a.Code != http.StatusUnauthorized { // two had the code
		t.Errorf("a code used twice: userinfo %d", a.Code)
	}
	late := w.begun()
	w.pass(10 * time.Minute)
	w.poll(late).wantError(400, "expired_token")
	if a := b.types(late.str("user_code")); a.Code != http.StatusNotFound || !strings.Contains(a.Body.String(), "No device waits") {
		t.Errorf("an expired code: %d", a.Code)
	}
}

func TestDeviceThatAsksTooOftenIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	device := w.begun()
	ask := func(after time.Duration) *answer {
		w.pass(after)
		return w.do(postForm("/token", pollForm("tv", device.str("device_code"))))
	}
	ask(0).wantError(400, "authorization_pending")
	ask(time.Second).wantError(400, "slow_down")
	ask(5*time.Second).wantError(400, "slow_down")
	ask(15*time.Second).wantError(400, "authorization_pending")
	w.user("alice")
	w.loggedIn("alice").answers(device, "allow")
	if a := ask(0); a.Code != http.StatusOK { // it is allowed: nothing is gained by making it wait
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// What is allowed rests on the login it was allowed in, and on the user.
func TestDeviceEndsWithTheLoginThatAllowedIt(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	b := w.loggedIn("alice")
	first, second := w.begun("scope", "openid offline_access"), w.begun()
	b.answers(first, "allow")
	b.answers(second, "allow")
	got := w.poll(first)
	must(t, w.Store.EndSession(t.Context(), b.sid(), store.Entry{Actor: "test"}))
	w.poll(second).wantError(400, "invalid_grant")
	form := refreshForm(got.str("refresh_token"))
	form.Set("client_id", "tv")
	if a := w.do(postForm("/token", form)); a.Code != http.StatusOK {
		t.Errorf("offline_access ended with the session: %d %s", a.Code, a.Body)
	}
	must(t, w.Store.SetDisabled(t.Context(), u.ID, true, store.Entry{Actor: "test"}))
	if a := w.askUserinfo(got.str("access_token")); a.Code != http.StatusUnauthorized {
		t.Errorf("a disabled user's device goes on: %d", a.Code)
	}
	// By ticket there is no offline_access, and the page does not offer it.
	w.user("bob")
	kerberos := w.browser()
	kerberos.logIn(url.Values{"user": {"bob"}, "principal": {"bob@EXAMPLE.COM"}})
	device := w.begun("scope", "openid offline_access")
	if page := kerberos.types(device.str("user_code")).Body.String(); strings.Contains(page, "while you are away") {
		t.Error("a login by ticket is offered offline_access")
	}
	kerberos.answers(device, "allow")
	if a := w.poll(device); a.str("scope") != "openid" {
		t.Errorf("%s", a.Body)
	}
}

func TestDeviceOfAClientForOthersIsDenied(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	w.user("frank", "finance")
	w.client("tv").AllowGroups = []string{"finance"}
	device, alice := w.begun(), w.loggedIn("alice")
	a := alice.types(device.str("user_code"))
	if a.Code != http.StatusForbidden || !strings.Contains(a.Body.String(), "Use another account") || strings.Contains(a.Body.String(), "form_token") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	w.poll(device).wantError(400, "authorization_pending")
	frank := w.loggedIn("frank")
	frank.answers(device, "allow")
	w.client("tv").AllowGroups = []string{"board"} // since
	w.poll(device).wantError(400, "access_denied")
	w.client("tv").AllowGroups = nil
	if a := w.poll(device); a.Code != http.StatusOK { // a refusal uses nothing up
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// An answer counts from the browser that was asked, as the user who was asked, about
// the device that was shown.
func TestDeviceAnswerNeedsTheQuestionsOwnForm(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.user("mallory")
	device, other := w.begun(), w.begun()
	code := device.str("user_code")
	alice, mallory, elsewhere := w.loggedIn("alice"), w.loggedIn("mallory"), w.loggedIn("alice")
	form := alice.answerForm(code, "allow")
	refused := func(name string, status int, a *answer) {
		t.Helper()
		if a.Code != status {
			t.Errorf("%s: %d, want %d", name, a.Code, status)
		}
	}
	change := func(name, value string) url.Values {
		f := maps.Clone(form)
		f.Set(name, value)
		return f
	}
	refused("a token of mallory's", 403, alice.post("/device", mallory.answerForm(code, "allow")))
	refused("alice's form from mallory's browser", 403, mallory.post("/device", form))
	refused("alice's form from another browser of hers", 403, elsewhere.post("/device", form))
	refused("without a token", 403, alice.post("/device", change("form_token", "")))
	refused("about another device", 403, alice.post("/device", change("user_code", other.str("user_code"))))
	refused("by GET", 200, alice.get("/device?"+form.Encode()))
	refused("neither yes nor no", 400, alice.post("/device", change("answer", "maybe")))
	twice := maps.Clone(form)
	twice["answer"] = []string{"deny", "allow"}
	refused("both", 400, alice.post("/device", twice))
	w.poll(device).wantError(400, "authorization_pending")
	w.poll(other).wantError(400, "authorization_pending")
	refused("alice's own", 303, alice.post("/device", form))
	refused("mallory looks", 404, mallory.types(code))
	if got := w.poll(device); got.Code != http.StatusOK {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestUserCodesCannotBeGuessed(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		nodes := twoNodes(t, database)
		w := nodes[0]
		w.user("alice")
		device, b := w.begun(), w.loggedIn("alice")
		good := device.str("user_code")
		guess := func(b *browser, n int) *answer {
			return b.types(fmt.Sprintf("BBBB-BBB%c", "BCDFGHJKLMNPQRSTVWXZ"[n]))
		}
		for i := range 4 {
			if a := guess(b, i); a.Code != http.StatusNotFound {
				t.Fatalf("guess %d: %d", i, a.Code)
			}
			guess(b, 0)       // the same again counts once
			b.types("123456") // and what never was a code not at all
			if a := b.types(good); a.Code != http.StatusOK {
				t.Fatalf("the right code after %d guesses: %d", i+1, a.Code)
			}
		}
		guess(b, 4)
		a := b.types(good)
		if a.Code != http.StatusTooManyRequests || a.Header().Get("Retry-After") != "1800" || !strings.Contains(a.Body.String(), "Try again after <time datetime=\""+w.now().Add(30*time.Minute).UTC().Format(time.RFC3339)) {
			t.Errorf("after five guesses: %d %v %s", a.Code, a.Header(), a.Body)
		}
		elsewhere := w.loggedIn("alice") // counted for the user, not for the browser
		if a := elsewhere.types(good); a.Code != http.StatusTooManyRequests {
			t.Errorf("in another browser: %d", a.Code)
		}
		if a := elsewhere.post("/device", url.Values{"user_code": {device.str("user_code")}, "answer": {"allow"}}); a.Code != http.StatusTooManyRequests {
			t.Errorf("by POST: %d", a.Code)
		}
		w.pass(30 * time.Minute)
		if a := elsewhere.types(w.begun().str("user_code")); a.Code != http.StatusOK {
			t.Errorf("half an hour later: %d", a.Code)
		}
		// 64 at once, on two nodes: as many looks as there are guesses.
		w.user("carol")
		carol := w.loggedIn("carol")
		counts := race(64, func(i int) int {
			r := postForm(fmt.Sprintf("/device?user_code=CCCC-C%c%cC", "BCDFGHJKLMNPQRSTVWXZ"[i%20], "BCDFGHJKLMNPQRSTVWXZ"[i/20]), nil)
			r.Method = http.MethodGet
			r.RemoteAddr = "127.0.0.1:1234"
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			for name, value := range carol.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			return nodes[i%2].do(r).Code
		})
		if counts[http.StatusNotFound] != 5 || counts[http.StatusTooManyRequests] != 59 {
			t.Errorf("%v", counts)
		}
	})
}

// guess is a code that no device has.
func guess(n int) string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	return fmt.Sprintf("DDDD-D%c%cD", letters[n/20], letters[n%20])
}

// TestHoleDevicePageLocked: nobody is kept from the page by what others do: not by
// links that lead to wrong codes, and not by somebody in the same network who tries
// them. One who tries them has 5, and one more where the network's 20 are used up.
func TestHoleDevicePageLocked(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	alice := w.loggedIn("alice")
	for i, site := range []string{"cross-site", "same-site", "none", "", "same-origin, cross-site"} {
		for n := range 10 {
			r := httptest.NewRequest(http.MethodGet, "/device?form_token=x&user_code="+guess(10*i+n), nil)
			r.Header.Set("Sec-Fetch-Site", site)
			if a := alice.do(r); a.Code != http.StatusOK || !strings.Contains(a.Body.String(), `value="`+guess(10*i+n)+`"`) {
				t.Fatalf("a link, %q: %d %s", site, a.Code, a.Body)
			}
		}
	}
	device := w.begun()
	link := "/device?user_code=" + strings.ToLower(device.str("user_code"))
	field := alice.get(link).Body.String()
	if !strings.Contains(field, `value="`+device.str("user_code")+`"`) || !strings.Contains(field, "Does your television") || strings.Contains(field, "Tellyvision") {
		t.Errorf("the link: %s", field)
	}
	if said := alice.get("/device?user_code=" + url.QueryEscape("Call 555-0100")).Body.String(); strings.Contains(said, "555") {
		t.Error("a link writes on the page")
	}
	if a := alice.types(device.str("user_code")); a.Code != http.StatusOK || !strings.Contains(a.Body.String(), "Tellyvision") {
		t.Errorf("after the links: %d %s", a.Code, a.Body)
	}
	r := httptest.NewRequest(http.MethodGet, link, nil) // after a login
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if a := alice.do(r); !strings.Contains(a.Body.String(), "Tellyvision") {
		t.Errorf("from a page of ours: %d %s", a.Code, a.Body)
	}

	locked := 0
	for user := range 5 {
		name := fmt.Sprintf("user%d", user)
		w.user(name)
		b := w.loggedIn(name)
		for i := range 5 {
			if a := b.types(guess(200 + 5*user + i)); a.Code == http.StatusTooManyRequests {
				locked++
			}
		}
	}
	if locked != 4 { // of the fifth user, who has one left
		t.Errorf("%d of 25 were refused", locked)
	}
	for range 3 {
		if a := alice.types(device.str("user_code")); a.Code != http.StatusOK {
			t.Errorf("alice, who has made no error: %d", a.Code)
		}
	}
	alice.types(guess(300))
	if a := alice.types(device.str("user_code")); a.Code != http.StatusTooManyRequests {
		t.Errorf("alice after an error: %d", a.Code)
	}
	w.pass(30 * time.Minute)
	if a := alice.types(w.begun().str("user_code")); a.Code != http.StatusOK {
		t.Errorf("half an hour later: %d", a.Code)
	}
}

// TestHoleDeviceSaysTheSameNetwork: behind a proxy that nobody configured everybody
// has one address, so the page says nothing of where the device is.
func TestHoleDeviceSaysTheSameNetwork(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	alice := w.loggedIn("alice")
	begin := func(forwarded string) string {
		r := postForm("/device_authorization", url.Values{"client_id": {"tv"}, "scope": {"openid"}})
		r.RemoteAddr = "127.0.0.1:99"
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return w.do(r).str("user_code")
	}
	look := func(code, forwarded string) string {
		r := httptest.NewRequest(http.MethodGet, "/device?user_code="+code, nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		_, page, _ := strings.Cut(alice.do(r).Body.String(), "It asked")
		page, _, _ = strings.Cut(page, "</dd>")
		return page
	}
	for _, c := range []struct{ device, visitor, want string }{
		{"", "", "from 127.0.0.1, the network you are in"},
		{"198.51.100.66", "", "from where, nobody can tell"},
		{"198.51.100.66", "203.0.113.5", "from where, nobody can tell"},
		{"", "203.0.113.5", "from 127.0.0.1"},
	} {
		page := look(begin(c.device), c.visitor)
		if !strings.HasSuffix(page, c.want) {
			t.Errorf("device %q, visitor %q: %s, want %q", c.device, c.visitor, page, c.want)
		}
	}
}

func TestDeviceTokensAreBoundToADPoPKey(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	device, key, other := w.begun(), rptest.NewKey(t, "ES256"), rptest.NewKey(t, "ES256")
	w.loggedIn("alice").answers(device, "allow")
	got := w.do(w.prove(postForm("/token", pollForm("tv", device.str("device_code"))), key, nil))
	if got.Code != http.StatusOK || got.str("token_type") != "DPoP" {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	if a := w.boundUserinfo(got.str("access_token"), key, nil); a.Code != http.StatusOK {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	refresh := func(key *rptest.Key) *answer {
		form := refreshForm(got.str("refresh_token"))
		form.Set("client_id", "tv")
		return w.do(w.prove(postForm("/token", form), key, nil))
	}
	refresh(other).wantError(400, "invalid_grant")
	if a := refresh(key); a.Code != http.StatusOK {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

func TestOneOf64PollsGetsTheTokens(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		nodes := twoNodes(t, database)
		w := nodes[0]
		w.user("alice")
		device := w.begun()
		w.loggedIn("alice").answers(device, "allow")
		counts := race(64, func(i int) int {
			return nodes[i%2].do(postForm("/token", pollForm("tv", device.str("device_code")))).Code
		})
		if !cmp.Equal(counts, map[int]int{200: 1, 400: 63}) {
			t.Errorf("%v", counts)
		}
	})
}

// A device may ask for a resource (RFC 8707), which the page names.
func TestDeviceAsksForAResource(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.begin("tv", "resource", "https://unknown.example").wantError(400, "invalid_target")
	device, b := w.begun("resource", testLedger), w.loggedIn("alice")
	if page := b.types(device.str("user_code")).Body.String(); !strings.Contains(page, testLedger) {
		t.Error("the question does not name the resource")
	}
	b.answers(device, "allow")
	form := pollForm("tv", device.str("device_code"))
	form.Set("resource", testIssuer)
	w.do(postForm("/token", form)).wantError(400, "invalid_target") // and uses nothing up
	if got := w.poll(device); got.Code != http.StatusOK || w.claimsOf(got.str("access_token"))["aud"] != testLedger {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// A device of a site that is not trusted is allowed as the site itself is: what was
// allowed is listed, and ends when it is taken back.
func TestDeviceOfAnUntrustedSiteIsAConsent(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	no := false
	w.client("tv").Trusted = &no
	device := w.begun("scope", "openid profile offline_access")
	w.loggedIn("alice").answers(device, "allow")
	c, err := w.Store.Consent(t.Context(), u.ID, "tv")
	if err != nil || c.Scope != "openid profile offline_access" {
		t.Errorf("%+v, %v", c, err)
	}
	got := w.poll(device)
	must(t, w.Store.RevokeConsent(t.Context(), u.ID, "tv", store.Entry{Actor: "test"}))
	if a := w.askUserinfo(got.str("access_token")); a.Code != http.StatusUnauthorized {
		t.Errorf("taken back, and goes on: %d", a.Code)
	}
}

func TestClaimsInIDTokenOfADevice(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	device := w.api("printer", "/device_authorization", url.Values{"scope": {"openid email"}})
	w.loggedIn("alice").answers(device, "allow")
	got := w.api("printer", "/token", url.Values{"grant_type": {deviceGrantType}, "device_code": {device.str("device_code")}})
	if got.Code != http.StatusOK || got.str("refresh_token") != "" || w.claimsOf(got.str("id_token"))["email"] != "alice@example.com" {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestDeviceOnlyClientsNeedNoRedirectURI(t *testing.T) {
	for _, id := range []string{"tv", "printer"} {
		w := newWorld(t)
		if problems := clients.Check(w.client(id)); problems != nil {
			t.Errorf("%s: %v", id, problems)
		}
	}
}
