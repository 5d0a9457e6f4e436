package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/reason"
)

// TestHoleUpstreamLies: of what an upstream says nothing is believed that OIDC Core
// §3.1.3.7 tells a relying party to check.
func TestHoleUpstreamLies(t *testing.T) {
	set := func(name string, value any) func(*liar) {
		return func(l *liar) { l.claims = func(c map[string]any) { c[name] = value } }
	}
	drop := func(name string) func(*liar) {
		return func(l *liar) { l.claims = func(c map[string]any) { delete(c, name) } }
	}
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		lie  func(*liar)
		want reason.Code
		says string
	}{
		"the truth":          {func(*liar) {}, "", ""},
		"another nonce":      {set("nonce", "replayed"), reason.UpstreamInvalid, "nonce"},
		"no nonce":           {drop("nonce"), reason.UpstreamInvalid, "nonce"},
		"another issuer":     {set("iss", "https://evil.example"), reason.UpstreamInvalid, "issued by a different provider"},
		"another audience":   {set("aud", "them"), reason.UpstreamInvalid, "expected audience"},
		"audiences, no azp":  {set("aud", []string{"us", "them"}), reason.UpstreamInvalid, "azp"},
		"another azp":        {set("azp", "them"), reason.UpstreamInvalid, "azp"},
		"azp is no text":     {set("azp", []string{"us"}), reason.UpstreamInvalid, "azp"},
		"no sub":             {drop("sub"), reason.UpstreamInvalid, "sub"},
		"an empty sub":       {set("sub", ""), reason.UpstreamInvalid, "sub"},
		"a sub of a line":    {set("sub", "a\nb"), reason.UpstreamInvalid, "sub"},
		"a long sub":         {set("sub", strings.Repeat("a", 256)), reason.UpstreamInvalid, "sub"},
		"no iat":             {drop("iat"), reason.UpstreamInvalid, "iat"},
		"made in the future": {set("iat", now+3600), reason.UpstreamInvalid, "iat"},
		"no exp":             {drop("exp"), reason.UpstreamInvalid, "expired"},
		"expired":            {set("exp", now-10), reason.UpstreamInvalid, "expired"},
		"another at_hash":    {set("at_hash", atHash("another")), reason.UpstreamInvalid, "at_hash"},
		"no signature":       {func(l *liar) { l.sign = unsigned }, reason.UpstreamInvalid, "unexpected signature algorithm"},
		"signed by the client secret": {func(l *liar) {
			l.sign = func(c map[string]any) string {
				return signed(l.t, c, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("secret of 16 bytes", 2))})
			}
		}, reason.UpstreamInvalid, "unexpected signature algorithm"},
		"an algorithm that it does not have": {func(l *liar) {
			l.discovery = func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"RS256"} }
		}, reason.UpstreamInvalid, "unexpected signature algorithm"},
		"no algorithm of ours": {func(l *liar) {
			l.discovery = func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"none", "HS256"} }
		}, reason.UpstreamInvalid, "no algorithm that is allowed"},
		"another key of the same name": {func(l *liar) {
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			must(l.t, err)
			l.sign = func(c map[string]any) string {
				return signed(l.t, c, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: other, KeyID: "first"}})
			}
		}, reason.UpstreamInvalid, "no key"},
		"a key for encryption": {func(l *liar) {
			l.jwks = func(keys []jose.JSONWebKey) any {
				keys[0].Use = "enc"
				return jose.JSONWebKeySet{Keys: keys}
			}
		}, reason.UpstreamInvalid, "none that we can use"},
		"an unknown key beside": {func(l *liar) {
			l.jwks = func(keys []jose.JSONWebKey) any {
				return map[string]any{"keys": []any{map[string]any{"kty": "NEW", "kid": "x"}, keys[0]}}
			}
		}, "", ""},
		"no ID token": {func(l *liar) { l.token = func(a map[string]any) { delete(a, "id_token") } }, reason.UpstreamInvalid, "no ID token"},
		"another issuer in discovery": {func(l *liar) {
			l.discovery = func(m map[string]any) { m["issuer"] = "https://other.example" }
		}, reason.UpstreamInvalid, "issuer"},
		"no token endpoint": {func(l *liar) { l.discovery = func(m map[string]any) { delete(m, "token_endpoint") } }, reason.UpstreamInvalid, "token_endpoint"},
		"a script to go to": {func(l *liar) {
			l.discovery = func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" }
		}, reason.UpstreamInvalid, "authorization_endpoint"},
		"discovery is no JSON": {func(l *liar) { l.answer["/.well-known/openid-configuration"] = text200("<html>") }, reason.UpstreamInvalid, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiar(t)
			c.lie(l)
			login, err := l.logIn(l.one(), Wanted{})
			if reason.Of(err) != c.want || (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%+v, %v; want %s %q", login, err, c.want, c.says)
			}
		})
	}
}

