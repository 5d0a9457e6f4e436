package upstream

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/reason"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (l *liar) at(c *clock, more ...func(*Entry)) *Upstream {
	u := l.one(more...)
	u.now, u.about.now, u.keys.now = c.now, c.now, c.now
	return u
}

// TestARotatedKeyCounts: at once, and the old one no longer.
func TestARotatedKeyCounts(t *testing.T) {
	for _, kid := range []string{"second", "first"} { // under another name, and under the same
		l, c := newLiar(t), &clock{time.Now()}
		u := l.at(c)
		_, err := l.logIn(u, Wanted{})
		must(t, err)
		old := l.key
		l.rotate(kid)
		c.at = c.at.Add(askAgain)
		if _, err := l.logIn(u, Wanted{}); err != nil {
			t.Errorf("%s: %v", kid, err)
		}
		l.sign = func(claims map[string]any) string {
			return signed(t, claims, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: old, KeyID: "first"}})
		}
		if _, err := l.logIn(u, Wanted{}); reason.Of(err) != reason.UpstreamInvalid {
			t.Errorf("%s: a token of the old key: %v", kid, err)
		}
	}
}

// TestHoleKeysTakenBackCount: a key that an upstream has taken back counts for ten
// minutes at most, although nobody brings a token of a new one.
func TestHoleKeysTakenBackCount(t *testing.T) {
	l, c := newLiar(t), &clock{time.Now()}
	u := l.at(c)
	_, err := l.logIn(u, Wanted{})
	must(t, err)
	stolen := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: l.key, KeyID: l.kid}}
	l.rotate("second")
	l.sign = func(claims map[string]any) string {
		claims["exp"] = c.at.Add(time.Hour).Unix()
		return signed(t, claims, stolen)
	}
	c.at = c.at.Add(freshFor)
	if _, err := l.logIn(u, Wanted{}); reason.Of(err) != reason.UpstreamInvalid {
		t.Errorf("%v", err)
	}
}

// TestHoleStrangersMakeUsAskForKeys: whatever anybody sends us as a logout token, the
// upstream is asked for its keys once in some seconds.
func TestHoleStrangersMakeUsAskForKeys(t *testing.T) {
	l, c := newLiar(t), &clock{time.Now()}
	u := l.at(c)
	l.rotateWithoutTelling()
	for range 20 {
		if _, err := u.LogoutToken(t.Context(), l.idToken()); reason.Of(err) != reason.UpstreamInvalid {
			t.Fatal(err)
		}
	}
	if n := l.count("/jwks"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// rotateWithoutTelling signs by a key that is not in the JWKS.
func (l *liar) rotateWithoutTelling() {
	told := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: l.key.Public(), KeyID: l.kid, Use: "sig"}}}
	l.jwks = func([]jose.JSONWebKey) any { return told }
	l.rotate("untold")
}

// TestAnUpstreamThatIsDownIsAskedAgainAfterAWhile: one that failed is not asked for ten
// seconds, by nobody; what was learned of it before is used meanwhile.
func TestAnUpstreamThatIsDownIsAskedAgainAfterAWhile(t *testing.T) {
	const path = "/.well-known/openid-configuration"
	l, c := newLiar(t), &clock{time.Now()}
	u := l.at(c)
	l.answer[path] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	for range 5 {
		if _, err := u.Begin(t.Context(), Wanted{}); reason.Of(err) != reason.UpstreamDown || !strings.Contains(err.Error(), "answered 500") {
			t.Fatal(err)
		}
	}
	if n := l.count(path); n != 1 {
		t.Errorf("asked %d times", n)
	}
	l.answer[path] = nil
	c.at = c.at.Add(pause)
	_, err := l.logIn(u, Wanted{})
	must(t, err)

	l.answer[path] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	c.at = c.at.Add(freshFor)
	for range 5 {
		if _, err := u.Begin(t.Context(), Wanted{}); err != nil {
			t.Fatalf("what was known is not used: %v", err)
		}
	}
	if n := l.count(path); n != 3 {
		t.Errorf("asked %d times", n)
	}
	c.at = c.at.Add(staleFor)
	if _, err := u.Begin(t.Context(), Wanted{}); reason.Of(err) != reason.UpstreamDown {
		t.Errorf("a day later: %v", err)
	}
}

// TestAnUpstreamThatHangs: whoever waits for it is told at their deadline.
func TestAnUpstreamThatHangs(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/token", "/jwks"} {
		l := newLiar(t)
		u := l.one()
		leaving, err := u.Begin(t.Context(), Wanted{})
		must(t, err)
		u.about.last = nil
		ctx, late := context.WithDeadline(t.Context(), time.Now().Add(100*time.Millisecond))
		told := make(chan struct{})
		l.answer[path] = func(http.ResponseWriter, *http.Request) { <-told } // an answer at the deadline might come first
		l.nonce = leaving.Row.Nonce
		if _, _, err := u.Finish(ctx, &leaving.Row, map[string][]string{"code": {"code"}}); reason.Of(err) != reason.UpstreamDown {
			t.Errorf("%s: %v", path, err)
		}
		late()
		close(told)
	}
}

// TestWhatAnUpstreamRefuses: its errors are refusals with its code, and nothing more of
// what it says.
func TestWhatAnUpstreamRefuses(t *testing.T) {
	l := newLiar(t)
	u := l.one()
	leaving, err := u.Begin(t.Context(), Wanted{})
	must(t, err)
	_, _, err = u.Finish(t.Context(), &leaving.Row, map[string][]string{"error": {"access_denied\n"}, "error_description": {strings.Repeat("long ", 100)}})
	if reason.Of(err) != reason.UpstreamRefused || !strings.Contains(err.Error(), `"access_denied\n"`) || len(err.Error()) > 300 {
		t.Error(err)
	}
	l.answer["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"secret is ..."}`))
	}
	if _, err := l.logIn(u, Wanted{}); reason.Of(err) != reason.UpstreamRefused || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "secret is") {
		t.Error(err)
	}
	l.answer["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	if _, err := l.logIn(u, Wanted{}); reason.Of(err) != reason.UpstreamDown || !strings.Contains(err.Error(), "502") {
		t.Error(err)
	}
}
