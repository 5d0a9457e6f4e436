package directory

import (
	"strconv"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// An account that is locked because of wrong passwords is not looked at: whoever
// types them would end a colleague's sessions. Only what an administrator decided
// counts.

// standing are the attributes that say whether an account is enabled.
func (r reader) standing() []string {
	if r.kind == typeAD {
		return []string{"userAccountControl", "accountExpires"}
	}
	return []string{"nsAccountLock", "pwdAccountLockedTime", "krbPrincipalExpiration", "shadowExpire"}
}

// disabled is why the account of an entry is not enabled; empty: it is.
func (r reader) disabled(e *ldap.Entry, now time.Time) string {
	if r.kind == typeAD {
		return disabledAD(e, now)
	}
	return disabledLDAP(e, now)
}

const (
	accountDisable = 0x2                // [MS-ADTS] §2.2.16, ADS_UF_ACCOUNTDISABLE
	never          = 0x7FFFFFFFFFFFFFFF // [MS-ADA1] §2.3, accountExpires; so is 0
	fileTimeEpoch  = 116444736000000000 // 1970, in steps of 100 ns since 1601
)

func disabledAD(e *ldap.Entry, now time.Time) string {
	if flags, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("userAccountControl"), 10, 64); err == nil && flags&accountDisable != 0 {
		return "it is disabled (userAccountControl)"
	}
	end, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("accountExpires"), 10, 64)
	if err == nil && end != 0 && end != never && (end-fileTimeEpoch)/1e7 <= now.Unix() {
		return "it has expired (accountExpires)"
	}
	return ""
}

// lockedForGood is what an administrator writes into pwdAccountLockedTime
// (draft-behera-ldap-password-policy §5.3.3); any other time is a lock-out.
const lockedForGood = "000001010000Z"

func disabledLDAP(e *ldap.Entry, now time.Time) string {
	switch value := e.GetEqualFoldAttributeValue; {
	case value("nsAccountLock") == "TRUE" || value("nsAccountLock") == "true":
		return "it is disabled (nsAccountLock)"
	case value("pwdAccountLockedTime") == lockedForGood:
		return "it is disabled (pwdAccountLockedTime)"
	case past(value("krbPrincipalExpiration"), now):
		return "it has expired (krbPrincipalExpiration)"
	case lastDayOver(value("shadowExpire"), now):
		return "it has expired (shadowExpire)"
	}
	return ""
}

// past: a generalized time (RFC 4517 §3.3.13) that has come.
func past(text string, now time.Time) bool {
	t, err := time.Parse("20060102150405Z", text)
	return err == nil && !now.Before(t)
}

// lastDayOver: shadow(5), days since 1970, the account is good on that day; negative:
// no end.
func lastDayOver(text string, now time.Time) bool {
	day, err := strconv.ParseInt(text, 10, 32)
	return err == nil && day >= 0 && now.Unix()/86400 > day
}
