package factor

import (
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"idp/internal/secret"
	"idp/internal/store"
)

// ErrNoPasskeys means that there can be no passkeys at this issuer: its host is an
// address, and they belong to names (WebAuthn §5.1.2, "effective domain").
var ErrNoPasskeys = errors.New("passkeys belong to a host name, and the issuer's host is an address")

// PasskeyConfig is everything NewPasskeys needs.
type PasskeyConfig struct {
	Store  *store.Store
	Ring   *secret.Ring
	Issuer *url.URL
	Name   string // what browsers call this site when they ask for a passkey
	Now    func() time.Time
}

// Passkeys asks browsers for passkeys and judges what they answer (WebAuthn Level
// 3): the library reads and verifies, what is asked and what is enough is decided
// here. Safe for concurrent use.
//
// A passkey belongs to the issuer's host (the "relying party id") and is shown to
// the issuer's very origin only, which is why nobody can be talked into showing it
// somewhere else. Who made a passkey is not asked (attestation "none"): it is the
// person's own choice, and what cannot be verified by certificates proves nothing.
//
// The user handle, which authenticators keep beside the key, is the user's id: 128
// random bits that say nothing of a person and are never given to another one
// (§14.6.1 wants no more). Beside it stands the user's name, in clear, so that a
// handle derived from the id would hide nothing, and would change when
// secret_key_file does.
type Passkeys struct {
	PasskeyConfig
	rp   *webauthn.WebAuthn
	keys [][]byte // of challenges
}

// NewPasskeys makes Passkeys; ErrNoPasskeys where there can be none.
func NewPasskeys(c PasskeyConfig) (*Passkeys, error) {
	if c.Store == nil || c.Ring == nil || c.Issuer == nil {
		return nil, errors.New("factor: Store, Ring and Issuer are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	host := strings.ToLower(c.Issuer.Hostname())
	if _, err := netip.ParseAddr(host); err == nil {
		return nil, ErrNoPasskeys
	}
	if c.Name == "" {
		c.Name = host
	}
	rp, err := webauthn.New(&webauthn.Config{RPID: host, RPDisplayName: c.Name, RPOrigins: []string{origin(c.Issuer)},
		// Outputs of extensions that nobody asked for are no reason to refuse somebody
		// (§9: "must be prepared to handle"): none is looked at but the one that is.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore})
	if err != nil {
		return nil, err
	}
	return &Passkeys{PasskeyConfig: c, rp: rp, keys: c.Ring.Derive("passkey challenge")}, nil
}

// origin is what browsers call the issuer (RFC 6454 §6.2): lower case, and no port
// where it is the scheme's own.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[scheme])
	return scheme + "://" + host
}

// timeout is how long browsers wait for a person who has been asked.
const timeout = 5 * time.Minute

// algorithms of passkeys, the preferred first: what authenticators have, and what
// RFC 8812 and RFC 9053 say of them.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// AskAlone is what a browser is asked when a passkey is all that somebody logs in
// with: for any that it has, which must make sure of its person. JSON (§5.5,
// PublicKeyCredentialRequestOptionsJSON).
func (p *Passkeys) AskAlone(a Asked) (string, error) {
	return p.ask(a, nil, true)
}

// AskOf is what a browser is asked when a.UserID is to show one of their passkeys;
// with verified it must make sure of its person, else it does so if it can.
func (p *Passkeys) AskOf(a Asked, factors []store.Factor, verified bool) (string, error) {
	return p.ask(a, descriptors(factors), verified)
}

func (p *Passkeys) ask(a Asked, allowed []protocol.CredentialDescriptor, verified bool) (string, error) {
	return text(protocol.PublicKeyCredentialRequestOptions{
		Challenge: p.challenge(a), Timeout: int(timeout.Milliseconds()), RelyingPartyID: p.rp.Config.RPID,
		AllowedCredentials: allowed, UserVerification: verification(verified),
	})
}

// AskNew is what a browser is asked to make a passkey for a user (§5.4,
// PublicKeyCredentialCreationOptionsJSON). The user's other passkeys are named, so
// that none is made beside them on the same device. One that can be found without
// a name is wanted, for it works alone; an older security key that cannot keep it
// still is a second factor.
func (p *Passkeys) AskNew(a Asked, u *store.User, factors []store.Factor, verified bool) (string, error) {
	display := u.FullName
	if display == "" {
		display = u.Name
	}
	return text(protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{ID: p.rp.Config.RPID, CredentialEntity: protocol.CredentialEntity{Name: p.rp.Config.RPDisplayName}},
		User: protocol.UserEntity{ID: protocol.URLEncodedBase64(u.ID), DisplayName: display,
			CredentialEntity: protocol.CredentialEntity{Name: u.Name}},
		Challenge: p.challenge(a), Parameters: algorithms, Timeout: int(timeout.Milliseconds()),
		CredentialExcludeList: descriptors(factors),
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementPreferred,
			UserVerification: verification(verified)},
		Attestation: protocol.PreferNoAttestation,
		Extensions:  protocol.AuthenticationExtensions{CredProps: true},
	})
}

func verification(required bool) protocol.UserVerificationRequirement {
	if required {
		return protocol.VerificationRequired
	}
	return protocol.VerificationPreferred
}

func text(options any) (string, error) {
	b, err := json.Marshal(options)
	return string(b), err
}

// descriptors names the passkeys among a user's factors.
func descriptors(factors []store.Factor) (found []protocol.CredentialDescriptor) {
	for _, f := range factors {
		if k, err := PasskeyOf(&f); err == nil {
			found = append(found, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: f.Key, Transport: k.Transports})
		}
	}
	return found
}
