package kdc

import (
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// refusal turns what the KDC said about a client into a reason; the wire.KRBError
// is its cause.
func refusal(e wire.KRBError, who string) *reason.Error {
	e.Text = reason.Short(e.Text)
	code := codeOf(e)
	if code == reason.ClockSkew && !e.Time.IsZero() {
		who += fmt.Sprintf(": the KDC's clock is %s off ours", time.Until(e.Time).Round(time.Second))
	}
	return &reason.Error{Reason: code, Detail: who, Err: e}
}

// codeOf is the reason for what a KDC said.
func codeOf(e wire.KRBError) reason.Code {
	// Active Directory hides the cause in e-data.
	switch e.NTStatus() {
	case 0xC0000234:
		return reason.Locked
	case 0xC0000072:
		return reason.Disabled
	case 0xC0000193:
		return reason.AccountExpired
	case 0xC0000071, 0xC0000224:
		return reason.PasswordExpired
	case 0xC000006F, 0xC0000070, 0xC0000413:
		return reason.Policy // hours, workstation, authentication firewall
	}
	switch e.Code {
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN, errorcode.KDC_ERR_WRONG_REALM:
		return reason.ClientUnknown
	case errorcode.KDC_ERR_PREAUTH_FAILED, errorcode.KRB_AP_ERR_BAD_INTEGRITY:
		return reason.BadPassword
	case errorcode.KDC_ERR_KEY_EXPIRED:
		return reason.PasswordExpired
	case errorcode.KDC_ERR_CLIENT_REVOKED:
		if e.Text == "CLIENT LOCKED OUT" {
			return reason.Disabled // what MIT Kerberos calls -allow_tix
		}
		return reason.Locked
	case errorcode.KDC_ERR_NAME_EXP:
		return reason.AccountExpired
	case errorcode.KDC_ERR_POLICY, errorcode.KDC_ERR_CLIENT_NOTYET:
		return reason.Policy
	case errorcode.KRB_AP_ERR_SKEW:
		return reason.ClockSkew
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		return reason.Etype
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN:
		return reason.WrongSPN
	}
	return reason.KDCError
}
