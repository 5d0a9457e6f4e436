package proof

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/secret"
)

func proofClaims() fields {
	return fields{"jti": "p1", "htm": "POST", "htu": endpoint, "iat": now.Unix()}
}

func request() Request { return Request{Method: "POST", URL: endpoint, Now: now} }

func proofHeader(t testing.TB, alg string) fields {
	return fields{"typ": "dpop+jwt", "alg": alg, "jwk": jwk(t, private()[alg], nil)}
}

func TestProofsOfEveryAlgorithm(t *testing.T) {
	fapi := request()
	fapi.FAPI = true
	for alg, key := range private() {
		text := sign(t, key, alg, proofHeader(t, alg), proofClaims())
		p, err := VerifyDPoP([]string{text}, request())
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		if want := thumbprintOf(t, jwk(t, key, nil)); p.Thumbprint != want {
			t.Errorf("%s: thumbprint %s, want %s", alg, p.Thumbprint, want)
		}
		hint := ""
		if alg == RS256 { // FAPI 2.0 Security Profile §5.4.1
			hint = "alg"
		}
		_, err = VerifyDPoP([]string{text}, fapi)
		checkHint(t, err, hint)
	}
}

// TestProofsOfTheRFC are the examples of RFC 9449 §§4.2 and 7.1, and the
// thumbprint of §6.1.
func TestProofsOfTheRFC(t *testing.T) {
	const (
		header = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
		token  = header + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ." +
			"2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
		resource = header + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
			"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
		accessToken = secret.String("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")
		jkt         = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	)
	at := time.Unix(1562262620, 0)
	for name, c := range map[string]struct {
		text string
		r    Request
	}{
		"token":    {token, Request{Method: "POST", URL: "https://server.example.com/token", Now: at}},
		"resource": {resource, Request{Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: accessToken, Now: at}},
	} {
		p, err := VerifyDPoP([]string{c.text}, c.r)
		if err != nil || p.Thumbprint != jkt {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		c.r.Now = time.Now()
		if _, err := VerifyDPoP([]string{c.text}, c.r); err == nil {
			t.Errorf("%s: good years later", name)
		}
	}
}

func TestProofClaims(t *testing.T) {
	at := func(d time.Duration) float64 { return float64(now.Add(d).UnixMilli()) / 1000 }
	for name, c := range map[string]struct{ change, hint any }{
		"as it should be":               {fields{}, ""},
		"jti is missing":                {fields{"jti": nil}, "jti"},
		"jti is empty":                  {fields{"jti": ""}, "jti"},
		"jti has 256 bytes":             {fields{"jti": strings.Repeat("x", 256)}, ""},
		"jti has 257 bytes":             {fields{"jti": strings.Repeat("x", 257)}, "jti"},
		"jti is an array":               {fields{"jti": []string{"p1"}}, "claims"},
		"jti comes twice":               {`,"jti":"p2"`, "claims"},
		"htm is missing":                {fields{"htm": nil}, "htm"},
		"htm is another":                {fields{"htm": "GET"}, "htm"},
		"htm in lower case":             {fields{"htm": "post"}, "htm"},
		"htu is missing":                {fields{"htu": nil}, "htu"},
		"htu is an array":               {fields{"htu": []string{endpoint}}, "claims"},
		"htu is huge":                   {fields{"htu": endpoint + strings.Repeat("/", maxProof)}, "longer"},
		"iat is missing":                {fields{"iat": nil}, "iat"},
		"iat is null":                   {fields{"iat": rawJSON("null")}, "iat"},
		"iat is a text":                 {fields{"iat": "1790000000"}, "claims"},
		"iat is ahead, within the skew": {fields{"iat": at(time.Minute)}, ""},
		"iat is ahead":                  {fields{"iat": at(61 * time.Second)}, "future"},
		"iat is almost too old":         {fields{"iat": at(-proofAge + time.Second)}, ""},
		"iat is too old":                {fields{"iat": at(-proofAge)}, "old"},
		"iat is huge":                   {fields{"iat": rawJSON("1e400")}, "claims"},
		"an ath that nobody asked for":  {fields{"ath": "x"}, ""},
		"a nonce that nobody asked for": {fields{"nonce": "x"}, ""},
		"a nonce that is a number":      {fields{"nonce": 1}, "claims"},
		"exp and nbf are not looked at": {fields{"exp": 1, "nbf": at(time.Hour)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := sign(t, private()[ES256], ES256, proofHeader(t, ES256), changed(t, proofClaims(), c.change))
			_, err := VerifyDPoP([]string{text}, request())
			checkHint(t, err, c.hint.(string))
		})
	}
}

func TestProofHeaders(t *testing.T) {
	public := jwk(t, private()[ES256], nil)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ change, hint any }{
		"typ is missing":           {fields{"typ": nil}, "typ"},
		"typ is JWT":               {fields{"typ": "JWT"}, "typ"},
		"typ with application/":    {fields{"typ": "application/dpop+jwt"}, ""},
		"no jwk":                   {fields{"jwk": nil}, "jwk"},
		"jwk is null":              {fields{"jwk": rawJSON("null")}, "jwk"},
		"a JWK in capitals":        {`,"JWK":null`, ""},
		"jwk is a text":            {fields{"jwk": "x"}, "jwk"},
		"jwk is a JWKS":            {fields{"jwk": fields{"keys": []any{public}}}, "jwk"},
		"jwk is private":           {fields{"jwk": rawJSON(marshal(t, jose.JSONWebKey{Key: private()[ES256]}))}, "private"},
		"jwk has a private null":   {fields{"jwk": rawJSON(strings.TrimSuffix(marshal(t, public), "}") + `,"d":null}`)}, "private"},
		"jwk is symmetric":         {fields{"jwk": fields{"kty": "oct", "k": b64("secret")}}, "symmetric"},
		"jwk has its kty twice":    {fields{"jwk": rawJSON(strings.TrimSuffix(marshal(t, public), "}") + `,"kty":"EC"}`)}, "once"},
		"jwk is not on the curve":  {fields{"jwk": with(public, fields{"x": b64(strings.Repeat("\x01", 32))})}, "broken"},
		"jwk at infinity":          {fields{"jwk": with(public, fields{"x": b64(strings.Repeat("\x00", 32)), "y": b64(strings.Repeat("\x00", 32))})}, "broken"},
		"jwk of another curve":     {fields{"jwk": with(public, fields{"crv": "P-384"})}, "broken"},
		"jwk of another key":       {fields{"jwk": jwk(t, mustKey(t), nil)}, "signature"},
		"jwk of another type":      {fields{"jwk": jwk(t, ed, nil)}, "signature"},
		"jwk is for encryption":    {fields{"jwk": with(public, fields{"use": "enc"})}, "use"},
		"jwk is for another alg":   {fields{"jwk": with(public, fields{"alg": "ES384"})}, "alg"},
		"jwk with a kid and more":  {fields{"jwk": with(public, fields{"kid": "k", "use": "sig", "key_ops": []string{"verify"}, "alg": ES256, "x5c": []string{"!"}, "ext": true})}, ""},
		"crit":                     {fields{"crit": []string{"x"}}, "crit"},
		"a kid, which is ignored":  {fields{"kid": "k"}, ""},
		"alg is missing":           {fields{"alg": nil}, "alg"},
		"jwk comes twice":          {`,"jwk":{}`, "header"},
		"jwk nested without bound": {fields{"jwk": rawJSON(strings.Repeat(`{"a":`, 900) + "1" + strings.Repeat("}", 900))}, "jwk"},
	} {
		t.Run(name, func(t *testing.T) {
			text := sign(t, private()[ES256], ES256, changed(t, proofHeader(t, ES256), c.change), proofClaims())
			_, err := VerifyDPoP([]string{text}, request())
			checkHint(t, err, c.hint.(string))
		})
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("RSA with 1024 bits", func(t *testing.T) {
		_, err := VerifyDPoP([]string{sign(t, weak, RS256, fields{"typ": "dpop+jwt", "alg": RS256, "jwk": jwk(t, weak, nil)}, proofClaims())}, request())
		checkHint(t, err, "1024 bits")
	})
}

// rawJSON goes into JSON as it is.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// TestOneDPoPHeader: RFC 9449 §4.3, 1.
func TestOneDPoPHeader(t *testing.T) {
	text := sign(t, private()[ES256], ES256, proofHeader(t, ES256), proofClaims())
	for _, headers := range [][]string{nil, {}, {text, text}, {text + ", " + text}, {text + "," + text}, {""}, {"DPoP " + text}} {
		if _, err := VerifyDPoP(headers, request()); err == nil {
			t.Errorf("%d headers accepted", len(headers))
		}
	}
}

// TestHTU: RFC 9449 §4.3, 9, and RFC 3986 §6.2.2 and §6.2.3.
func TestHTU(t *testing.T) {
	for htu, same := range map[string]bool{
		"https://sso.example.com/token":          true,
		"HTTPS://SSO.Example.COM/token":          true,
		"https://sso.example.com:443/token":      true,
		"https://sso.example.com:/token":         true,
		"https://sso.example.com/token?a=b":      true,
		"https://sso.example.com/token?":         true,
		"https://sso.example.com/token#a":        true,
		"https://sso.example.com/tok%65n":        true,
		"https://sso.example.com/Token":          false,
		"https://sso.example.com/token/":         false,
		"https://sso.example.com//token":         false,
		"https://sso.example.com/./token":        false,
		"https://sso.example.com/x/../token":     false,
		"https://sso.example.com/token%2f":       false,
		"https://sso.example.com/token%00":       false,
		"https://sso.example.com%2ftoken":        false,
		"https://sso.example.com\\token":         false,
		"https://sso.example.com/token;x":        false,
		"https://sso.example.com/token ":         false,
		" https://sso.example.com/token":         false,
		"https://sso.example.com":                false,
		"https://sso.example.com.:443/token":     false,
		"https://sso.example.com:80/token":       false,
		"https://sso.example.com:0443/token":     false,
		"http://sso.example.com/token":           false,
		"http://sso.example.com:443/token":       false,
		"https://user@sso.example.com/token":     false,
		"https://sso.example.com@evil.org/token": false,
		"https://evil.org/token":                 false,
		"https://evil.org?sso.example.com/token": false,
		"//sso.example.com/token":                false,
		"/token":                                 false,
		"token":                                  false,
		"https:/token":                           false,
		"https:sso.example.com/token":            false,
		"https:///token":                         false,
		"ftp://sso.example.com/token":            false,
		"":                                       false,
		"https://sso.example.com/t\u043eken":     false, // a Cyrillic o
		"https://sso\u3002example.com/token":     false,
		"https://[::1]/token":                    false,
		"https://[sso.example.com/token":         false,
		"https://sso.example.com/%zztoken":       false,
	} {
		if sameURL(htu, endpoint) != same {
			t.Errorf("%q: same is %t", htu, !same)
		}
	}
	for _, pair := range [][2]string{
		{"http://localhost:8080/token", "http://LOCALHOST:8080/token"},
		{"http://localhost:80/token", "http://localhost/token"},
		{"https://[2001:DB8::1]:443/token", "https://[2001:db8::1]/token"},
		{"https://sso.example.com", "https://sso.example.com/"},
		{"https://sso.example.com/%e2%82%ac%7e", "https://sso.example.com/%E2%82%AC~"},
		{"https://sso.example.com/€", "https://sso.example.com/%E2%82%AC"},
	} {
		if !sameURL(pair[0], pair[1]) || !sameURL(pair[1], pair[0]) {
			t.Errorf("%q is not %q", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{ // what is encoded on purpose
		{"https://sso.example.com/a%2Fb", "https://sso.example.com/a/b"},
		{"https://sso.example.com/a%3Ab", "https://sso.example.com/a:b"},
		{"https://sso.example.com/%2561", "https://sso.example.com/%61"},
	} {
		if sameURL(pair[0], pair[1]) || sameURL(pair[1], pair[0]) {
			t.Errorf("%q is %q", pair[0], pair[1])
		}
	}
}

// TestNonceOfAProof: what is wrong only for its nonce is answered by another error
// than what is wrong anyway.
func TestNonceOfAProof(t *testing.T) {
	var asked []string
	r := request()
	r.Nonce = func(nonce string) bool {
		asked = append(asked, nonce)
		return nonce == "good"
	}
	verify := func(changes fields) error {
		text := sign(t, private()[ES256], ES256, proofHeader(t, ES256), with(proofClaims(), changes))
		_, err := VerifyDPoP([]string{text}, r)
		return err
	}
	for name, c := range map[string]struct {
		changes fields
		hint    string
		nonce   bool
	}{
		"good":                     {fields{"nonce": "good"}, "", false},
		"none":                     {nil, "nonce", true},
		"old":                      {fields{"nonce": "old"}, "nonce", true},
		"none, at another URL":     {fields{"htu": "https://other.example"}, "htu", false},
		"good, with a clock at 0":  {fields{"nonce": "good", "iat": 0}, "", false},
		"good, with a clock ahead": {fields{"nonce": "good", "iat": now.Add(time.Hour).Unix()}, "", false},
		"old, with a clock ahead":  {fields{"nonce": "old", "iat": now.Add(time.Hour).Unix()}, "nonce", true},
	} {
		t.Run(name, func(t *testing.T) {
			err := verify(c.changes)
			checkHint(t, err, c.hint)
			if e, ok := err.(*Error); ok && e.Nonce != c.nonce { //nolint:errorlint // as it comes
				t.Errorf("Nonce is %t", e.Nonce)
			}
		})
	}
	slices.Sort(asked)
	if !slices.Equal(asked, []string{"", "good", "good", "good", "old", "old"}) {
		t.Errorf("asked for %q", asked)
	}
	r.FAPI = true // FAPI 2.0 Security Profile §5.3.2.1
	checkHint(t, verify(fields{"nonce": "good", "iat": now.Add(time.Minute).Unix()}), "")
	checkHint(t, verify(fields{"nonce": "good", "iat": now.Add(time.Hour).Unix()}), "future")
	sum := sha256.Sum256([]byte("token"))
	r.AccessToken = "token" // to a resource server §5.3.2.1 does not apply
	checkHint(t, verify(fields{"nonce": "good", "iat": now.Add(time.Hour).Unix(), "ath": base64url.EncodeToString(sum[:])}), "")
}

// TestProofWithANonceIsRememberedWhileTheNonceIsGood: its iat may be anything.
func TestProofWithANonceIsRememberedWhileTheNonceIsGood(t *testing.T) {
	nonces := NewNonces(secret.NewRing())
	for _, issued := range []time.Time{now, now.Add(slot)} { // the latter by a node whose clock is ahead
		nonce := nonces.Issue(issued)
		verify := func(at time.Time) (*DPoP, error) {
			r := request()
			r.Now, r.Nonce = at, func(nonce string) bool { return nonces.Accept(nonce, at) }
			return VerifyDPoP([]string{sign(t, private()[ES256], ES256, proofHeader(t, ES256), with(proofClaims(), fields{"nonce": nonce, "iat": 1}))}, r)
		}
		first, err := verify(now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify(first.Once.Until); err == nil {
			t.Error("still good when it is forgotten")
		}
	}
}

// TestAccessTokenHash: RFC 9449 §4.3, 12.
func TestAccessTokenHash(t *testing.T) {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return base64url.EncodeToString(sum[:])
	}
	r := request()
	r.AccessToken = "token"
	for name, c := range map[string]struct{ ath, hint any }{
		"of the token":          {hash("token"), ""},
		"missing":               {nil, "ath"},
		"empty":                 {"", "ath"},
		"of another token":      {hash("Token"), "ath"},
		"with padding":          {hash("token") + "=", "ath"},
		"the token itself":      {"token", "ath"},
		"a number":              {1, "claims"},
		"longer than it can be": {hash("token") + "A", "ath"},
	} {
		t.Run(name, func(t *testing.T) {
			text := sign(t, private()[ES256], ES256, proofHeader(t, ES256), with(proofClaims(), fields{"ath": c.ath}))
			_, err := VerifyDPoP([]string{text}, r)
			checkHint(t, err, c.hint.(string))
		})
	}
}

// TestProofsCountOnce: by key and jti, until the proof would be too old.
func TestProofsCountOnce(t *testing.T) {
	verify := func(alg string, changes fields, at time.Time) (*DPoP, error) {
		r := request()
		r.Now = at
		return VerifyDPoP([]string{sign(t, private()[alg], alg, proofHeader(t, alg), with(proofClaims(), changes))}, r)
	}
	first, err := verify(ES256, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := verify(ES256, fields{"iat": now.Unix() - 10}, now); err != nil || !slices.Equal(p.Once.Hash, first.Once.Hash) {
		t.Errorf("the same jti with another time: %v", err)
	}
	if p, err := verify(ES256, fields{"jti": "p2"}, now); err != nil || slices.Equal(p.Once.Hash, first.Once.Hash) {
		t.Errorf("another jti counts as the same, %v", err)
	}
	if p, err := verify(EdDSA, nil, now); err != nil || slices.Equal(p.Once.Hash, first.Once.Hash) {
		t.Errorf("another key counts as the same, %v", err)
	}
	if _, err := verify(ES256, nil, first.Once.Until.Add(-time.Millisecond)); err != nil {
		t.Errorf("just before it is forgotten: %v", err)
	}
	if _, err := verify(ES256, nil, first.Once.Until); err == nil {
		t.Error("still good when it is forgotten")
	}
}
