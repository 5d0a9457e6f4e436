package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// telly is a relying party on a device: public, without a redirect URI.
const telly = `  - client_id: telly
    client_name: Tellyvision
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]
    scope: openid profile email
`

// deviceAnswer is what a device is answered at an endpoint for programs.
type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri_complete"`
	Access     string `json:"access_token"`
	Error      string `json:"error"`
}

// asDevice posts as the device does.
func asDevice(t *testing.T, s *idptest.Server, path string, form url.Values) (a deviceAnswer) {
	t.Helper()
	form.Set("client_id", "telly")
	p := s.Program(t).Once(http.MethodPost, path, form, nil)
	if err := json.Unmarshal([]byte(p.Body), &a); err != nil {
		t.Fatalf("%d %s: %v", p.StatusCode, p.Body, err)
	}
	return a
}

func beginDevice(t *testing.T, s *idptest.Server) deviceAnswer {
	t.Helper()
	a := asDevice(t, s, "/device_authorization", url.Values{"scope": {"openid profile"}})
	if a.DeviceCode == "" || !strings.HasPrefix(a.Page, s.Issuer+"/device?user_code=") {
		t.Fatalf("%+v", a)
	}
	return a
}

// asked is the question to a device, behind the field that its link has filled in.
func asked(t *testing.T, b *idptest.Browser, field *idptest.Page, d deviceAnswer) *idptest.Page {
	t.Helper()
	if !strings.Contains(field.Body, `value="`+d.UserCode+`"`) || strings.Contains(field.Body, "Tellyvision") {
		t.Fatalf("want the field with the code in it, and not more\n%s", field.Body)
	}
	_, form := field.Form(t, "user_code")
	form.Set("user_code", d.UserCode)
	return b.Get("/device?" + form.Encode())
}

func pollDevice(t *testing.T, s *idptest.Server, d deviceAnswer) deviceAnswer {
	t.Helper()
	return asDevice(t, s, "/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.DeviceCode}})
}

func TestDeviceByItsLink(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{Clients: telly}, func(t *testing.T, s *idptest.Server) {
		d := beginDevice(t, s)
		if a := pollDevice(t, s, d); a.Error != "authorization_pending" {
			t.Fatalf("%+v", a)
		}
		b := s.Browser(t)
		page := asked(t, b, b.LogIn(b.Get(d.Page), "bob", idptest.BobPassword), d)
		if page.Request.URL.Path != "/device" || !strings.Contains(page.Body, "Allow Tellyvision on a device?") || !strings.Contains(page.Body, d.UserCode) {
			t.Fatalf("walked %s\n%s", page.Walked, page.Body)
		}
		done := say(t, b, page, "allow")
		if done.StatusCode != http.StatusOK || !strings.Contains(done.Body, "You can go back to your device") {
			t.Fatalf("%d\n%s", done.StatusCode, done.Body)
		}
		got := pollDevice(t, s, d)
		if got.Access == "" {
			t.Fatalf("%+v", got)
		}
		info := s.Program(t).Once(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + got.Access}})
		if !strings.Contains(info.Body, `"preferred_username":"bob"`) {
			t.Errorf("%s", info.Body)
		}
		if page := b.Get("/account"); !strings.Contains(page.Body, "Tellyvision") {
			t.Error("the account does not name the device's site")
		}
		if strings.Contains(s.Log.String(), d.DeviceCode) || strings.Contains(s.Log.String(), d.UserCode) {
			t.Error("a code is in the log")
		}
	})
}

// TestHoleDeviceAllowedByAnotherSite: no other site, and no link, allows a device in
// somebody's name.
func TestHoleDeviceAllowedByAnotherSite(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: telly})
	d, b := beginDevice(t, s), s.Browser(t)
	page := asked(t, b, b.LogIn(b.Get(d.Page), "bob", idptest.BobPassword), d)
	action, form := page.Form(t, "answer")
	form.Set("answer", "allow")
	for _, header := range []http.Header{
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": nil, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil},
		{"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
	} {
		if p := b.Once(http.MethodPost, action, form, header); p.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", header, p.StatusCode)
		}
	}
	for _, target := range []string{d.Page + "&answer=allow", d.Page + "&" + form.Encode()} {
		b.Get(target)
	}
	if p := b.Once(http.MethodHead, d.Page, nil, nil); p.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", p.StatusCode)
	}
	if p := page.Header.Get("Content-Security-Policy"); !strings.Contains(p, "frame-ancestors 'none'") || page.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the question can be framed: %s", p)
	}
	if a := pollDevice(t, s, d); a.Error != "authorization_pending" {
		t.Errorf("%+v", a)
	}
}

// TestHoleDeviceCodeSentByMail: whoever is lured by a link is told who asked, from
// where, and what to do (RFC 8628 §5.4).
func TestHoleDeviceCodeSentByMail(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: telly})
	d, b := beginDevice(t, s), s.Browser(t)
	page := asked(t, b, b.LogIn(b.Get(d.Page), "bob", idptest.BobPassword), d)
	for _, words := range []string{"on another device", "less than a minute ago", "from 127.0.0.1", "Is the device in front of you?",
		"If somebody sent you this code or this link, do not allow it", "Do not allow", d.UserCode} {
		if !strings.Contains(page.Body, words) {
			t.Errorf("the question does not say %q", words)
		}
	}
	if done := say(t, b, page, "deny"); !strings.Contains(done.Body, "Nothing was allowed") {
		t.Errorf("%s", done.Body)
	}
	if a := pollDevice(t, s, d); a.Error != "access_denied" {
		t.Errorf("%+v", a)
	}
}

// TestHoleUserCodesTried: after some wrong codes nobody looks any more, on any node.
func TestHoleUserCodesTried(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{Clients: telly})
	b := s.Browser(t)
	_, form := b.LogIn(b.Get("/device"), "bob", idptest.BobPassword).Form(t, "user_code")
	types := func(code string) *idptest.Page {
		form.Set("user_code", code)
		return b.Get("/device?" + form.Encode())
	}
	for _, last := range "BCDFG" {
		if p := types("BCDF-GHJ" + string(last)); p.StatusCode != http.StatusNotFound || !strings.Contains(p.Body, "No device waits with this code") {
			t.Errorf("%d\n%s", p.StatusCode, p.Body)
		}
	}
	p := types(beginDevice(t, s).UserCode)
	if p.StatusCode != http.StatusTooManyRequests || p.Header.Get("Retry-After") == "" || !strings.Contains(p.Body, "Try again after") {
		t.Errorf("the right code after five wrong ones: %d\n%s", p.StatusCode, p.Body)
	}
	if len(s.Log.Lines("TOO_MANY_CODES")) != 1 {
		t.Error("it is not in the log")
	}
}
