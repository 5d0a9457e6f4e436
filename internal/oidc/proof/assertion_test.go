package proof

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func assertion() fields {
	return fields{"iss": client, "sub": client, "aud": issuer, "jti": "a1", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
}

func rules() Rules {
	return Rules{Issuer: client, Audiences: []string{issuer, endpoint}, Now: now}
}

// judge reads and verifies an assertion with the keys of the tests.
func judge(t testing.TB, text string, r Rules) (*Assertion, error) {
	t.Helper()
	c, err := ParseAssertion(text)
	if err != nil {
		return nil, err
	}
	return c.Verify(t.Context(), r, registered(t).Find)
}

// checkHint demands an *Error whose hint holds want and may be an error_description
// (RFC 6749 §5.2), or no error where want is empty.
func checkHint(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("error %v, want an *Error about %q", err, want)
		return
	}
	if !strings.Contains(e.Hint, want) {
		t.Errorf("hint %q, want %q", e.Hint, want)
	}
	if strings.ContainsFunc(e.Hint, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		t.Errorf("hint %q cannot be an error_description", e.Hint)
	}
}

func TestAssertionsOfEveryAlgorithm(t *testing.T) {
	for alg, key := range private() {
		a, err := judge(t, sign(t, key, alg, fields{"alg": alg, "kid": alg}, assertion()), rules())
		if err != nil || a.Subject != client {
			t.Errorf("%s: %+v, %v", alg, a, err)
		}
		if alg == Ed25519 { // which go-jose calls EdDSA
			continue
		}
		// And as a library of others makes them.
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: key, KeyID: alg}}, (&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := s.Sign([]byte(marshal(t, assertion())))
		if err != nil {
			t.Fatal(err)
		}
		text, err := made.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := judge(t, text, rules()); err != nil {
			t.Errorf("%s, made by go-jose: %v", alg, err)
		}
	}
}

