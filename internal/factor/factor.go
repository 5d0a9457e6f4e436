// Package factor is what people have beside their password or their ticket.
//
// Time-based codes (TOTP, RFC 6238): the person's app and idp share a secret of 160
// bits, which the app reads from a QR code. Both count the half minutes since 1970,
// take the HMAC-SHA-1 of the count under the secret, and make six digits of it (HOTP,
// RFC 4226 §5.3). Clocks differ, so the half minute before and the one after are good
// too. Six digits are a million, three of them right at any moment: what protects them
// is that guesses are counted (package authn), not that there are many. A code is good
// once: the count it stood for is kept, and only a later one is taken (RFC 6238 §5.2),
// by one conditional statement, so that of two who type the same code at the same time
// one is let in. The secret has to be read again at each login, so it is sealed under
// secret_key_file, not hashed. Nothing in a code says for which site it was typed:
// whoever is lured to a false page gives it away. Only passkeys (WebAuthn) do better.
//
// Recovery codes are for a lost phone: ten, of 80 bits each, each good once. They are
// kept by a keyed hash only. What people type from paper has another case, other
// dashes and an O for a 0; all of these are read alike.
//
// A secret that is being set up, and recovery codes that are being shown, are stored
// nowhere in between: they are made from the server's key and what the page is about
// (HMAC as a pseudorandom function), so that a reload shows the same again, on any
// node, and a page that was left leaves nothing behind.
//
// Nothing here knows of HTTP, and nothing here counts guesses: authn.Second does.
package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// What is sealed, and derived, under secret_key_file.
const (
	sealPurpose  = "totp secret"          // with the factor's id
	offerPurpose = "totp offer"           // secrets that are being set up
	showPurpose  = "recovery codes"       // codes that are being shown
	codeKey      = "recovery_code_key"    // the setting with the key of their hashes
	codeKeyBytes = 32                     // of it
	separator    = "\x00"                 // between the parts of what a page is about
	resealing    = "sealing factors anew" // in errors
	openingKey   = "recovery codes' key"  // in errors
)

// Config is everything New needs.
type Config struct {
	Store *store.Store
	Ring  *secret.Ring
	Now   func() time.Time // nil: time.Now
}

// Factors makes and checks factors. Safe for concurrent use.
type Factors struct {
	Config
	codeKey []byte // recovery codes are hashed under it
	offers  []byte
	shows   []byte
}

// New opens the key that recovery codes are hashed under, which the database holds
// sealed: they go on being good when secret_key_file gets a new line. What only a
// later line opens is sealed anew, so that the line can leave the file.
func New(ctx context.Context, c Config) (*Factors, error) {
	if c.Store == nil || c.Ring == nil {
		return nil, errors.New("factor: Store and Ring are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Factors{Config: c, offers: c.Ring.Derive(offerPurpose)[0], shows: c.Ring.Derive(showPurpose)[0]}
	var err error
	if f.codeKey, err = f.openKey(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", openingKey, err)
	}
	if err := f.reseal(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", resealing, err)
	}
	return f, nil
}

func (f *Factors) openKey(ctx context.Context) ([]byte, error) {
	kept, err := f.Store.PutSettingOnce(ctx, codeKey, f.Ring.Seal(codeKey, "", secret.Bytes(codeKeyBytes)))
	if err != nil {
		return nil, err
	}
	key, err := f.Ring.Open(codeKey, "", kept)
	if err != nil || f.Ring.Fresh(codeKey, "", kept) {
		return key, err
	}
	return key, f.Store.ReplaceSetting(ctx, codeKey, kept, f.Ring.Seal(codeKey, "", key))
}

func (f *Factors) reseal(ctx context.Context) error {
	for after := ""; ; {
		page, err := f.Store.FactorsOfKind(ctx, store.FactorTOTP, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, row := range page {
			after = row.ID
			if f.Ring.Fresh(sealPurpose, row.ID, row.Data) {
				continue
			}
			plain, err := f.Ring.Open(sealPurpose, row.ID, row.Data)
			if err != nil {
				return err
			}
			if err := f.Store.ResealFactor(ctx, row.ID, row.Data, f.Ring.Seal(sealPurpose, row.ID, plain)); err != nil {
				return err
			}
		}
	}
}

// Have is what somebody has beside their first factor.
type Have struct {
	All      []store.Factor
	Codes    bool // an app that makes time-based codes
	Passkeys bool
	Recovery int64 // recovery codes that are left
}

// Any reports whether there is a factor. Recovery codes alone are none.
func (h Have) Any() bool { return len(h.All) > 0 }

// Of tells what a user has.
func (f *Factors) Of(ctx context.Context, userID string) (h Have, err error) {
	if h.All, err = f.Store.FactorsOf(ctx, userID); err != nil {
		return h, err
	}
	for _, row := range h.All {
		h.Codes = h.Codes || row.Kind == store.FactorTOTP
		h.Passkeys = h.Passkeys || row.Kind == store.FactorPasskey
	}
	if h.Any() {
		h.Recovery, err = f.Store.RecoveryCodesLeft(ctx, userID)
	}
	return h, err
}
