package factor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"idp/internal/store"
)

// Passkey is what a factor's row keeps of a passkey beside its id and its counter
// (WebAuthn §4, "credential record"). Nothing in it is secret.
type Passkey struct {
	PublicKey  []byte                            `json:"public_key"`           // COSE_Key (RFC 9052 §7)
	Transports []protocol.AuthenticatorTransport `json:"transports,omitempty"` // how a browser reaches it: usb, internal, …
	// BackupEligible: it may be copied to other devices of its owner, by whoever
	// keeps it; BackedUp: it was when it was last shown (§6.1.3).
	BackupEligible bool `json:"backup_eligible,omitempty"`
	BackedUp       bool `json:"backed_up,omitempty"`
	// Alone: browsers find it without being told a name, so that it can be all that
	// somebody logs in with.
	Alone bool `json:"alone,omitempty"`
}

var errNoPasskey = errors.New("factor: not a passkey")

// PasskeyOf reads what the row of a passkey keeps.
func PasskeyOf(f *store.Factor) (*Passkey, error) {
	if f.Kind != store.FactorPasskey {
		return nil, errNoPasskey
	}
	k := &Passkey{}
	if err := json.Unmarshal(f.Data, k); err != nil {
		return nil, fmt.Errorf("factor: passkey %s cannot be read: %w", f.ID, err)
	}
	return k, nil
}

// document is the row's text for k.
func (k *Passkey) document() ([]byte, error) { return json.Marshal(k) }

// known are the transports that §5.8.4 names; what else a browser says is dropped.
var known = []protocol.AuthenticatorTransport{protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal}

// transports sorts what a browser said, once each: lists that it will be given back.
func transports(said []protocol.AuthenticatorTransport) []protocol.AuthenticatorTransport {
	return slices.DeleteFunc(slices.Clone(known), func(t protocol.AuthenticatorTransport) bool { return !slices.Contains(said, t) })
}

// owner is a user with one passkey, as the library wants to see them.
type owner struct {
	id         []byte
	credential webauthn.Credential
}

func ownerOf(f *store.Factor, k *Passkey) owner {
	return owner{[]byte(f.UserID), webauthn.Credential{
		ID: f.Key, PublicKey: k.PublicKey, Transport: k.Transports,
		Flags:         webauthn.CredentialFlags{BackupEligible: k.BackupEligible, BackupState: k.BackedUp},
		Authenticator: webauthn.Authenticator{SignCount: uint32(f.Counter)}, //nolint:gosec // written from a uint32
	}}
}

func (o owner) WebAuthnID() []byte          { return o.id }
func (o owner) WebAuthnName() string        { return "" }
func (o owner) WebAuthnDisplayName() string { return "" }
func (o owner) WebAuthnCredentials() []webauthn.Credential {
	return []webauthn.Credential{o.credential}
}

// updated is k as the passkey says that it is now; nil when that is what it was.
func (k *Passkey) updated(flags protocol.AuthenticatorFlags) *Passkey {
	if flags.HasBackupState() == k.BackedUp {
		return nil
	}
	now := *k
	now.BackedUp = flags.HasBackupState()
	return &now
}
