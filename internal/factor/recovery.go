package factor

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

const (
	recoveryCodes = 10 // are made at a time
	recoveryBytes = 10 // of each: 80 bits, 16 letters and digits
	// Crockford's alphabet: without I, L, O and U, which look like others.
	recoveryAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

var recoveryEncoding = base32.NewEncoding(recoveryAlphabet).WithPadding(base32.NoPadding)

// RecoveryCodes makes the codes that a page shows: the same for the same about, which
// is unique to the page. They are good when PutRecoveryCodes has kept them.
func (f *Factors) RecoveryCodes(about ...string) []string {
	var codes []string
	for i := range recoveryCodes {
		message := binary.BigEndian.AppendUint32(nil, uint32(i))
		sum := secret.MAC([][]byte{f.shows}, append(message, strings.Join(about, separator)...))[0]
		codes = append(codes, grouped(recoveryEncoding.EncodeToString(sum[:recoveryBytes]), "-"))
	}
	return codes
}

// readRecovery is a recovery code as people type it; empty when it cannot be one.
func readRecovery(typed string) string {
	code := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(recoveryAlphabet, r):
			return r
		case r == 'O':
			return '0'
		case r == 'I' || r == 'L':
			return '1'
		case r == ' ' || r == '-' || r == '\t' || r == '\u00a0' || r == '\u2010' || r == '\u2011' || r == '\u2013':
			return -1
		}
		return '?'
	}, strings.ToUpper(typed))
	if len(code) != recoveryEncoding.EncodedLen(recoveryBytes) || strings.Contains(code, "?") {
		return ""
	}
	return code
}

// hash is what is kept of a code of a user.
func (f *Factors) hash(userID, code string) []byte {
	return secret.MAC([][]byte{f.codeKey}, []byte(userID+separator+code))[0]
}

func (f *Factors) hashes(userID string, codes []string) (all [][]byte) {
	for _, code := range codes {
		all = append(all, f.hash(userID, readRecovery(code)))
	}
	return all
}

// PutRecoveryCodes gives a user these codes in place of all there were.
func (f *Factors) PutRecoveryCodes(ctx context.Context, userID string, codes []string, e store.Entry) error {
	return f.Store.PutRecoveryCodes(ctx, userID, f.hashes(userID, codes), e)
}

// AreCurrent reports whether these are the user's codes: no others were made since.
func (f *Factors) AreCurrent(ctx context.Context, userID string, codes []string) (bool, error) {
	return f.Store.HasRecoveryCode(ctx, userID, f.hash(userID, readRecovery(codes[0])))
}

// UseRecoveryCode checks a recovery code of a user, and uses it up. The error is a
// *reason.Error when it was refused.
func (f *Factors) UseRecoveryCode(ctx context.Context, userID string, typed secret.String, e store.Entry) error {
	code := readRecovery(typed.Reveal())
	if code == "" {
		return reason.Refuse(reason.BadCode, "not a recovery code: those have 16 letters and digits")
	}
	err := f.Store.UseRecoveryCode(ctx, userID, f.hash(userID, code), e)
	switch {
	case errors.Is(err, store.ErrReused):
		return reason.Refuse(reason.CodeReplayed, "a recovery code that was used before")
	case errors.Is(err, store.ErrNotFound):
		return reason.Refuse(reason.BadCode, "none of the user's recovery codes")
	}
	return err
}