// TestAssertionClaims goes through RFC 7523 §3, with the times at their limits.
func TestAssertionClaims(t *testing.T) {
	at := func(d time.Duration) float64 { return float64(now.Add(d).UnixMilli()) / 1000 }
	for name, c := range map[string]struct {
		change any
		hint   string // empty: accepted
	}{
		"iss is another client":                 {fields{"iss": "other"}, "iss"},
		"iss is missing":                        {fields{"iss": nil}, "iss"},
		"iss is a number":                       {fields{"iss": 1}, "claims"},
		"sub is another client":                 {fields{"sub": "other"}, "sub"},
		"sub is missing":                        {fields{"sub": nil}, "sub"},
		"both are another client":               {fields{"iss": "other", "sub": "other"}, "iss"},
		"aud is the token endpoint":             {fields{"aud": endpoint}, ""},
		"aud is an array of one":                {fields{"aud": []string{issuer}}, ""},
		"aud is an array of two":                {fields{"aud": []string{issuer, "https://other.example"}}, "aud"},
		"aud is an array of two, both ours":     {fields{"aud": []string{issuer, endpoint}}, ""},
		"aud is an empty array":                 {fields{"aud": []string{}}, "aud"},
		"aud is an array of arrays":             {fields{"aud": []any{[]string{issuer}}}, "claims"},
		"aud is empty":                          {fields{"aud": ""}, "aud"},
		"aud is missing":                        {fields{"aud": nil}, "aud"},
		"aud is an object":                      {fields{"aud": fields{"0": issuer}}, "claims"},
		"aud has a slash more":                  {fields{"aud": issuer + "/"}, "aud"},
		"aud is somebody else":                  {fields{"aud": "https://sso.example.org"}, "aud"},
		"exp is missing":                        {fields{"exp": nil}, "no exp"},
		"exp is a text":                         {fields{"exp": "1790000060"}, "claims"},
		"exp is in milliseconds":                {fields{"exp": now.UnixMilli()}, "ahead"},
		"exp is huge":                           {fields{"exp": rawJSON("1e300")}, "claims"},
		"exp is no number":                      {`,"x":NaN`, "claims"},
		"exp is negative":                       {fields{"exp": -1}, "claims"},
		"exp is past, within the skew":          {fields{"exp": at(-59 * time.Second)}, ""},
		"exp is past":                           {fields{"exp": at(-time.Minute)}, "expired"},
		"exp is an hour and the skew ahead":     {fields{"exp": at(time.Hour + time.Minute)}, ""},
		"exp is further ahead":                  {fields{"exp": at(time.Hour + time.Minute + time.Second)}, "ahead"},
		"exp has a fraction":                    {fields{"exp": rawJSON("1790000060.25")}, ""},
		"nbf is ahead, within the skew":         {fields{"nbf": at(time.Minute)}, ""},
		"nbf is ahead":                          {fields{"nbf": at(61 * time.Second)}, "nbf"},
		"iat is missing":                        {fields{"iat": nil}, ""},
		"iat is ahead, within the skew":         {fields{"iat": at(time.Minute)}, ""},
		"iat is ahead":                          {fields{"iat": at(61 * time.Second)}, "iat"},
		"jti is missing":                        {fields{"jti": nil}, "jti"},
		"jti is empty":                          {fields{"jti": ""}, "jti"},
		"jti is a number":                       {fields{"jti": 1}, "claims"},
		"jti has 256 bytes":                     {fields{"jti": strings.Repeat("x", 256)}, ""},
		"jti has 257 bytes":                     {fields{"jti": strings.Repeat("x", 257)}, "jti"},
		"claims nobody knows":                   {fields{"deep": []any{fields{"a": []any{}}}, "Iss": "other"}, ""},
		"iss comes twice":                       {`,"iss":"wiki"`, "claims"},
		"iss in capitals is another claim":      {fields{"iss": nil, "ISS": client}, "iss"},
		"claims of a megabyte":                  {fields{"x": strings.Repeat("x", 1<<20)}, "longer"},
		"arrays in arrays":                      {`,"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), ""},
		"arrays in arrays that nobody closes":   {`,"x":` + strings.Repeat("[", 5000), "claims"},
		"something after the claims":            {`}{`, "claims"},
		"a null byte in jti is a jti like many": {fields{"jti": "a\x00b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := judge(t, sign(t, private()[ES256], ES256, fields{"alg": ES256}, changed(t, assertion(), c.change)), rules())
			checkHint(t, err, c.hint)
		})
	}
}

func TestAssertionHeaders(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ change, hint any }{
		"typ is JWT":                          {fields{"typ": "JWT"}, ""},
		"typ is jwt":                          {fields{"typ": "jwt"}, ""},
		"typ is client-authentication+jwt":    {fields{"typ": "client-authentication+jwt"}, ""},
		"typ with application/":               {fields{"typ": "application/client-authentication+jwt"}, ""},
		"typ of an access token":              {fields{"typ": "at+jwt"}, "typ"},
		"typ of a DPoP proof":                 {fields{"typ": "dpop+jwt"}, "typ"},
		"typ of a grant":                      {fields{"typ": "authorization-grant+jwt"}, "typ"},
		"typ is a number":                     {fields{"typ": 1}, "header"},
		"the kid of the key":                  {fields{"kid": ES256}, ""},
		"a kid of nobody":                     {fields{"kid": "x"}, "no key"},
		"the kid of a key for something else": {fields{"kid": RS256}, "no key"},
		"kid is an array":                     {fields{"kid": []string{ES256}}, "header"},
		"alg comes twice":                     {`,"alg":"ES256"`, "header"},
		"alg is missing":                      {fields{"alg": nil}, "alg"},
		"alg in lower case":                   {fields{"alg": "es256"}, "alg"},
		"crit names an extension":             {fields{"crit": []string{"b64"}, "b64": true}, "crit"},
		"crit is empty":                       {fields{"crit": []string{}}, "crit"},
		"crit is null":                        {`,"crit":null`, "crit"},
		"a key of its own, which is not ours": {fields{"jwk": jwk(t, other, nil)}, ""},
		"URLs of keys, which are not fetched": {fields{"jku": "https://other.example", "x5u": "https://other.example"}, ""},
		"parameters nobody knows":             {fields{"Alg": "none", "b64": false}, ""},
		"encrypted, or so it says":            {fields{"enc": "A256GCM", "alg": "dir"}, "alg"},
		"compressed, or so it says":           {fields{"zip": "DEF"}, ""},
		"a kid longer than the whole may be":  {fields{"kid": strings.Repeat("x", maxAssertion)}, "longer"},
		"alg is an object":                    {fields{"alg": fields{}}, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			text := sign(t, private()[ES256], ES256, changed(t, fields{"alg": ES256}, c.change), assertion())
			_, err := judge(t, text, rules())
			checkHint(t, err, c.hint.(string))
		})
	}
	t.Run("signed with a key in its header", func(t *testing.T) {
		_, err := judge(t, sign(t, other, ES256, fields{"alg": ES256, "jwk": jwk(t, other, nil)}, assertion()), rules())
		checkHint(t, err, "signature")
	})
}

// changed is JSON of m after a change: fields as in with, or a text that goes in
// before the last brace.
func changed(t testing.TB, m fields, change any) any {
	t.Helper()
	if text, ok := change.(string); ok {
		return strings.TrimSuffix(marshal(t, m), "}") + text + "}"
	}
	return with(m, change.(fields))
}

// TestHoleAlgorithmConfusion: the algorithm is one of ours and of the key, whatever
// a header says.
func TestHoleAlgorithmConfusion(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private()[RS256].Public())
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for name, c := range map[string]struct {
		key  any
		sign string // how it is signed
		alg  string // what it says
	}{
		"none":                                   {[]byte{}, "", "none"},
		"None":                                   {[]byte{}, "", "None"},
		"no alg":                                 {[]byte{}, "", ""},
		"HS256 with the public key as PEM":       {asPEM, "HS256", "HS256"},
		"HS256 with the public key as DER":       {der, "HS256", "HS256"},
		"HS256 that says RS256":                  {asPEM, "HS256", RS256},
		"RS256 that says PS256":                  {private()[RS256], RS256, PS256},
		"PS256 that says RS256":                  {private()[RS256], PS256, RS256},
		"RS256 that says ES256":                  {private()[RS256], RS256, ES256},
		"ES256 that says EdDSA":                  {private()[ES256], ES256, EdDSA},
		"a curve that is not ES256's":            {p384, ES256, ES256},
		"ES384 with its own curve":               {p384, "ES384", "ES384"},
		"RS512, which is not on the list":        {private()[RS256], RS256, "RS512"},
		"ES256K":                                 {private()[ES256], ES256, "ES256K"},
		"the wrong key altogether":               {mustKey(t), ES256, ES256},
		"an alg with something behind it":        {private()[ES256], ES256, "ES256 "},
		"an alg with a null byte":                {private()[ES256], ES256, "ES256\x00"},
		"the name of the family, not the alg":    {private()[ES256], ES256, "ECDSA"},
		"RSA-OAEP, which is no signature at all": {private()[RS256], RS256, "RSA-OAEP"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kid := range append([]string{""}, Algorithms(false)...) {
				if a, err := judge(t, sign(t, c.key, c.sign, fields{"alg": c.alg, "kid": kid}, assertion()), rules()); err == nil {
					t.Errorf("kid %q: accepted: %+v", kid, a)
				}
			}
			for _, alg := range Algorithms(false) { // the proof names any of our keys
				header := fields{"typ": "dpop+jwt", "alg": c.alg, "jwk": jwk(t, private()[alg], nil)}
				if p, err := VerifyDPoP([]string{sign(t, c.key, c.sign, header, proofClaims())}, request()); err == nil {
					t.Errorf("proof with the jwk of %s: accepted: %+v", alg, p)
				}
			}
		})
	}
	text := sign(t, private()[ES256], ES256, fields{"alg": ES256}, assertion())
	signed, _, _ := strings.Cut(text, ".")
	for name, signature := range map[string]string{
		"empty":               "",
		"of zeros":            b64(strings.Repeat("\x00", 64)),
		"short":               b64(strings.Repeat("\x01", 63)),
		"long":                b64(strings.Repeat("\x01", 65)),
		"of ones":             b64(strings.Repeat("\xff", 64)),
		"of ASN.1":            b64("0\x06\x02\x01\x01\x02\x01\x01"),
		"of the whole header": signed,
	} {
		if _, err := judge(t, text[:strings.LastIndexByte(text, '.')+1]+signature, rules()); err == nil {
			t.Errorf("a signature %s: accepted", name)
		}
	}
}

func mustKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestNoJWS: what is no JWS in compact form, or is one in two spellings.
func TestNoJWS(t *testing.T) {
	good := sign(t, private()[ES256], ES256, fields{"alg": ES256}, assertion())
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	raw, err := base64url.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, hint string }{
		"nothing":                       {"", "three parts"},
		"dots":                          {"..", "header"},
		"four parts":                    {good + ".", "three parts"},
		"two parts":                     {head + "." + claims, "three parts"},
		"five parts, as encrypted":      {head + "." + claims + "." + signature + "." + claims + "." + signature, "three parts"},
		"JSON":                          {`{"payload":"` + claims + `","protected":"` + head + `","signature":"` + signature + `"}`, "three parts"},
		"a space before":                {" " + good, "base64url"},
		"a line break":                  {head + "\n." + claims + "." + signature, "line break"},
		"a line break in the signature": {good[:len(good)-5] + "\r\n" + good[len(good)-5:], "line break"},
		"a line break at the end":       {good + "\n", "line break"},
		"padding":                       {head + "=." + claims + "." + signature, "base64url"},
		"the other base64":              {head + "." + claims + "." + strings.NewReplacer("-", "+", "_", "/").Replace(signature) + "+", "base64url"},
		"bits that are not zero":        {head + "." + claims + "." + lastBits(signature), "base64url"},
		"the header is an array":        {b64("[]") + "." + claims + "." + signature, "header"},
		"the header is null":            {b64("null") + "." + claims + "." + signature, "header"},
		"the header is empty":           {"." + claims + "." + signature, "header"},
		"the header is UTF-16":          {b64("\xff\xfe{\x00}\x00") + "." + claims + "." + signature, "header"},
		"the claims are an array":       {head + "." + b64("[]") + "." + signature, "claims"},
		"the claims are null":           {head + "." + b64("null") + "." + signature, "claims"},
		"the claims are a text":         {head + "." + b64(`"x"`) + "." + signature, "claims"},
		"the claims are empty":          {head + ".." + signature, "claims"},
		"a signature with more":         {head + "." + claims + "." + b64(string(raw[:half])+"\x00"+string(raw[half:])), "signature"},
		"longer than 16 KB":             {head + "." + strings.Repeat("A", maxAssertion) + "." + signature, "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := VerifyDPoP([]string{c.text}, request())
			if !errors.As(err, new(*Error)) {
				t.Errorf("proof: error %v, want an *Error", err)
			}
			_, err = judge(t, c.text, rules())
			checkHint(t, err, c.hint)
		})
	}
	if _, err := judge(t, good, rules()); err != nil {
		t.Errorf("what all of these were made of: %v", err)
	}
}

// lastBits changes the bits of the last character that encode nothing: 64 bytes
// leave four of them.
func lastBits(signature string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, signature[len(signature)-1])
	return signature[:len(signature)-1] + string(alphabet[last|1])
}

// TestAssertionsOfFAPIClients: FAPI 2.0 Security Profile §§5.3.2.1, 5.4.1.
func TestAssertionsOfFAPIClients(t *testing.T) {
	fapi := rules()
	fapi.FAPI, fapi.Audiences = true, []string{issuer}
	for alg, want := range map[string]string{ES256: "", PS256: "", EdDSA: "", RS256: "alg"} {
		_, err := judge(t, sign(t, private()[alg], alg, fields{"alg": alg, "kid": alg}, assertion()), fapi)
		checkHint(t, err, want)
	}
	for name, aud := range map[string]any{"the token endpoint": endpoint, "an array": []string{issuer}} {
		t.Run(name, func(t *testing.T) {
			_, err := judge(t, sign(t, private()[ES256], ES256, fields{"alg": ES256}, with(assertion(), fields{"aud": aud})), fapi)
			checkHint(t, err, "aud")
		})
	}
}

func TestTheAlgorithmAClientIsRegisteredFor(t *testing.T) {
	r := rules()
	r.Algorithm = PS256
	for alg, want := range map[string]string{ES256: "registered", PS256: ""} {
		_, err := judge(t, sign(t, private()[alg], alg, fields{"alg": alg, "kid": alg}, assertion()), r)
		checkHint(t, err, want)
	}
}

// TestGrants: RFC 7523 §2.1, where sub is whom the assertion is about.
func TestGrants(t *testing.T) {
	r := rules()
	r.Grant = true
	for name, c := range map[string]struct {
		header, claims fields
		hint           string
	}{
		"about somebody":                {fields{}, fields{"sub": "alice"}, ""},
		"about the client itself":       {fields{}, fields{}, ""},
		"about nobody":                  {fields{}, fields{"sub": nil}, "sub"},
		"of somebody else":              {fields{}, fields{"iss": "alice", "sub": "alice"}, "iss"},
		"typ of a grant":                {fields{"typ": "authorization-grant+jwt"}, fields{"sub": "alice"}, ""},
		"typ of client authentication":  {fields{"typ": "client-authentication+jwt"}, fields{"sub": "alice"}, "typ"},
		"without a jti, as a grant may": {fields{}, fields{"sub": "alice", "jti": nil}, "jti"},
	} {
		t.Run(name, func(t *testing.T) {
			text := sign(t, private()[ES256], ES256, with(fields{"alg": ES256}, c.header), with(assertion(), c.claims))
			a, err := judge(t, text, r)
			checkHint(t, err, c.hint)
			if c.hint == "" && a.Subject != with(assertion(), c.claims)["sub"] {
				t.Errorf("about %q", a.Subject)
			}
		})
	}
}

// TestOnce: a jti is the client's own, whatever it is shown as, and is remembered
// until the assertion would be refused for its age.
func TestOnce(t *testing.T) {
	text := func(changes fields) string {
		return sign(t, private()[ES256], ES256, fields{"alg": ES256}, with(assertion(), changes))
	}
	first, err := judge(t, text(nil), rules())
	if err != nil {
		t.Fatal(err)
	}
	late := rules()
	late.Now = first.Once.Until.Add(-time.Millisecond)
	if _, err := judge(t, text(nil), late); err != nil {
		t.Errorf("just before it is forgotten: %v", err)
	}
	late.Now = first.Once.Until
	if _, err := judge(t, text(nil), late); err == nil {
		t.Error("still good when it is forgotten")
	}
	again, err := judge(t, text(fields{"exp": now.Add(time.Second).Unix()}), rules())
	if err != nil || !slices.Equal(again.Once.Hash, first.Once.Hash) {
		t.Errorf("the same jti in another assertion: %v", err)
	}
	other, grant, repeated := rules(), rules(), rules()
	other.Issuer, grant.Grant, repeated.Repeated = "other", true, true
	if a, err := judge(t, text(nil), grant); err != nil || !slices.Equal(a.Once.Hash, first.Once.Hash) {
		t.Errorf("the same assertion as a grant: %v", err)
	}
	if a, err := judge(t, text(fields{"jti": nil, "exp": now.Add(maxRepeated).Unix()}), repeated); err != nil || a.Once.Hash != nil {
		t.Errorf("one that is shown again and again: %v", err)
	}
	if _, err := judge(t, text(fields{"exp": now.Add(maxRepeated + 2*skew).Unix()}), repeated); err == nil {
		t.Error("one that is good for longer than a day is taken")
	}
	for name, c := range map[string]struct {
		text string
		r    Rules
	}{
		"another jti":    {text(fields{"jti": "a2"}), rules()},
		"another client": {text(fields{"iss": "other", "sub": "other"}), other},
	} {
		a, err := judge(t, c.text, c.r)
		if err != nil || slices.Equal(a.Once.Hash, first.Once.Hash) {
			t.Errorf("%s: counts as the same, %v", name, err)
		}
	}
	if slices.Equal(once("k", "a", "b c", now).Hash, once("k", "a b", "c", now).Hash) {
		t.Error("where the client's name ends changes nothing")
	}
}

// TestKeysThatCannotBeHad: it is not the client's assertion that is wrong.
func TestKeysThatCannotBeHad(t *testing.T) {
	c, err := ParseAssertion(sign(t, private()[ES256], ES256, fields{"alg": ES256}, assertion()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Verify(t.Context(), rules(), NewKeySource(nil).Of("{", ""))
	if !errors.Is(err, ErrNoKeys) || errors.As(err, new(*Error)) {
		t.Errorf("%v, want ErrNoKeys and no *Error", err)
	}
}
