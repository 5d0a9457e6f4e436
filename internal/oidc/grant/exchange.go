package grant

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/audit"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
)

// MaxChain is how many clients may act one for the other in a token, so that nobody
// goes in circles for ever.
const MaxChain = 5

// exchangeGrant gives a client a token for another audience, in exchange for one of the
// same user (RFC 8693): one that it was given itself, or that its policy lets it take
// from others. The token says who acts (§4.1), allows no more than the one that it was
// got for, and ends no later.
func (p *Endpoint) exchangeGrant(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	issued, err := issuedType(ps)
	if err != nil {
		return nil, err
	}
	sub, err := p.readSubject(ps)
	if err != nil {
		return nil, err
	}
	target, err := p.Tokens.Target(client, ps)
	if err != nil {
		return nil, err
	}
	allowed, ok := clients.ExchangeFor(client, target)
	if !ok {
		return nil, protocol.ErrInvalidTarget().WithDescription("the client may not exchange tokens for this audience (exchange)")
	}
	if err := p.mayExchange(client, allowed, sub, jkt); err != nil {
		return nil, err
	}
	st, err := p.subjectState(r.Context(), client, sub)
	if err != nil {
		return nil, subjectGone(err)
	}
	if !clients.MayLogIn(client, st.User) {
		return nil, badSubject("the user may not use this client", nil)
	}
	// Without an address: it is the client's, and a rule about people's networks says
	// nothing of it.
	if need := p.Policy.Required(st.User, client.ClientID, "", policy.From{Outside: true}); !policy.Reaches(st.Grant.ACR, need) {
		return nil, badSubject("the user has not shown enough for this client (factors: acr "+need+")", nil)
	}
	scope, err := exchangedScope(allowed, p.narrows(sub), st.Scope, ps["scope"])
	if err != nil {
		return nil, err
	}
	t := tokens.Response{Client: client, Grant: st.Grant, User: st.User, Giver: st.Giver, Scope: scope, Audience: target, JKT: jkt,
		Issued: issued, Act: &tokens.Actor{Subject: client.ClientID, Act: sub.Act}, Parent: sub.ID, Expires: p.exchangedUntil(allowed, sub)}
	if err := p.recordExchange(r, &t, sub); err != nil {
		return nil, subjectGone(err)
	}
	return p.Tokens.Respond(t)
}

// issuedType is the type of token that is asked for (RFC 8693 §2.1): an access token,
// which is a JWT.
func issuedType(ps wire.Params) (string, error) {
	switch typ := protocol.TokenType(ps["requested_token_type"]); typ {
	case "", protocol.AccessTokenType:
		return string(protocol.AccessTokenType), nil
	case protocol.JWTTokenType:
		return string(typ), nil
	}
	return "", protocol.ErrInvalidRequest().WithDescription("requested_token_type: what is issued is %s, or the same as %s", protocol.AccessTokenType, protocol.JWTTokenType)
}

// subject is the token that somebody shows to get another.
type subject struct {
	*tokens.AccessClaims
	site bool // it is what a proxy told an application of who is there, and no access token
}

// readSubject reads the subject token by its type (RFC 8693 §3).
func (p *Endpoint) readSubject(ps wire.Params) (s subject, err error) {
	if ps["actor_token"] != "" || ps["actor_token_type"] != "" {
		return s, protocol.ErrInvalidRequest().WithDescription("actor_token is not supported: the client that asks is the actor")
	}
	token, err := ps.Need("subject_token")
	if err != nil {
		return s, err
	}
	typ, err := ps.Need("subject_token_type")
	if err != nil {
		return s, err
	}
	switch protocol.TokenType(typ) {
	case protocol.AccessTokenType:
		s.AccessClaims, err = p.Tokens.ReadAccess(token)
	case protocol.JWTTokenType:
		s.site = true
		s.AccessClaims, err = p.Tokens.ReadAssertion(token)
	case protocol.IDTokenType:
		return s, badSubject("an ID token tells its client who logged in, and is no proof to be passed on: exchange the access token", nil)
	default:
		return s, badSubject("subject_token_type is not supported: want "+string(protocol.AccessTokenType)+", or "+
			string(protocol.JWTTokenType)+" for the assertion of forward auth", nil)
	}
	if err != nil {
		err = badSubject("the subject token is not of this issuer, not of that type, or has expired", err)
	}
	return s, err
}

// mayExchange: a client exchanges what it was given itself, and what was made for the
// audiences that its policy names. A token for this issuer is nobody else's to take.
func (p *Endpoint) mayExchange(client *store.Client, allowed store.Exchange, s subject, jkt string) error {
	own := !s.site && s.ClientID == client.ClientID
	taken := s.Audience != p.Issuer && slices.Contains(allowed.From, s.Audience)
	switch {
	case !own && !taken:
		return badSubject("the subject token was given to another client, and is not for an audience that this one may take tokens of (exchange: from)", nil)
	case !s.site && s.Grant == "":
		return badSubject("the subject token is a client's own: there is no user to act for", nil)
	case len(s.Act.Chain()) >= MaxChain:
		return badSubject("the subject token went through as many clients as one may", nil)
	case s.Confirmation.JKT != "" && s.Confirmation.JKT != jkt:
		return badSubject("the subject token is bound to a DPoP key, whose proof has to come along", nil)
	}
	return nil
}

