package upstream

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"idp/internal/fetch"
	"idp/internal/reason"
	"idp/internal/store"
)

// finishFor bounds all that an upstream is asked when somebody comes back from it.
const finishFor = 10 * time.Second

// Login is what came of a login at an upstream, and may log in here.
type Login struct {
	Subject  string
	SID      string // of the upstream's session; empty: not told
	IDToken  string // kept for its logout; empty where that is off
	ACR      string // one of our levels, where a rule takes the upstream's for it; else empty
	AuthTime time.Time
	Profile  Profile
}

// Finish takes what the browser brought back, for the login that it left with: the
// checks in the order of OIDC Core §3.1.2.5 and after. The error is a *reason.Error,
// or trouble of our own. subject is known with an error too, where somebody was
// proven and refused.
func (u *Upstream) Finish(ctx context.Context, left *store.UpstreamLogin, answer url.Values) (l *Login, subject string, err error) {
	ctx, cancel := context.WithTimeout(ctx, finishFor)
	defer cancel()
	m, err := u.about.metadata(ctx)
	if err != nil {
		return nil, "", given(ctx, "discovery", err)
	}
	if err := u.fromThere(m, answer); err != nil {
		return nil, "", err
	}
	code, err := codeOf(answer)
	if err != nil {
		return nil, "", err
	}
	asked := u.now()
	token, err := u.redeem(ctx, m, left, code)
	if err != nil {
		return nil, "", given(ctx, "token endpoint", err)
	}
	id, err := u.verified(ctx, m, left, token)
	if err != nil {
		return nil, "", given(ctx, "ID token", err)
	}
	id.Asked = asked
	l, err = u.login(ctx, m, left, token, id)
	if err != nil {
		return nil, id.Subject, given(ctx, "claims", err)
	}
	return l, id.Subject, u.admits(l)
}

// fromThere: RFC 9207 §2.4. An answer of another upstream is not taken to this one.
func (u *Upstream) fromThere(m *metadata, answer url.Values) error {
	iss := answer["iss"]
	switch {
	case len(iss) == 0 && m.SendsIss:
		return invalid("the answer has no iss, which the upstream says it sends")
	case len(iss) > 1 || (len(iss) == 1 && iss[0] != u.Issuer):
		return invalid("the answer's iss is not the issuer")
	}
	return nil
}

// codeOf reads the answer: a code, or an error (RFC 6749 §4.1.2).
func codeOf(answer url.Values) (string, error) {
	for name, values := range answer {
		if len(values) > 1 { // RFC 6749 §3.1
			return "", invalid("the answer has a parameter twice: " + strconv.Quote(reason.Short(name)))
		}
	}
	if code := answer.Get("error"); code != "" {
		detail := "it answered " + strconv.Quote(reason.Short(code))
		if text := answer.Get("error_description"); text != "" {
			detail += ": " + strconv.Quote(reason.Short(text))
		}
		return "", reason.Refuse(reason.UpstreamRefused, detail)
	}
	if answer.Get("code") == "" {
		return "", invalid("the answer has neither code nor error")
	}
	return answer.Get("code"), nil
}

// redeem asks for the ID token (OIDC Core §3.1.3.1).
func (u *Upstream) redeem(ctx context.Context, m *metadata, left *store.UpstreamLogin, code string) (*oauth2.Token, error) {
	extra, err := u.assertion(m)
	if err != nil {
		return nil, err
	}
	extra = append(extra, oauth2.VerifierOption(left.Verifier))
	token, err := u.config(m).Exchange(context.WithValue(ctx, oauth2.HTTPClient, u.fetch.Client()), code, extra...)
	var refused *oauth2.RetrieveError
	var network *fetch.Error
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &network):
		return nil, down("token endpoint", network)
	case errors.As(err, &refused) && refused.Response != nil:
		return nil, tokenRefused(refused)
	}
	return nil, invalid("token endpoint: the answer has no access token, or is no JSON")
}

// tokenRefused tells an error of the protocol (RFC 6749 §5.2) from one of the server.
// Of the answer nothing is told but its code.
func tokenRefused(e *oauth2.RetrieveError) error {
	status := strconv.Itoa(e.Response.StatusCode)
	if e.ErrorCode != "" {
		return reason.Refuse(reason.UpstreamRefused, "token endpoint: "+status+" "+strconv.Quote(reason.Short(e.ErrorCode)))
	}
	return down("token endpoint", errors.New("answered "+status))
}

// given is an error as it is given to whoever asked: a deadline of ours is the
// upstream's failure.
func given(ctx context.Context, what string, err error) error {
	if reason.Of(err) == "" && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return down(what, errors.New("no complete answer in time"))
	}
	return err
}
