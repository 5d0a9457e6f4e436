package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

type cluster struct {
	t     testing.TB
	store *store.Store
	ring  *secret.Ring
	clock *atomic.Int64
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{t: t, ring: secret.NewRing(), clock: &atomic.Int64{}}
	c.clock.Store(1_800_000_000_000)
	c.store = storetest.Open(t, store.Config{URL: storetest.SQLite(t), Now: c.now})
	return c
}

func (c *cluster) now() time.Time { return time.UnixMilli(c.clock.Load()) }

func (c *cluster) pass(d time.Duration) { c.clock.Add(d.Milliseconds()) }

func (c *cluster) node() *Keys {
	c.t.Helper()
	k, err := New(c.t.Context(), Config{Store: c.store, Ring: c.ring, Now: c.now})
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k *Keys, alg, typ, claims string) string {
	t.Helper()
	token, err := k.Sign(alg, typ, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func need(t testing.TB, k *Keys, algs ...string) {
	t.Helper()
	if err := k.Need(t.Context(), algs...); err != nil {
		t.Fatal(err)
	}
}

func published(k *Keys) map[string]string {
	body := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		panic(err)
	}
	out := map[string]string{}
	for _, key := range set.Keys {
		out[key.KeyID] = key.Algorithm
	}
	return out
}

func kidOf(t testing.TB, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	h, err := parseHeader(head)
	if err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

// An independent library accepts what we sign, with the published keys.
func TestSignedTokensVerifyWithPublishedKeys(t *testing.T) {
	k := newCluster(t).node()
	need(t, k, Algorithms...)
	body := k.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), `"d"`) {
		t.Fatal("the JWKS holds a private key")
	}
	for _, alg := range Algorithms {
		token := sign(t, k, alg, TypeIDToken, `{"sub":"alice"}`)
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		var claims map[string]string
		if err := parsed.Claims(set, &claims); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if diff := cmp.Diff(map[string]string{"sub": "alice"}, claims); diff != "" {
			t.Error(diff)
		}
		if typ := parsed.Headers[0].ExtraHeaders[jose.HeaderType]; typ != TypeIDToken {
			t.Errorf("typ = %v", typ)
		}
	}
}

func TestVerifyReturnsWhatWasSigned(t *testing.T) {
	k := newCluster(t).node()
	for _, alg := range Algorithms {
		for _, typ := range types {
			claims, got, err := k.Verify(sign(t, k, alg, typ, `{"a":1}`), Algorithms...)
			if err != nil || string(claims) != `{"a":1}` || got != typ {
				t.Errorf("%s %s: %s, %q, %v", alg, typ, claims, got, err)
			}
		}
	}
}

