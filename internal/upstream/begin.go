package upstream

import (
	"context"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"idp/internal/secret"
	"idp/internal/store"
)

// startFor bounds a start: what the upstream is asked before somebody goes there.
const startFor = 5 * time.Second

// Wanted is what somebody goes to an upstream for.
type Wanted struct {
	For         store.UpstreamLogin // LoginID, BrowserHash, LinkUserID
	Fresh       bool                // they must act there now
	MinAuthTime time.Time           // or must have acted since; zero: whenever
	LoginHint   string
	ACRValues   string // its own levels, one of which is wanted; empty: any
}

// Leaving is a login that leaves for an upstream.
type Leaving struct {
	URL string
	Row store.UpstreamLogin // to be kept before anybody goes there
}

// Begin makes the authentication request (OIDC Core §3.1.2.1). The error is a
// *reason.Error when the upstream cannot be asked.
func (u *Upstream) Begin(ctx context.Context, w Wanted) (*Leaving, error) {
	ctx, cancel := context.WithTimeout(ctx, startFor)
	defer cancel()
	m, err := u.about.metadata(ctx)
	if err != nil {
		return nil, given(ctx, "discovery", err)
	}
	state, nonce, verifier := secret.Token(), secret.Token().Reveal(), oauth2.GenerateVerifier()
	now := u.now()
	row := w.For
	row.Hash, row.Upstream, row.Nonce, row.Verifier = secret.Hash(state), u.ID, nonce, verifier
	row.ExpiresAt = now.Add(lives).UnixMilli()
	extra := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce), oauth2.SetAuthURLParam("response_mode", "query"),
	}
	add := func(name, value string) {
		if value != "" {
			extra = append(extra, oauth2.SetAuthURLParam(name, value))
		}
	}
	add("login_hint", w.LoginHint)
	add("acr_values", w.ACRValues)
	switch {
	case w.Fresh: // max_age makes auth_time REQUIRED (§2), by which we see that they did
		add("prompt", "login")
		add("max_age", "0")
		row.MinAuthTime = now.UnixMilli()
	case !w.MinAuthTime.IsZero():
		add("max_age", strconv.FormatInt(max(0, int64(now.Sub(w.MinAuthTime)/time.Second)), 10))
		row.MinAuthTime = w.MinAuthTime.UnixMilli()
	}
	return &Leaving{URL: u.config(m).AuthCodeURL(state.Reveal(), extra...), Row: row}, nil
}