func text200(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// TestHoleUpstreamClaimsAreRuled: nothing that an upstream says of a person counts
// without a rule: not its groups, not its methods, not whose mail addresses are.
func TestHoleUpstreamClaimsAreRuled(t *testing.T) {
	l := newLiar(t)
	got, err := l.logIn(l.one(), Wanted{})
	must(t, err)
	if got.ACR != "" || len(got.Profile.Groups) != 0 || got.Profile.EmailVerified || got.Profile.Email != "jane@partner.example" || got.IDToken != "" {
		t.Errorf("without rules: %+v", got)
	}
	got, err = l.logIn(l.one(func(e *Entry) {
		e.Groups, e.ACR, e.AllowDomains, e.AllowGroups, e.Logout = map[string]string{"staff": "partners"}, map[string]string{"gold": "mfa"}, []string{"Partner.example"}, []string{"staff"}, true
	}), Wanted{})
	must(t, err)
	if got.ACR != "mfa" || len(got.Profile.Groups) != 1 || got.Profile.Groups[0] != "partners" || !got.Profile.EmailVerified || got.IDToken == "" {
		t.Errorf("with rules: %+v", got)
	}
	for name, c := range map[string]struct {
		rule func(*Entry)
		lie  func(map[string]any)
	}{
		"a mail address of somebody else's domain": {func(e *Entry) { e.AllowDomains = []string{"partner.example"} }, func(c map[string]any) { c["email"] = "boss@example.com" }},
		"a subdomain":             {func(e *Entry) { e.AllowDomains = []string{"partner.example"} }, func(c map[string]any) { c["email"] = "j@x.partner.example" }},
		"a domain in front":       {func(e *Entry) { e.AllowDomains = []string{"partner.example"} }, func(c map[string]any) { c["email"] = "j@partner.example@evil.example" }},
		"not verified":            {func(e *Entry) { e.AllowDomains = []string{"partner.example"} }, func(c map[string]any) { c["email_verified"] = false }},
		"verified as a text":      {func(e *Entry) { e.AllowDomains = []string{"partner.example"} }, func(c map[string]any) { c["email_verified"] = "true" }},
		"in none of allow_groups": {func(e *Entry) { e.AllowGroups = []string{"Staff"} }, func(map[string]any) {}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiar(t)
			l.claims = c.lie
			if got, err := l.logIn(l.one(c.rule), Wanted{}); reason.Of(err) != reason.UpstreamNotAllowed {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestHoleUpstreamStaleLogin: where a login of now is wanted, an upstream that answers
// with an old one, or does not say, has not done it, whatever its clock shows; and a
// login is told to be no younger than it is.
func TestHoleUpstreamStaleLogin(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	for name, c := range map[string]struct {
		since  time.Duration // before now that the person must have acted; now: -1; 0: whenever
		acted  any           // before now; another claim; nil: not told
		behind time.Duration // the upstream's clock
		code   reason.Code
		told   time.Duration // before now, at least
	}{
		"now, an hour ago":                       {since: -1, acted: hour, code: reason.UpstreamStale},
		"now, not told":                          {since: -1, code: reason.UpstreamStale},
		"now, no number":                         {since: -1, acted: "now", code: reason.UpstreamStale},
		"now, now":                               {since: -1, acted: 0 * hour},
		"now, half a minute ago":                 {since: -1, acted: minute / 2, code: reason.UpstreamStale},
		"now, half a minute ago, ahead":          {since: -1, acted: minute / 2, behind: -minute / 2, code: reason.UpstreamStale},
		"now, now, behind":                       {since: -1, acted: 0 * hour, behind: minute / 2, told: minute / 2},
		"now, now, ahead":                        {since: -1, acted: 0 * hour, behind: -minute / 2},
		"now, now, far behind":                   {since: -1, acted: 0 * hour, behind: 2 * minute, code: reason.UpstreamStale},
		"since an hour, two hours ago":           {since: hour, acted: 2 * hour, code: reason.UpstreamStale},
		"since an hour, half a minute more":      {since: hour, acted: hour + minute/2, code: reason.UpstreamStale},
		"since an hour, half an hour ago":        {since: hour, acted: hour / 2, told: hour / 2},
		"since an hour, half an hour ago, ahead": {since: hour, acted: hour / 2, behind: -minute / 2, told: hour / 2},
		"whenever, not told":                     {},
		"whenever, a minute ago, ahead":          {acted: minute, behind: -minute / 2, told: minute},
		"whenever, in the future by a lie":       {acted: -hour},
	} {
		t.Run(name, func(t *testing.T) {
			l, ours := newLiar(t), &clock{time.Now()}
			l.claims = func(claims map[string]any) {
				there := ours.at.Add(-c.behind)
				claims["iat"] = there.Unix()
				if ago, ok := c.acted.(time.Duration); ok {
					claims["auth_time"] = there.Add(-ago).Unix()
				} else if claims["auth_time"] = c.acted; c.acted == nil {
					delete(claims, "auth_time")
				}
			}
			want := Wanted{Fresh: c.since < 0}
			if c.since > 0 {
				want.MinAuthTime = ours.at.Add(-c.since)
			}
			got, err := l.logIn(l.at(ours), want)
			if reason.Of(err) != c.code || (err == nil) != (c.code == "") {
				t.Fatalf("%+v, %v; want %s", got, err, c.code)
			}
			if err == nil && (got.AuthTime.After(ours.at.Add(-c.told)) || got.AuthTime.IsZero() != (c.acted == nil)) {
				t.Errorf("acted %v ago, want %v at least", ours.at.Sub(got.AuthTime), c.told)
			}
		})
	}
}

// TestHoleUpstreamMixUp: RFC 9207. An answer that says it is another's, or does not say
// where the upstream does, is no answer of it.
func TestHoleUpstreamMixUp(t *testing.T) {
	l := newLiar(t)
	l.discovery = func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }
	u := l.one()
	leaving, err := u.Begin(t.Context(), Wanted{})
	must(t, err)
	l.nonce = leaving.Row.Nonce
	for iss, code := range map[string]reason.Code{"": reason.UpstreamInvalid, "https://evil.example": reason.UpstreamInvalid, l.srv.URL + "/": reason.UpstreamInvalid, l.srv.URL: ""} {
		answer := map[string][]string{"code": {"code"}}
		if iss != "" {
			answer["iss"] = []string{iss}
		}
		if _, _, err := u.Finish(t.Context(), &leaving.Row, answer); reason.Of(err) != code {
			t.Errorf("iss %q: %v, want %s", iss, err, code)
		}
	}
	if _, _, err := u.Finish(t.Context(), &leaving.Row, map[string][]string{"code": {"code"}, "iss": {l.srv.URL, "https://evil.example"}}); reason.Of(err) != reason.UpstreamInvalid {
		t.Errorf("two issuers: %v", err)
	}
	if asked := l.count("/token"); asked != 1 {
		t.Errorf("the code went to the token endpoint %d times, want only with the right iss", asked)
	}
}

// TestHoleUpstreamSSRF: an upstream's documents lead nowhere but to the public Internet,
// and where its entry allows more, still not to a cloud's metadata.
func TestHoleUpstreamSSRF(t *testing.T) {
	l := newLiar(t)
	private := func(e *Entry) { e.AllowPrivate = false }
	if _, err := l.logIn(l.one(private), Wanted{}); reason.Of(err) != reason.UpstreamDown || !strings.Contains(err.Error(), "not allowed") || l.count("/.well-known/openid-configuration") != 0 {
		t.Errorf("loopback is asked without allow_private: %v", err)
	}
	for _, member := range []string{"token_endpoint", "jwks_uri"} {
		for _, target := range []string{"http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "https://[fd00:ec2::254]/", "http://192.168.1.1/"} {
			l := newLiar(t)
			l.discovery = func(m map[string]any) { m[member] = target }
			if _, err := l.logIn(l.one(), Wanted{}); reason.Of(err) != reason.UpstreamDown || !strings.Contains(err.Error(), "not allowed") {
				t.Errorf("%s %s: %v", member, target, err)
			}
		}
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/jwks"} {
		l := newLiar(t)
		l.answer[path] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, l.srv.URL+"/elsewhere", http.StatusTemporaryRedirect)
		}
		if _, err := l.logIn(l.one(), Wanted{}); reason.Of(err) != reason.UpstreamDown || l.count("/elsewhere") != 0 {
			t.Errorf("%s: a redirect is followed: %v", path, err)
		}
	}
}

// TestHoleUpstreamHugeAnswers: nothing is read beyond a bound.
func TestHoleUpstreamHugeAnswers(t *testing.T) {
	huge, err := json.Marshal(map[string]string{"x": strings.Repeat("a", maxBody)})
	must(t, err)
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"} {
		l := newLiar(t)
		l.answer[path] = text200(string(huge))
		if _, err := l.logIn(l.one(func(e *Entry) { e.Userinfo = true }), Wanted{}); reason.Of(err) == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestHoleUserinfoOfSomebodyElse: OIDC Core §5.3.2.
func TestHoleUserinfoOfSomebodyElse(t *testing.T) {
	for sub, code := range map[string]reason.Code{"24400320": "", "24400321": reason.UpstreamInvalid, "": reason.UpstreamInvalid} {
		l := newLiar(t)
		l.userinfo = map[string]any{"sub": sub, "name": "Jane Doe", "email": "other@partner.example"}
		got, err := l.logIn(l.one(func(e *Entry) { e.Userinfo = true }), Wanted{})
		if reason.Of(err) != code || (err == nil && (got.Profile.FullName != "Jane Doe" || got.Profile.Email != "jane@partner.example")) {
			t.Errorf("%q: %+v, %v", sub, got, err)
		}
	}
}