// Algorithm and key confusion (RFC 8725 §2.1), and everything else that is no
// token of ours.
func TestVerifyRefusesForgeries(t *testing.T) {
	k := newCluster(t).node()
	need(t, k, PS256)
	good := sign(t, k, ES256, TypeAccessToken, `{"sub":"alice"}`)
	rs := sign(t, k, RS256, TypeAccessToken, `{"sub":"alice"}`)
	parts := strings.Split(good, ".")
	enc := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	kid, rsKid := kidOf(t, good), kidOf(t, rs)
	foreign := sign(t, newCluster(t).node(), ES256, TypeAccessToken, `{"sub":"alice"}`)
	body := k.JWKS()
	hmacKey, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: body}, (&jose.SignerOptions{}).WithHeader("kid", kid).WithType(TypeAccessToken))
	if err != nil {
		t.Fatal(err)
	}
	hs, err := jwt.Signed(hmacKey).Claims(map[string]any{"sub": "alice"}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	// What our own keys really signed, under headers we never write.
	signedBy := func(private signer, header string) string {
		signed := enc(header) + "." + parts[1]
		signature, err := private.sign([]byte(signed))
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	selfSigned := func(header string) string { return signedBy(k.current.Load().byKid[kid], header) }
	rsKey := k.current.Load().byKid[rsKid].signer.(rs256).PrivateKey
	ps := k.active(PS256)
	if _, _, err := k.Verify(signedBy(ps, `{"alg":"PS256","kid":"`+ps.row.Kid+`"}`), PS256); err != nil {
		t.Fatalf("PS256 under a header of its own: %v", err)
	}
	if _, _, err := k.Verify(selfSigned(`{"kid":"`+kid+`","alg":"ES256"}`), ES256); err != nil {
		t.Fatalf("a header in another order: %v", err)
	}
	flipped := []byte(good)
	flipped[len(parts[0])+3] ^= 1
	for name, token := range map[string]string{
		"empty":                          "",
		"dots":                           "..",
		"two parts":                      parts[0] + "." + parts[1],
		"four parts":                     good + "." + parts[2],
		"none":                           enc(`{"alg":"none","kid":"`+kid+`"}`) + "." + parts[1] + ".",
		"HS256 with the public key":      hs,
		"header of the other algorithm":  enc(`{"alg":"RS256","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2],
		"kid of the other key":           enc(`{"alg":"ES256","kid":"`+rsKid+`"}`) + "." + parts[1] + "." + parts[2],
		"critical extension":             enc(`{"alg":"ES256","kid":"`+kid+`","crit":["b64"],"b64":false}`) + "." + parts[1] + "." + parts[2],
		"signed, of another algorithm":   selfSigned(`{"alg":"RS256","kid":"` + kid + `"}`),
		"signed, critical extension":     selfSigned(`{"alg":"ES256","kid":"` + kid + `","crit":["b64"],"b64":false}`),
		"foreign key":                    foreign,
		"another header":                 enc(`{"kid":"`+kid+`","alg":"ES256"}`) + "." + parts[1] + "." + parts[2],
		"changed claims":                 string(flipped),
		"claims of another":              parts[0] + "." + enc(`{"sub":"mallory"}`) + "." + parts[2],
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"zero signature":                 parts[0] + "." + parts[1] + "." + enc(strings.Repeat("\x00", 64)),
		"signature with padding":         good + "==",
		"signature with a line feed":     good + "\n",
		"too long":                       parts[0] + "." + strings.Repeat("A", maxToken) + "." + parts[2],
		"an algorithm not accepted here": rs,
	} {
		if _, _, err := k.Verify(token, ES256); !errors.Is(err, ErrToken) {
			t.Errorf("%s: error %v, want ErrToken", name, err)
		}
	}
	for name, token := range map[string]string{
		"PS256 by the RS256 key":             signedBy(ps256{rsKey}, `{"alg":"PS256","kid":"`+rsKid+`"}`),
		"PS256 by the RS256 key, said RS256": signedBy(ps256{rsKey}, `{"alg":"RS256","kid":"`+rsKid+`"}`),
		"RS256 by the PS256 key":             signedBy(rs256{ps.signer.(ps256).PrivateKey}, `{"alg":"RS256","kid":"`+ps.row.Kid+`"}`),
		"RS256 by the PS256 key, said PS256": signedBy(rs256{ps.signer.(ps256).PrivateKey}, `{"alg":"PS256","kid":"`+ps.row.Kid+`"}`),
		"PS256 with a long salt":             signedBy(longSalt{ps.signer.(ps256)}, `{"alg":"PS256","kid":"`+ps.row.Kid+`"}`),
	} {
		if _, _, err := k.Verify(token, Algorithms...); !errors.Is(err, ErrToken) {
			t.Errorf("%s: error %v, want ErrToken", name, err)
		}
	}
}

// longSalt signs as RFC 7518 §3.5 does not allow: the salt is longer than the hash.
type longSalt struct{ ps256 }

func (l longSalt) sign(signed []byte) ([]byte, error) {
	sum := sha256.Sum256(signed)
	return rsa.SignPSS(rand.Reader, l.PrivateKey, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 64})
}

func TestFirstKeysAreActiveAtOnceAndMadeOnce(t *testing.T) {
	c := newCluster(t)
	nodes := make([]*Keys, 4)
	var wg sync.WaitGroup
	for i := range nodes {
		wg.Go(func() {
			k, err := New(context.Background(), Config{Store: c.store, Ring: c.ring, Now: time.Now})
			if err != nil {
				t.Error(err)
			}
			nodes[i] = k
		})
	}
	wg.Wait()
	want := published(nodes[0])
	if len(want) != 2 {
		t.Fatalf("published %v, want one key per algorithm", want)
	}
	for _, k := range nodes[1:] {
		if diff := cmp.Diff(want, published(k)); diff != "" {
			t.Error(diff)
		}
	}
}

// A node that has not refreshed learns of a new key from a token that names it,
// and strangers cannot make it ask the database more than once a second.
func TestUnknownKeyIsLookedUpOnceASecond(t *testing.T) {
	c := newCluster(t)
	a, b := c.node(), c.node()
	if err := a.Rotate(t.Context(), store.Entry{Actor: "cli:root"}); err != nil {
		t.Fatal(err)
	}
	c.pass(publishOnCommand)
	if err := a.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := sign(t, a, ES256, TypeAccessToken, `{}`)
	if _, _, err := b.Verify(token, ES256); err != nil {
		t.Fatalf("token of another node's new key: %v", err)
	}
	before := b.current.Load()
	unknown := encodeHeader(ES256, "nobody", TypeAccessToken) + "e30.AAAA"
	for range 100 {
		_, _, _ = b.Verify(unknown, ES256)
	}
	if b.current.Load() != before {
		t.Error("the keys were read again within a second")
	}
	c.pass(refreshAtMost)
	_, _, _ = b.Verify(unknown, ES256)
	if b.current.Load() == before {
		t.Error("the keys were not read again after a second")
	}
}

func TestForeignRingRefusesToStart(t *testing.T) {
	c := newCluster(t)
	c.node()
	_, err := New(t.Context(), Config{Store: c.store, Ring: secret.NewRing(), Now: c.now})
	if !errors.Is(err, secret.ErrSealed) {
		t.Errorf("error %v, want ErrSealed", err)
	}
}

// A node with a new key on top seals the rows anew, so that the old key can go;
// tokens signed before verify on.
func TestANewSecretKeyTakesTheOldOnesPlace(t *testing.T) {
	c := newCluster(t)
	token := sign(t, c.node(), ES256, TypeAccessToken, `{}`)
	old, fresh := secret.Token().Reveal(), secret.Token().Reveal()
	read := func(lines ...string) *secret.Ring {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		ring, err := secret.ReadRing(path)
		if err != nil {
			t.Fatal(err)
		}
		return ring
	}
	rows, err := c.store.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows { // as if the old key had made them
		der, err := c.ring.Open(sealPurpose, r.Kid, r.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.store.ResealSigningKey(t.Context(), r.Kid, r.Sealed, read(old).Seal(sealPurpose, r.Kid, der)); err != nil {
			t.Fatal(err)
		}
	}
	for _, lines := range [][]string{{old}, {fresh, old}, {fresh}} {
		c.ring = read(lines...)
		if _, _, err := c.node().Verify(token, ES256); err != nil {
			t.Fatalf("%d lines: %v", len(lines), err)
		}
	}
	entries, err := c.store.Entries(t.Context(), store.Filter{})
	if err != nil || len(entries) != 2 {
		t.Errorf("audit: %+v, %v, want the two keys that were made", entries, err)
	}
}

func TestPrivateKeysAreSealedInTheDatabase(t *testing.T) {
	c := newCluster(t)
	c.node()
	rows, err := c.store.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if _, err := c.ring.Open(sealPurpose, "another kid", r.Sealed); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s opens under another kid", r.Kid)
		}
	}
}

func FuzzVerify(f *testing.F) {
	k := newCluster(f).node()
	f.Add("a.b.c")
	for _, alg := range Algorithms {
		f.Add(sign(f, k, alg, TypeAccessToken, `{}`))
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := k.Verify(token, Algorithms...); err != nil && !errors.Is(err, ErrToken) {
			t.Errorf("%v is not ErrToken", err)
		}
	})
}
