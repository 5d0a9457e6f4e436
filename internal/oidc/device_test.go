package oidc

import (
	"fmt"
	"html"
	"maps"
	"net/http"
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
	f := url.Values{"client_id": {client}, "scope": {"openid profile"}}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			f.Del(pairs[i])
		}
	}
	return w.do(postForm("/device_authorization", f))
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

// answerForm is the form of the question that a browser is shown.
func (b *browser) answerForm(code, answer string) url.Values {
	b.w.t.Helper()
	a := b.get("/device?user_code=" + code)
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
	for i := range 2 * 1000 {
		a := w.begin("tv")
		if a.Code == http.StatusOK {
			continue
		}
		if a.wantError(429, "temporarily_unavailable"); i < 990 {
			t.Errorf("refused after %d", i)
		}
		return
	}
	t.Error("one address may have as many as it likes")
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
		page = b.get("/device?" + url.Values{"user_code": {typed(device.str("user_code"))}}.Encode()).Body.String()
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
		if id["sub"] != u.ID || id["aud"] != "tv" || id["nonce"] != nil || id["acr"] != "1" || id["sid"] != nil || id["at_hash"] == nil {
			t.Errorf("ID token %v", id)
		}
		if access := w.claimsOf(got.str("access_token")); access["sid"] != b.sid() {
			t.Errorf("access token %v", access)
		}
		if a := w.askUserinfo(got.str("access_token")); a.str("name") != "Full alice" {
			t.Errorf("userinfo %s", a.Body)
		}
		form := refreshForm(got.str("refresh_token"))
		form.Set("client_id", "tv")
		if a := w.do(postForm("/token", form)); a.Code != http.StatusOK {
			t.Errorf("refresh %d %s", a.Code, a.Body)
		}
		again := b.get("/device?user_code=" + device.str("user_code")) // the link opened once more
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
	if a := b.get("/device?user_code=" + late.str("user_code")); a.Code != http.StatusNotFound || !strings.Contains(a.Body.String(), "No device waits") {
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
	if page := kerberos.get("/device?user_code=" + device.str("user_code")).Body.String(); strings.Contains(page, "while you are away") {
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
	a := alice.get("/device?user_code=" + device.str("user_code"))
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
	refused("mallory looks", 404, mallory.get("/device?user_code="+code))
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
		good := "/device?user_code=" + device.str("user_code")
		guess := func(b *browser, n int) *answer {
			return b.get(fmt.Sprintf("/device?user_code=BBBB-BBB%c", userCodeLetters[n]))
		}
		for i := range 4 {
			if a := guess(b, i); a.Code != http.StatusNotFound {
				t.Fatalf("guess %d: %d", i, a.Code)
			}
			guess(b, 0)                       // the same again counts once
			b.get("/device?user_code=123456") // and what never was a code not at all
			if a := b.get(good); a.Code != http.StatusOK {
				t.Fatalf("the right code after %d guesses: %d", i+1, a.Code)
			}
		}
		guess(b, 4)
		a := b.get(good)
		if a.Code != http.StatusTooManyRequests || a.Header().Get("Retry-After") != "1800" || !strings.Contains(a.Body.String(), "Try again after <time datetime=\""+w.now().Add(30*time.Minute).UTC().Format(time.RFC3339)) {
			t.Errorf("after five guesses: %d %v %s", a.Code, a.Header(), a.Body)
		}
		elsewhere := w.loggedIn("alice") // counted for the user, not for the browser
		if a := elsewhere.get(good); a.Code != http.StatusTooManyRequests {
			t.Errorf("in another browser: %d", a.Code)
		}
		if a := elsewhere.post("/device", url.Values{"user_code": {device.str("user_code")}, "answer": {"allow"}}); a.Code != http.StatusTooManyRequests {
			t.Errorf("by POST: %d", a.Code)
		}
		w.pass(30 * time.Minute)
		if a := elsewhere.get("/device?user_code=" + w.begun().str("user_code")); a.Code != http.StatusOK {
			t.Errorf("half an hour later: %d", a.Code)
		}
		// 64 at once, on two nodes: as many looks as there are guesses.
		w.user("carol")
		carol := w.loggedIn("carol")
		counts := race(64, func(i int) int {
			r := postForm(fmt.Sprintf("/device?user_code=CCCC-C%c%cC", userCodeLetters[i%20], userCodeLetters[i/20]), nil)
			r.Method = http.MethodGet
			r.RemoteAddr = "127.0.0.1:1234"
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

func TestUserCodesAreCountedPerNetworkToo(t *testing.T) {
	w := newWorld(t)
	locked := 0
	for user := range 5 {
		name := fmt.Sprintf("user%d", user)
		w.user(name)
		b := w.loggedIn(name)
		for i := range 5 {
			if a := b.get(fmt.Sprintf("/device?user_code=DDDD-D%c%cD", userCodeLetters[user], userCodeLetters[i])); a.Code == http.StatusTooManyRequests {
				locked++
			}
		}
	}
	if locked != 5 { // 20 of 25 were looked at
		t.Errorf("%d of 25 were refused", locked)
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
	if page := b.get("/device?user_code=" + device.str("user_code")).Body.String(); !strings.Contains(page, testLedger) {
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

func TestUserCodesAreReadAsPeopleTypeThem(t *testing.T) {
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", " wdjb mjht ": "WDJBMJHT", "w-d-j-b\u2014m\u00a0j h t": "WDJBMJHT",
		"": "", "WDJB-MJH": "", "WDJB-MJHTX": "", "WDJB-MJHA": "", "WDJB-MJH1": "", "WDJB_MJHT": "", "ẞDJB-MJHT": "", "//evil.ex": "",
		"WDJBMJH\u017f": "", strings.Repeat(" ", 60) + "WDJBMJHT": "",
	} {
		if got := readUserCode(typed); got != want {
			t.Errorf("%q is read as %q, want %q", typed, got, want)
		}
	}
	seen := map[rune]int{}
	for range 2000 {
		code := newUserCode()
		if readUserCode(showUserCode(code)) != code {
			t.Fatalf("%q", code)
		}
		for _, r := range code {
			seen[r]++
		}
	}
	if len(seen) != len(userCodeLetters) {
		t.Errorf("%d letters in use", len(seen))
	}
}

func FuzzUserCode(f *testing.F) {
	for _, seed := range []string{"WDJB-MJHT", "wdjb mjht", "", "WDJB\u2014MJHT", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := readUserCode(typed)
		if code == "" {
			return
		}
		if len(code) != userCodeLen || strings.Trim(code, userCodeLetters) != "" || readUserCode(showUserCode(code)) != code || readUserCode(strings.ToLower(code)) != code {
			t.Errorf("%q is read as %q", typed, code)
		}
	})
}

func TestDeviceOnlyClientsNeedNoRedirectURI(t *testing.T) {
	for _, id := range []string{"tv", "printer"} {
		w := newWorld(t)
		if problems := clients.Check(w.client(id)); problems != nil {
			t.Errorf("%s: %v", id, problems)
		}
	}
}