// subjectState is what the subject token stands for now. store.ErrNotFound: nothing.
func (p *Endpoint) subjectState(ctx context.Context, client *store.Client, s subject) (st *standing.State, err error) {
	switch {
	case !s.site:
		st, err = p.Standing.OfToken(ctx, s.AccessClaims)
	case s.Grant != "":
		st, err = p.Standing.OfGrant(ctx, s.Grant, "")
	default:
		return p.programState(ctx, client, s)
	}
	if err == nil && st.User.ID != s.Subject {
		err = store.ErrNotFound
	}
	return st, err
}

// programState is of a program that showed a ticket or a password to a proxy, and got no
// grant by it: it gets one of this client, which ends with the assertion.
func (p *Endpoint) programState(ctx context.Context, client *store.Client, s subject) (*standing.State, error) {
	u, err := p.Store.UserByID(ctx, s.Subject)
	if err == nil {
		u, err = p.Standing.AskDirectory(ctx, u)
	}
	if err != nil {
		return nil, err
	}
	g := &store.Grant{ID: secret.ID(), ClientID: client.ClientID, UserID: u.ID, SessionID: s.SessionID, Scope: protocol.ScopeOpenID + " " + protocol.ScopeProfile,
		AMR: s.AMR, ACR: s.ACR, AuthTime: s.AuthTime * 1000, CreatedAt: p.Now().UnixMilli(), ExpiresAt: (s.Expires + 60) * 1000}
	return &standing.State{Client: client, Giver: client, Grant: g, User: u}, nil
}

// narrows reports whether the scope of a subject token bounds that of the new one: it
// says what may be done at a back end. That of a token for userinfo is about the
// profile, and the assertion has none; the policy alone bounds these.
func (p *Endpoint) narrows(s subject) bool {
	return !s.site && (s.Audience != p.Issuer || s.Act != nil)
}

// exchangedScope is what of the asked scope may be given, all of it where nothing is
// asked. had is the subject token's.
func exchangedScope(allowed store.Exchange, narrows bool, had, asked string) (string, error) {
	may := clients.FilterScope(strings.Join(allowed.Scopes, " "), func(name string) bool { return !narrows || clients.HasScope(had, name) })
	if may == "" && len(allowed.Scopes) > 0 {
		return "", protocol.ErrInvalidScope().WithDescription("the subject token has none of the scopes that the client may pass on to this audience")
	}
	scope, ok := clients.Narrower(may, asked)
	if !ok {
		return "", protocol.ErrInvalidScope().WithDescription("scope holds more than the client may pass on to this audience, or than the subject token has")
	}
	return scope, nil
}

// exchangedUntil: as the policy says, and no longer than the subject token.
func (p *Endpoint) exchangedUntil(allowed store.Exchange, s subject) time.Time {
	until := p.Now().Add(cmp.Or(allowed.Lifetime.D(), p.AccessToken))
	if end := time.Unix(s.Expires, 0); end.Before(until) {
		return end
	}
	return until
}

// recordExchange writes the audit entry, and stores the grant where the subject token
// came without.
func (p *Endpoint) recordExchange(r *http.Request, t *tokens.Response, s subject) error {
	detail, err := json.Marshal(struct {
		Audience string   `json:"audience"`
		Scope    string   `json:"scope,omitempty"`
		From     string   `json:"from"` // whom the subject token was given to, or told
		For      string   `json:"for"`  // its audience
		Chain    []string `json:"chain"`
	}{t.Audience, t.Scope, cmp.Or(s.ClientID, s.Audience), s.Audience, t.Act.Chain()})
	if err != nil {
		return err
	}
	e := clientauth.Entry(r, t.Client)
	e.Event, e.Detail, e.UserID, e.Name, e.SessionID = audit.TokenExchanged, string(detail), t.User.ID, t.User.Name, t.Grant.SessionID
	if s.Grant != "" {
		return p.Store.Audit(r.Context(), e)
	}
	return p.Store.GiveGrant(r.Context(), store.Give{Grant: *t.Grant, Entry: e, Check: func(now store.Standing) error {
		current, err := standing.RegisteredNow(t.Client, &now)
		if err != nil {
			return err
		}
		return standing.StillGranted(current, t.Grant, &now)
	}})
}

// badSubject: "if the subject_token is invalid for any reason, or unacceptable based on
// policy", it is invalid_request (RFC 8693 §2.2.2).
func badSubject(description string, cause error) error {
	return protocol.ErrInvalidRequest().WithDescription("%s", description).WithParent(cause)
}

// subjectGone turns what is said of a token that is not good into the answer.
func subjectGone(err error) error {
	var why standing.Ended
	switch {
	case errors.As(err, &why):
		return badSubject(string(why), err)
	case errors.Is(err, store.ErrNotFound):
		return badSubject("the subject token is revoked, its user is disabled, or its session is over", err)
	}
	return err
}
