package kerberos

import (
	"errors"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"

	"idp/internal/kerberos/spnego"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// krbCodes are the KRB-ERRORs of RFC 4120 §7.5.9 that tell a client's library
// what is wrong, so that it can mend it: set its idea of the time, throw away the
// ticket of an old key. Other refusals are nothing that it can mend.
var krbCodes = map[reason.Code]int32{
	reason.ClockSkew:     errorcode.KRB_AP_ERR_SKEW,
	reason.Replay:        errorcode.KRB_AP_ERR_REPEAT,
	reason.KVNO:          errorcode.KRB_AP_ERR_BADKEYVER,
	reason.WrongKey:      errorcode.KRB_AP_ERR_MODIFIED, // Windows purges the ticket
	reason.NoKey:         errorcode.KRB_AP_ERR_NOKEY,
	reason.WrongSPN:      errorcode.KRB_AP_ERR_NOT_US,
	reason.Expired:       errorcode.KRB_AP_ERR_TKT_EXPIRED,
	reason.NotYetValid:   errorcode.KRB_AP_ERR_TKT_NYV,
	reason.NameMismatch:  errorcode.KRB_AP_ERR_BADMATCH,
	reason.Authenticator: errorcode.KRB_AP_ERR_BAD_INTEGRITY,
	reason.Transited:     errorcode.KDC_ERR_PATH_NOT_ACCEPTED,
	reason.Etype:         errorcode.KDC_ERR_ETYPE_NOSUPP,
}

// withKRBError gives a refusal the KRB-ERROR token that says why, as of service.
func (a *Acceptor) withKRBError(err error, service wire.Principal) error {
	var refused *reason.Error
	if errors.As(err, &refused) {
		if code, ok := krbCodes[refused.Reason]; ok {
			refused.Reply = spnego.ErrorToken(wire.KRBErrorMessage(code, a.opts.Now(), service))
		}
	}
	return err
}

// reject makes the KRB-ERROR of a refusal, if there is one, the end of an exchange.
func reject(o *spnego.Offer, err error) error {
	var refused *reason.Error
	if errors.As(err, &refused) && refused.Reply != nil {
		refused.Reply = o.Reject(refused.Reply)
	}
	return err
}
