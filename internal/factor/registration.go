package factor

import (
	"context"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// Registered is a passkey that was made a moment ago.
type Registered struct {
	Factor   store.Factor // to be added; its name is the caller's
	Verified bool         // it made sure of its person
}

// Registration judges what a browser answered when a.UserID was to make a passkey
// (§7.1). With verified it must have made sure of its person. An error that is a
// *reason.Error refuses it. Whether the passkey is somebody's already is found when
// it is added (step 26).
func (p *Passkeys) Registration(ctx context.Context, a Asked, verified bool, answer string) (*Registered, error) {
	if len(answer) > maxAnswer {
		return nil, reason.Refuse(reason.BadPasskey, fmt.Sprintf("an answer of %d bytes", len(answer)))
	}
	got, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, refuse(err)
	}
	client := got.Response.CollectedClientData
	if err := p.check(a, client.Challenge); err != nil {
		return nil, err
	}
	if err := p.ourOrigin(client); err != nil {
		return nil, err
	}
	if err := plain(got); err != nil {
		return nil, err
	}
	s := webauthn.SessionData{Challenge: client.Challenge, UserID: []byte(a.UserID), CredParams: algorithms}
	made, err := p.rp.CreateCredential(owner{id: s.UserID}, s, got)
	if err != nil {
		return nil, refuse(err)
	}
	if verified && !made.Flags.UserVerified {
		return nil, reason.Refuse(reason.PasskeyUnverified, "no user verification")
	}
	if _, err := webauthncose.ParsePublicKey(made.PublicKey); err != nil {
		return nil, refuse(err)
	}
	if err := p.useUp(ctx, client.Challenge); err != nil {
		return nil, err
	}
	f, err := row(a.UserID, made)
	return &Registered{f, made.Flags.UserVerified}, err
}

// plain refuses statements of who made the authenticator: nobody has asked for one,
// and browsers take it out, but for a passkey's signature under its own key (§5.1.3).
// So no certificate of a stranger is ever read.
func plain(got *protocol.ParsedCredentialCreationData) error {
	o := got.Response.AttestationObject
	_, certificates := o.AttStatement["x5c"]
	if o.Format != string(protocol.AttestationFormatNone) && (o.Format != string(protocol.AttestationFormatPacked) || certificates) {
		return reason.Refuse(reason.BadPasskey, "an attestation that nobody asked for: "+reason.Short(o.Format))
	}
	return nil
}

func row(userID string, c *webauthn.Credential) (store.Factor, error) {
	k := Passkey{
		PublicKey: c.PublicKey, Transports: transports(c.Transport),
		BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState,
		Alone: c.Extensions.RK != nil && *c.Extensions.RK,
	}
	data, err := k.document()
	return store.Factor{ID: secret.ID(), UserID: userID, Kind: store.FactorPasskey, Key: c.ID, Data: data,
		Counter: int64(c.Authenticator.SignCount)}, err
}
