package factor

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"idp/internal/reason"
	"idp/internal/store"
)

// maxAnswer bounds what a browser answers: a credential id has 1,023 bytes at most,
// the rest a few hundred.
const maxAnswer = 16 << 10

// Shown is a passkey that was shown, and was good.
type Shown struct {
	Factor   *store.Factor
	User     *store.User
	Verified bool // it made sure of its person, by a PIN or a finger
}

// Assertion judges what a browser answered when a passkey was asked for (§7.2). With
// verified it must have made sure of its person; of a passkey alone it always must.
// An error that is a *reason.Error refuses it.
//
// Nothing here is counted against guesses: whoever has not got the key would have to
// guess a signature.
func (p *Passkeys) Assertion(ctx context.Context, a Asked, verified bool, answer string) (*Shown, error) {
	got, err := parseAssertion(answer)
	if err != nil {
		return nil, err
	}
	client := got.Response.CollectedClientData
	if err := p.check(a, client.Challenge); err != nil {
		return nil, err
	}
	if err := p.ourOrigin(client); err != nil {
		return nil, err
	}
	f, u, err := p.owned(ctx, a, got.RawID)
	if err != nil {
		return nil, err
	}
	flags := got.Response.AuthenticatorData.Flags
	if err := p.verify(a, f, got); err != nil {
		return nil, named(err, u)
	}
	if (verified || a.For == ToLogIn) && !flags.HasUserVerified() {
		return nil, named(reason.Refuse(reason.PasskeyUnverified, "no user verification"), u)
	}
	if u.Disabled {
		return nil, named(reason.Refuse(reason.UserDisabled, "the passkey is good"), u)
	}
	if err := p.useUp(ctx, client.Challenge); err != nil {
		return nil, named(err, u)
	}
	if err := p.accept(ctx, f, got); err != nil {
		return nil, named(err, u)
	}
	return &Shown{f, u, flags.HasUserVerified()}, nil
}

func parseAssertion(answer string) (*protocol.ParsedCredentialAssertionData, error) {
	if len(answer) > maxAnswer {
		return nil, reason.Refuse(reason.BadPasskey, fmt.Sprintf("an answer of %d bytes", len(answer)))
	}
	got, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, refuse(err)
	}
	return got, nil
}

// ourOrigin is stricter than the library, which compares as RFC 6454 does: browsers
// write an origin in one way only.
func (p *Passkeys) ourOrigin(c protocol.CollectedClientData) error {
	if c.Origin != p.rp.Config.RPOrigins[0] || c.CrossOrigin || c.TopOrigin != "" {
		return reason.Refuse(reason.BadPasskey, "shown to "+reason.Short(c.Origin))
	}
	return nil
}

// owned finds the passkey and whose it is (§7.2 steps 5 and 6).
func (p *Passkeys) owned(ctx context.Context, a Asked, id []byte) (*store.Factor, *store.User, error) {
	f, u, err := p.Store.FactorByKey(ctx, store.FactorPasskey, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, reason.Refuse(reason.PasskeyUnknown, "credential "+short(id))
	case err != nil:
		return nil, nil, err
	case a.UserID != "" && a.UserID != u.ID:
		return nil, nil, reason.Refuse(reason.PasskeyUnknown, "it is another user's: "+u.Name)
	}
	return f, u, nil
}

// verify is §7.2 steps 7 to 21 for one passkey.
func (p *Passkeys) verify(a Asked, f *store.Factor, got *protocol.ParsedCredentialAssertionData) error {
	k, err := PasskeyOf(f)
	if err != nil {
		return err
	}
	o, s := ownerOf(f, k), webauthn.SessionData{Challenge: got.Response.CollectedClientData.Challenge}
	if a.UserID == "" { // with the user handle, which must be the owner's
		_, err = p.rp.ValidateDiscoverableLogin(func(_, _ []byte) (webauthn.User, error) { return o, nil }, s, got)
	} else {
		s.UserID = o.id
		_, err = p.rp.ValidateLogin(o, s, got)
	}
	if err != nil {
		return refuse(err)
	}
	return nil
}

// accept moves the counter on (§7.2 step 22): one that does not grow, of a passkey
// that counts, is a copy's or its original's, and nobody can tell which. Passkeys
// that are copied by design count nothing.
func (p *Passkeys) accept(ctx context.Context, f *store.Factor, got *protocol.ParsedCredentialAssertionData) error {
	data := got.Response.AuthenticatorData
	err := p.Store.AcceptFactor(ctx, f.UserID, f.ID, int64(data.Counter))
	switch {
	case errors.Is(err, store.ErrReused):
		return reason.Refuse(reason.PasskeyCounter, fmt.Sprintf("passkey %s counted %d, after %d", f.ID, data.Counter, f.Counter))
	case errors.Is(err, store.ErrNotFound):
		return reason.Refuse(reason.PasskeyUnknown, "removed a moment ago")
	case err != nil:
		return err
	}
	k, err := PasskeyOf(f)
	if err != nil {
		return err
	}
	now := k.updated(data.Flags)
	if now == nil {
		return nil
	}
	f.Data, err = now.document()
	if err != nil {
		return err
	}
	return p.Store.SetFactorData(ctx, f.UserID, f.ID, f.Data)
}

// refuse is the library's error as a refusal: its details, which tell what is wrong,
// and what it says to developers.
func refuse(err error) error {
	detail := err.Error()
	var e *protocol.Error
	if errors.As(err, &e) && e.DevInfo != "" {
		detail += " (" + e.DevInfo + ")"
	}
	return reason.Refuse(reason.BadPasskey, reason.Short(detail))
}

// named is a refusal of a user that the passkey has named.
func named(err error, u *store.User) error {
	var refused *reason.Error
	if errors.As(err, &refused) {
		refused.Name, refused.UserID = u.Name, u.ID
	}
	return err
}

// short is a credential id for the log.
func short(id []byte) string { return reason.Short(base64.RawURLEncoding.EncodeToString(id)) }
