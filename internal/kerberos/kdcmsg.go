package kerberos

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"idp/internal/reason"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
)

// Messages from a KDC. They come from the network and are believed only as far
// as a key we know opens them.
const (
	appASRep      = 0x6b
	appTGSRep     = 0x6d
	appEncASRep   = 0x79
	appEncTGSRep  = 0x7a
	appError      = 0x7e
	paETypeInfo2  = 19
	paSalt        = 3 // PA-PW-SALT; AD puts an NTSTATUS here, MS-KILE §2.2.1
	maxPAElements = 64
)

// kdcRep is an AS-REP or TGS-REP, RFC 4120 §5.4.2.
type kdcRep struct {
	client Principal
	padata []byte // nil if absent
	ticket []byte // DER
	part   sealed
}

func parseKDCRep(b []byte, app byte) (r kdcRep, err error) {
	var d decoder
	f := d.sequence(d.only(b, app))
	if d.integer(f[0]) != pvno {
		d.fail()
	}
	r.padata = f[2]
	realm := d.name(f[3])
	r.client = d.principal(f[4])
	r.client.Realm = realm
	r.ticket = f[5]
	if r.ticket == nil {
		d.fail()
	}
	r.part = d.sealed(f[6])
	return r, d.err
}

// kdcRepPart is the sealed part, EncKDCRepPart.
type kdcRepPart struct {
	key    keyBlock
	nonce  uint32
	server Principal
}

func parseKDCRepPart(b []byte) (p kdcRepPart, err error) {
	var d decoder
	// Some KDCs use the TGS tag in AS replies and the other way round.
	app := byte(appEncASRep)
	if len(b) > 0 && b[0] == appEncTGSRep {
		app = appEncTGSRep
	}
	f := d.sequence(d.only(b, app))
	p.key = d.key(f[0])
	p.nonce = d.uint32(f[2])
	realm := d.name(f[9])
	p.server = d.principal(f[10])
	p.server.Realm = realm
	return p, d.err
}

// kdcError is a KRB-ERROR, RFC 4120 §5.9.1.
type kdcError struct {
	code int32
	text string
	data []byte
}

// parseError reads a KRB-ERROR; ok is false if b is none.
func parseError(b []byte) (e kdcError, ok bool) {
	if len(b) == 0 || b[0] != appError {
		return kdcError{}, false
	}
	var d decoder
	f := d.sequence(d.only(b, appError))
	e.code = d.int32(f[6])
	if f[11] != nil {
		e.text = strings.ToValidUTF8(string(d.only(f[11], tagString)), "?")
	}
	if f[12] != nil {
		e.data = d.octets(f[12])
	}
	if d.err != nil {
		return kdcError{code: errorcode.KRB_ERR_GENERIC, text: "an unreadable KRB-ERROR"}, true
	}
	return e, true
}

// errorCode is the code of a KRB-ERROR, 0 if b is none.
func errorCode(b []byte) int32 {
	e, _ := parseError(b)
	return e.code
}

// reject turns what the KDC said about a client into a reason.
func (e kdcError) reject(who string) *reason.Error {
	detail := fmt.Sprintf("%s: KDC says %d %s", who, e.code, short(e.text))
	return reason.Refuse(e.reason(), detail)
}

func (e kdcError) reason() reason.Code {
	// Active Directory hides the cause in e-data.
	switch e.ntStatus() {
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
	switch e.code {
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN, errorcode.KDC_ERR_WRONG_REALM:
		return reason.ClientUnknown
	case errorcode.KDC_ERR_PREAUTH_FAILED, errorcode.KRB_AP_ERR_BAD_INTEGRITY:
		return reason.BadPassword
	case errorcode.KDC_ERR_KEY_EXPIRED:
		return reason.PasswordExpired
	case errorcode.KDC_ERR_CLIENT_REVOKED:
		if e.text == "CLIENT LOCKED OUT" {
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

// ntStatus finds the NTSTATUS in a KERB-ERROR-DATA or PA-PW-SALT of Active
// Directory: 12 bytes that begin with it; 0 if there is none.
func (e kdcError) ntStatus() uint32 {
	if len(e.data) == 0 {
		return 0
	}
	value := e.data
	for kind, v := range padata(e.data) {
		if kind == paSalt {
			value = v
		}
	}
	var d decoder
	if f := d.sequence(value); d.err == nil && f[1] != nil && f[2] != nil {
		value = d.octets(f[2])
	}
	if len(value) != 12 {
		return 0
	}
	return binary.LittleEndian.Uint32(value)
}

// padata ranges over METHOD-DATA or SEQUENCE OF PA-DATA (RFC 4120 §5.2.7); it
// ends at the first thing that is none.
func padata(b []byte) func(yield func(kind int32, value []byte) bool) {
	return func(yield func(int32, []byte) bool) {
		var d decoder
		list := d.only(b, tagSequence)
		for range maxPAElements {
			if d.err != nil || len(list) == 0 {
				return
			}
			_, _, rest := d.split(list)
			f := d.sequence(list[:len(list)-len(rest)])
			kind, value := d.int32(f[1]), d.octets(f[2])
			if d.err != nil || !yield(kind, value) {
				return
			}
			list = rest
		}
	}
}

// etypeInfo is one ETYPE-INFO2-ENTRY, RFC 4120 §5.2.7.5.
type etypeInfo struct {
	etype  int32
	salt   *string
	params []byte
}

// etypeInfos reads ETYPE-INFO2 out of PA-DATA, in the KDC's order of preference.
func etypeInfos(b []byte) (out []etypeInfo) {
	for kind, value := range padata(b) {
		if kind != paETypeInfo2 {
			continue
		}
		var d decoder
		for list := d.only(value, tagSequence); len(list) > 0 && len(out) < maxPAElements; {
			_, _, rest := d.split(list)
			f := d.sequence(list[:len(list)-len(rest)])
			e := etypeInfo{etype: d.int32(f[0])}
			if f[1] != nil {
				salt := string(d.only(f[1], tagString))
				e.salt = &salt
			}
			if f[2] != nil {
				e.params = d.octets(f[2])
			}
			if d.err != nil {
				return nil
			}
			out, list = append(out, e), rest
		}
	}
	return out
}

// timestamp is PA-ENC-TS-ENC, RFC 4120 §5.2.7.2.
func timestamp(now time.Time) []byte {
	body := tlv(contextTag(0), derTime(now))
	body = appendTLV(body, contextTag(1), derInt(int64(now.Nanosecond()/1000)))
	return tlv(tagSequence, body)
}

// encryptedData writes an EncryptedData without kvno.
func encryptedData(etype int32, cipher []byte) []byte {
	body := tlv(contextTag(0), derInt(int64(etype)))
	body = appendTLV(body, contextTag(2), tlv(tagOctetString, cipher))
	return tlv(tagSequence, body)
}
