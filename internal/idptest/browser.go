package idptest

import (
	"context"
	"encoding/base64"
	"html"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// Browser keeps cookies and follows redirects, but not out of the server: a
// redirect to a relying party ends a walk, with its address in Page.Location.
type Browser struct {
	t      testing.TB
	s      *Server
	client *http.Client
	Header http.Header // sent with every request
	Also   []string    // origins of sites that it follows redirects to, too
}

// Program is a browser without Fetch metadata: curl, or a script.
func (s *Server) Program(t testing.TB) *Browser {
	b := s.Browser(t)
	b.Header = http.Header{}
	return b
}

// At is the browser, with its cookies, as another node of the installation answers it.
func (b *Browser) At(node *Server) *Browser {
	client := *b.client
	client.Transport = node.transport()
	return &Browser{t: b.t, s: node, client: &client, Header: b.Header}
}

// transport asks this node for whatever has the issuer's address.
func (s *Server) transport() *http.Transport {
	t := Transport()
	dial, issuer := t.DialContext, strings.TrimPrefix(s.Issuer, "http://")
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == issuer {
			addr = s.address
		}
		return dial(ctx, network, addr)
	}
	return t
}

// Page is where a walk ended.
type Page struct {
	*http.Response
	Body     string
	Location *url.URL // of a redirect out of the server; nil when there was none
	Walked   []string // paths on the way
}

// Browser opens a new browser without cookies.
func (s *Server) Browser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Browser{t: t, s: s, client: &http.Client{Transport: s.transport(), Jar: jar, CheckRedirect: stay},
		Header: http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}}
}

// Get opens a path or URL.
func (b *Browser) Get(target string) *Page { return b.walk(http.MethodGet, target, nil, nil) }

// GetWith opens it with an Authorization header on the first request only.
func (b *Browser) GetWith(target, authorization string) *Page {
	return b.walk(http.MethodGet, target, nil, http.Header{"Authorization": {authorization}})
}

// Post sends a form.
func (b *Browser) Post(target string, form url.Values) *Page {
	return b.walk(http.MethodPost, target, form, nil)
}

// Once sends one request and follows nothing.
func (b *Browser) Once(method, target string, form url.Values, header http.Header) *Page {
	b.t.Helper()
	u := b.resolve(target)
	req, err := http.NewRequestWithContext(context.Background(), method, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range []http.Header{b.Header, header} {
		for k, v := range h {
			req.Header[k] = v
		}
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return &Page{Response: resp, Body: ReadAll(b.t, resp), Walked: []string{u.Path}}
}

func (b *Browser) resolve(target string) *url.URL {
	b.t.Helper()
	base, err := url.Parse(b.s.Issuer)
	if err != nil {
		b.t.Fatal(err)
	}
	u, err := base.Parse(target)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *Browser) walk(method, target string, form url.Values, first http.Header) *Page {
	b.t.Helper()
	var walked []string
	for range 20 {
		p := b.Once(method, target, form, first)
		walked = append(walked, p.Walked...)
		p.Walked = walked
		loc, err := p.Response.Location()
		if err != nil {
			return p
		}
		if !b.follows(loc) {
			p.Location = loc
			return p
		}
		method, target, form, first = http.MethodGet, loc.String(), nil, nil
	}
	b.t.Fatalf("redirected for ever: %s", walked)
	return nil
}

func (b *Browser) follows(loc *url.URL) bool {
	return slices.Contains(append(b.Also, b.s.Issuer), loc.Scheme+"://"+loc.Host)
}

// Cookies are those the browser would send to the server.
func (b *Browser) Cookies() []*http.Cookie { return b.client.Jar.Cookies(b.resolve("/")) }

// CookiesAt are those that it would send to another address.
func (b *Browser) CookiesAt(address string) []*http.Cookie {
	return b.client.Jar.Cookies(b.resolve(address))
}

// Plant gives the browser cookies of the server, as whoever can set cookies for it
// does: a neighbour, or somebody on the way of an issuer without https.
func (b *Browser) Plant(cookies ...*http.Cookie) { b.client.Jar.SetCookies(b.resolve("/"), cookies) }

var (
	formRE  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputRE = regexp.MustCompile(`<(?:input|button)[^>]*>`)
	attrRE  = regexp.MustCompile(`(name|value|type)="([^"]*)"`)
)

// Form is the form of a page whose fields include field: its action and what
// its hidden inputs hold.
func (p *Page) Form(t testing.TB, field string) (action string, values url.Values) {
	t.Helper()
	for _, m := range formRE.FindAllStringSubmatch(p.Body, -1) {
		if !strings.Contains(m[2], `name="`+field+`"`) {
			continue
		}
		values = url.Values{}
		for _, input := range inputRE.FindAllString(m[2], -1) {
			a := map[string]string{}
			for _, kv := range attrRE.FindAllStringSubmatch(input, -1) {
				a[kv[1]] = html.UnescapeString(kv[2])
			}
			if a["type"] == "hidden" {
				values.Set(a["name"], a["value"])
			}
		}
		return html.UnescapeString(m[1]), values
	}
	t.Fatalf("no form with a field %q on this page:\n%s", field, p.Body)
	return "", nil
}

// LogIn fills in the login form of a page and sends it.
func (b *Browser) LogIn(p *Page, username, password string) *Page {
	b.t.Helper()
	action, form := p.Form(b.t, "password")
	form.Set("username", username)
	form.Set("password", password)
	return b.Post(action, form)
}

// Basic is the Authorization header of RFC 7617.
func Basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// Auth is one authorization request of a relying party.
type Auth struct {
	Verifier string
	Query    url.Values
}

// NewAuth is a sound authorization request of a client of the server, with PKCE,
// state and nonce; change Query to make another.
func NewAuth(clientID, redirectURI string) *Auth {
	a := &Auth{Verifier: oauth2.GenerateVerifier()}
	a.Query = url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {"openid profile email groups"},
		"state": {oauth2.GenerateVerifier()}, "nonce": {oauth2.GenerateVerifier()},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(a.Verifier)}, "code_challenge_method": {"S256"},
	}
	return a
}

// Wiki is a sound authorization request of the relying party wiki.
func Wiki() *Auth { return NewAuth("wiki", "http://wiki.localhost/callback") }

// URL is the address a relying party sends the browser to.
func (a *Auth) URL() string { return "/authorize?" + a.Query.Encode() }

// Code is the code of the redirect a walk ended with; it fails the test when
// there is none, or the state or issuer is not the right one.
func (a *Auth) Code(t testing.TB, s *Server, p *Page) string {
	t.Helper()
	if p.Location == nil {
		t.Fatalf("walked %s and stayed: status %d\n%s", p.Walked, p.StatusCode, p.Body)
	}
	q := p.Location.Query()
	if q.Get("state") != a.Query.Get("state") || q.Get("iss") != s.Issuer || q.Get("code") == "" {
		t.Fatalf("redirected to %s: want a code, our state, and the issuer", p.Location)
	}
	return q.Get("code")
}
