package login

import (
	"context"
	"errors"
	"net/http"

	"idp/internal/authn"
	"idp/internal/factor"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/web"
)

// Passkeys: alone on the login page, where the form of a name and a password has a
// button beside it; as a second factor, or to reach acr phr, at the second step, where
// one is made if the person has none (passkeysetup.go). The page carries what the
// browser is to be asked, the script posts what it answers to where the page's other
// forms go.

// askedAlone is what the login page asks for: a passkey of anybody, for this login
// request of this browser.
func askedAlone(a *attempt) factor.Asked {
	return factor.Asked{For: factor.ToLogIn, Browser: a.browser.Hash, At: a.row.ID}
}

// askedOf is what the second step asks for.
func askedOf(s *second, what factor.Purpose) factor.Asked {
	return factor.Asked{For: what, Browser: s.browser.Hash, At: s.row.ID, UserID: s.first.User.ID}
}

// passkeyAlone is the button of the login page; nil: none is offered.
func (l *Login) passkeyAlone(a *attempt, token string) (*web.PasskeyForm, error) {
	if l.Passkeys == nil || a.row == nil {
		return nil, nil //nolint:nilnil // no button is an answer, not an error
	}
	options, err := l.Passkeys.AskAlone(askedAlone(a))
	return &web.PasskeyForm{Action: policy.PathForm, FormToken: token, LoginID: a.row.ID, Options: options, Fills: true}, err
}

// submitPasskey logs in with a passkey alone.
func (l *Login) submitPasskey(w http.ResponseWriter, r *http.Request, a *attempt) error {
	info := web.InfoFrom(r.Context())
	info.Method = authn.MethodPasskey
	if l.Passkeys == nil || a.row == nil {
		return web.BadForm(errors.New("no passkey was asked for"))
	}
	res, err := l.Authn.Passkey(r.Context(), a.from, func(ctx context.Context) (*store.User, string, error) {
		shown, err := l.Passkeys.Assertion(ctx, askedAlone(a), true, r.PostForm.Get("passkey"))
		if err != nil {
			return nil, "", err
		}
		return shown.User, shown.Factor.ID, nil
	})
	var refused *reason.Error
	if !errors.As(err, &refused) {
		if err != nil {
			return err
		}
		return l.finish(w, r, a, res)
	}
	logRefusal(info, refused)
	// Whose it is, and that an administrator has disabled them, is for the log: whoever
	// found a key must not learn more of its owner here than what is on it.
	err = l.Store.FailLoginRequest(r.Context(), a.row.ID, string(toldOfPasskey(refused.Reason)), reference(r), "")
	if errors.Is(err, store.ErrNotFound) {
		return web.LoginExpired(err)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, formPath(a.row))
}

// toldOfPasskey is what the visitor is told for a refused passkey.
func toldOfPasskey(code reason.Code) reason.Code {
	if code == reason.PasskeyTooLate || code == reason.PasskeyUnverified {
		return code
	}
	return reason.BadPasskey
}

// passkeyOf is the button of the second step; nil: the person has no passkey.
func (l *Login) passkeyOf(r *http.Request, s *second) (*web.PasskeyForm, error) {
	if l.Passkeys == nil || !s.have.Passkeys {
		return nil, nil //nolint:nilnil // no button is an answer, not an error
	}
	step := l.step(r, s)
	options, err := l.Passkeys.AskOf(askedOf(s, factor.ToAdd), s.have.All, s.verified())
	f := &web.PasskeyForm{Action: step.Action, FormToken: step.FormToken, LoginID: step.LoginID, Options: options, First: true, Needed: !s.asksCode()}
	if !f.Needed {
		f.Or = "below"
	}
	return f, err
}

// asksCode: a code of their app is another way. It is none where it would only lead
// back here.
func (s *second) asksCode() bool { return s.have.Codes && !(s.verified() && s.have.Passkeys) }

// verified: the passkey must make sure of its person, and nothing less will do.
func (s *second) verified() bool { return s.need == policy.ACRPhishingResistant }

// tryPasskey adds a passkey to what was shown.
func (l *Login) tryPasskey(w http.ResponseWriter, r *http.Request, s *second) error {
	if l.Passkeys == nil {
		return web.BadForm(errors.New("no passkey was asked for"))
	}
	shown, refused := l.Passkeys.Assertion(r.Context(), askedOf(s, factor.ToAdd), s.verified(), r.PostForm.Get("passkey"))
	f := authn.SecondFactor{As: authn.MethodPasskey, AMR: []string{policy.AMRPasskey}}
	if refused == nil && shown.Verified {
		f.AMR = append(f.AMR, policy.AMRUserVerified)
	}
	f.Verify = func(context.Context) (string, error) {
		if refused != nil {
			return "", refused
		}
		return shown.Factor.ID, nil
	}
	return l.show(w, r, s, "", f)
}
