package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// RFC 6750 §3, §3.1: whoever is refused is told how to ask, in a challenge for
// each scheme; an error code only where there was a token, or something like one.
func TestUserinfoSaysHowToAsk(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	token := w.loggedIn("bob").tokens("wiki").str("access_token")
	plain := w.api("wiki", "/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}).str("access_token")
	get := func(authorization ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
		r.Header["Authorization"] = authorization
		return r
	}
	post := func(header string, form string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/userinfo", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		return r
	}
	body := func(method, media, text string) *http.Request {
		r := httptest.NewRequest(method, "/userinfo", strings.NewReader(text))
		r.Header.Set("Content-Type", media)
		return r
	}
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		code    string
	}{
		"in JSON":                    {body("POST", "application/json", `{"access_token":"`+token+`"}`), 401, ""},
		"in another kind of form":    {body("POST", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n"+token+"\r\n--x--\r\n"), 401, ""},
		"a form as plain text":       {body("POST", "text/plain", "access_token="+token), 401, ""},
		"in a form by GET":           {body("GET", "application/x-www-form-urlencoded", "access_token="+token), 401, ""},
		"no token":                   {get(), 401, ""},
		"another scheme":             {get("Basic d2lraTpzZWNyZXQ="), 401, ""},
		"a scheme alone":             {get("Bearer"), 401, ""},
		"in the URL":                 {httptest.NewRequest(http.MethodGet, "/userinfo?access_token="+token, nil), 401, ""},
		"an empty form":              {post("", ""), 401, ""},
		"not a token":                {get("Bearer x"), 401, "invalid_token"},
		"bound, it is not":           {get("DPoP " + token), 401, "invalid_token"},
		"no user's":                  {get("Bearer " + plain), 403, "insufficient_scope"},
		"two headers":                {get("Bearer "+token, "Bearer "+token), 400, "invalid_request"},
		"in header and form":         {post("Bearer "+token, "access_token="+token), 400, "invalid_request"},
		"twice in the form":          {post("", "access_token=a&access_token=b"), 400, "invalid_request"},
		"a form that is none":        {post("", "access_token=%zz"), 400, "invalid_request"},
		"not a form at all":          {post("", "access_token=%00"), 400, "invalid_request"},
		"good, in a header":          {get("Bearer " + token), 200, ""},
		"good, in a form":            {post("", "access_token="+token), 200, ""},
		"good, beside an empty form": {post("Bearer "+token, ""), 200, ""},
	} {
		a := w.do(c.request)
		challenges := strings.Join(a.Header().Values("WWW-Authenticate"), "\n")
		if a.Code != c.status || a.str("error") != c.code {
			t.Errorf("%s: %d %s, want %d %q", name, a.Code, a.Body, c.status, c.code)
		}
		if (c.status != 200) != strings.HasPrefix(challenges, `Bearer realm="userinfo"`) || strings.Contains(challenges, "error=") != (c.code != "") ||
			!strings.Contains(challenges, c.code) {
			t.Errorf("%s: challenges %q", name, challenges)
		}
		if c.code == "" && c.status == 401 && a.Body.String() != "{}" {
			t.Errorf("%s: is told of an error: %s", name, a.Body)
		}
	}
	w.pass(10 * time.Minute)
	a := w.askUserinfo(token)
	a.wantError(http.StatusUnauthorized, "invalid_token")
}

// OIDC Core §3.1.2.1 has the nonce optional; here a confidential client gets by
// with neither nonce nor PKCE only where its administrator has said both.
func TestNeitherPKCENorNonceOnlyWhereAnAdminSaysSo(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	b := w.loggedIn("bob")
	bare := authorizeURL("old", "code_challenge", "", "code_challenge_method", "", "nonce", "")
	if back := b.get(bare).back(); back.Get("error") != "invalid_request" {
		t.Errorf("require_pkce: false alone: %v", back)
	}
	no := false
	w.client("old").RequireNonce = &no
	back := b.get(bare).back()
	form := codeForm(back.Get("code"))
	form.Del("code_verifier")
	a := w.api("old", "/token", form)
	if a.Code != http.StatusOK {
		t.Fatalf("code %v, tokens %d %s", back, a.Code, a.Body)
	}
	if _, there := w.claimsOf(a.str("id_token"))["nonce"]; there {
		t.Error("a nonce that nobody sent")
	}
	w.client("wiki").RequireNonce = &no // which Check refuses
	if back := b.get(authorizeURL("wiki", "code_challenge", "", "code_challenge_method", "", "nonce", "")).back(); back.Get("error") != "invalid_request" {
		t.Errorf("without require_pkce: false: %v", back)
	}
	if back := b.get(authorizeURL("old", "code_challenge", "", "nonce", "")).back(); back.Get("error") != "invalid_request" {
		t.Errorf("half of PKCE: %v", back)
	}
}
