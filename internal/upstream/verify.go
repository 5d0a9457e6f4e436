package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"idp/internal/reason"
	"idp/internal/store"
)

const (
	skew       = time.Minute // that clocks may differ by
	maxSubject = 255         // characters of ASCII (OIDC Core §2)
)

// idToken is an ID token that is good, and its claims.
type idToken struct {
	Subject string
	Asked   time.Time // when we asked for it
	Issued  time.Time // by the upstream's clock, in whole seconds
	Claims  map[string]any
	Raw     string
}

// verified checks the ID token of a token answer (OIDC Core §3.1.3.7). go-oidc checks
// form, signature, issuer, audience and expiry, and takes tokens without sub, iat and
// nonce; these, azp and at_hash are for us.
func (u *Upstream) verified(ctx context.Context, m *metadata, left *store.UpstreamLogin, token *oauth2.Token) (*idToken, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, invalid("the token answer has no ID token")
	}
	t, err := u.signed(ctx, m, raw)
	if err != nil {
		return nil, err
	}
	if t.Nonce == "" || t.Nonce != left.Nonce {
		return nil, invalid("ID token: the nonce is not ours")
	}
	if t.AccessTokenHash != "" && t.VerifyAccessToken(token.AccessToken) != nil {
		return nil, invalid("ID token: at_hash is not the access token's")
	}
	id := &idToken{Subject: t.Subject, Issued: t.IssuedAt, Raw: raw, Claims: map[string]any{}}
	if err := t.Claims(&id.Claims); err != nil {
		return nil, invalid("ID token: the claims are no object")
	}
	return id, u.checkClaims(t, id.Claims)
}

// signed checks form, signature, issuer, audience and expiry of a token.
func (u *Upstream) signed(ctx context.Context, m *metadata, raw string) (*oidc.IDToken, error) {
	if len(raw) > maxBody {
		return nil, invalid("the token is too long")
	}
	algs := m.signedBy()
	if len(algs) == 0 {
		return nil, invalid("the upstream signs by no algorithm that is allowed here: " + reason.Short(fmt.Sprintf("%q", m.SigningAlgs)))
	}
	keys := &verification{set: u.keys, url: m.JWKS}
	t, err := oidc.NewVerifier(u.Issuer, keys, &oidc.Config{ClientID: u.ClientID, SupportedSigningAlgs: algs, Now: u.now}).Verify(ctx, raw)
	switch {
	case keys.failed != nil:
		return nil, keys.failed
	case err != nil:
		return nil, invalid(reason.Short(fmt.Sprintf("%+q", strings.TrimPrefix(err.Error(), "oidc: "))))
	}
	return t, nil
}

// checkClaims is what go-oidc leaves out.
func (u *Upstream) checkClaims(t *oidc.IDToken, claims map[string]any) error {
	azp, hasAzp := claims["azp"]
	switch {
	case !plainSubject(t.Subject):
		return invalid("ID token: sub is missing, or no text of at most 255 characters of ASCII")
	case t.IssuedAt.Unix() <= 0:
		return invalid("ID token: iat is missing")
	case t.IssuedAt.After(u.now().Add(skew)):
		return invalid("ID token: iat is in the future")
	case len(t.Audience) > 1 && !hasAzp:
		return invalid("ID token: several audiences and no azp") // steps 4 and 5
	case hasAzp && azp != u.ClientID:
		return invalid("ID token: azp is somebody else")
	}
	return nil
}

func plainSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// actedAt is when the person acted at the upstream, never later than they did, as far
// as its clock tells: auth_time (OIDC Core §2). It may be older than was asked for, by a
// clock that is behind, and is told so: whoever trusts us judges it (§3.1.3.7 step 13).
func (u *Upstream) actedAt(left *store.UpstreamLogin, id *idToken) (time.Time, error) {
	seconds, _ := id.Claims["auth_time"].(float64)
	if seconds <= 0 || seconds >= 1e11 {
		if left.MinAuthTime != 0 {
			return time.Time{}, reason.Refuse(reason.UpstreamStale, "a login of now was asked for, and the ID token has no auth_time")
		}
		return time.Time{}, nil
	}
	now, at := u.now(), time.Unix(int64(seconds), 0)
	if at.After(id.Issued) { // nobody acts after the token that tells it
		at = id.Issued
	}
	if left.MinAuthTime != 0 {
		if err := recent(at, id.Issued, now, time.UnixMilli(left.MinAuthTime)); err != nil {
			return time.Time{}, err
		}
	}
	if id.Issued.After(now) { // its clock is ahead: how long ago, by it, before we asked for the token
		at = id.Asked.Add(at.Sub(id.Issued) - time.Second)
	}
	return at, nil
}

// recent: the upstream has logged somebody in anew where its max_age asked for it (OIDC
// Core §3.1.2.1). How long ago its own clock tells best, however wrong it is: the token
// is of this login (its nonce), so auth_time may be no longer before iat than the wanted
// time is before now. Both are whole seconds.
func recent(at, issued, now, least time.Time) error {
	if issued.Sub(at) <= now.Sub(least)+time.Second && !at.Before(least.Add(-skew)) {
		return nil
	}
	return reason.Refuse(reason.UpstreamStale, "auth_time is "+at.UTC().Format(time.RFC3339)+" in an ID token of "+issued.UTC().Format(time.RFC3339)+
		", and a login since "+least.UTC().Format(time.RFC3339)+" was asked for")
}

// userinfo are the claims of the userinfo endpoint (OIDC Core §5.3), of the same person:
// §5.3.2 demands the comparison, for else the answer could be about anybody.
func (u *Upstream) userinfo(ctx context.Context, m *metadata, token *oauth2.Token, subject string) (map[string]any, error) {
	if m.Userinfo == "" {
		return nil, invalid("userinfo: the upstream has no such endpoint")
	}
	res, err := oauth2.NewClient(context.WithValue(ctx, oauth2.HTTPClient, u.fetch.Client()), oauth2.StaticTokenSource(token)).Get(m.Userinfo)
	if err != nil {
		return nil, down("userinfo", cause(err))
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return nil, down("userinfo", fmt.Errorf("answered %d", res.StatusCode))
	}
	var claims map[string]any
	if err := json.NewDecoder(res.Body).Decode(&claims); err != nil {
		return nil, invalid("userinfo: the answer is no object of JSON, or too long")
	}
	if claims["sub"] != subject {
		return nil, invalid("userinfo: sub is somebody else")
	}
	return claims, nil
}

// cause is what package fetch says of an error of net/http, whose own text has the
// whole URL in it.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
