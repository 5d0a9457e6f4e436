package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
)

// Tags of messages from a KDC. They come from the network and are believed only as far
// as a key we know opens them.
const (
	AppASRep     = 0x6b
	AppTGSRep    = 0x6d
	AppEncASRep  = 0x79
	AppEncTGSRep = 0x7a
	AppError     = 0x7e
)

// Pre-authentication data, RFC 4120 §7.5.2.
const (
	paETypeInfo2  = 19
	paSalt        = 3 // PA-PW-SALT; AD puts an NTSTATUS here, MS-KILE §2.2.1
	maxPAElements = 64
)

// KDCRep is an AS-REP or TGS-REP, RFC 4120 §5.4.2.
type KDCRep struct {
	Client Principal
	PAData []byte // nil if absent
	Ticket []byte // DER
	Part   Sealed // a KDCRepPart
}

// ParseKDCRep reads the reply with tag app: AppASRep or AppTGSRep.
func ParseKDCRep(b []byte, app byte) (r KDCRep, err error) {
	var d Decoder
	f := d.Sequence(d.Only(b, app))
	if d.Integer(f[0]) != pvno {
		d.Fail()
	}
	r.PAData = f[2]
	realm := d.Name(f[3])
	r.Client = d.Principal(f[4])
	r.Client.Realm = realm
	r.Ticket = f[5]
	if r.Ticket == nil {
		d.Fail()
	}
	r.Part = d.Sealed(f[6])
	return r, d.Err
}

// KDCRepPart is the sealed part, EncKDCRepPart.
type KDCRepPart struct {
	Key    Key
	Nonce  uint32
	Server Principal
}

// ParseKDCRepPart reads the opened part of a reply.
func ParseKDCRepPart(b []byte) (p KDCRepPart, err error) {
	var d Decoder
	// Some KDCs use the TGS tag in AS replies and the other way round.
	app := byte(AppEncASRep)
	if len(b) > 0 && b[0] == AppEncTGSRep {
		app = AppEncTGSRep
	}
	f := d.Sequence(d.Only(b, app))
	p.Key = d.Key(f[0])
	p.Nonce = d.Uint32(f[2])
	realm := d.Name(f[9])
	p.Server = d.Principal(f[10])
	p.Server.Realm = realm
	return p, d.Err
}

// KRBError is a KRB-ERROR, RFC 4120 §5.9.1.
type KRBError struct {
	Time time.Time // of the sender's clock, zero if it does not say
	Code int32     // RFC 4120 §7.5.9
	Text string    // e-text, may be empty
	Data []byte    // e-data, nil if absent
}

// Error implements error; the text is for administrators.
func (e KRBError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("KDC says %d %s", e.Code, e.Text))
}

// ParseError reads a KRB-ERROR; ok is false if b is none.
func ParseError(b []byte) (e KRBError, ok bool) {
	if len(b) == 0 || b[0] != AppError {
		return KRBError{}, false
	}
	var d Decoder
	f := d.Sequence(d.Only(b, AppError))
	e.Code = d.Int32(f[6])
	if f[11] != nil {
		e.Text = strings.ToValidUTF8(string(d.Only(f[11], TagString)), "?")
	}
	if f[12] != nil {
		e.Data = d.Octets(f[12])
	}
	if d.Err != nil {
		return KRBError{Code: errorcode.KRB_ERR_GENERIC, Text: "an unreadable KRB-ERROR"}, true
	}
	e.Time = senderTime(f)
	return e, true
}

// senderTime is stime and susec. What cannot be read is no time: it must not hide
// the error.
func senderTime(f Fields) time.Time {
	var d Decoder
	t := d.Time(f[4])
	us := d.Int32(f[5])
	if d.Err != nil || us < 0 || us > 999_999 {
		return time.Time{}
	}
	return t.Add(time.Duration(us) * time.Microsecond)
}

// NTStatus finds the NTSTATUS in a KERB-ERROR-DATA or PA-PW-SALT of Active
// Directory: 12 bytes that begin with it; 0 if there is none.
func (e KRBError) NTStatus() uint32 {
	if len(e.Data) == 0 {
		return 0
	}
	value := e.Data
	for kind, v := range padata(e.Data) {
		if kind == paSalt {
			value = v
		}
	}
	var d Decoder
	if f := d.Sequence(value); d.Err == nil && f[1] != nil && f[2] != nil {
		value = d.Octets(f[2])
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
		var d Decoder
		list := d.Only(b, TagSequence)
		for range maxPAElements {
			if d.Err != nil || len(list) == 0 {
				return
			}
			_, _, rest := d.Split(list)
			f := d.Sequence(list[:len(list)-len(rest)])
			kind, value := d.Int32(f[1]), d.Octets(f[2])
			if d.Err != nil || !yield(kind, value) {
				return
			}
			list = rest
		}
	}
}

// EtypeInfo is one ETYPE-INFO2-ENTRY, RFC 4120 §5.2.7.5.
type EtypeInfo struct {
	Etype  int32
	Salt   *string
	Params []byte
}

// EtypeInfos reads ETYPE-INFO2 out of PA-DATA, in the KDC's order of preference.
func EtypeInfos(b []byte) (out []EtypeInfo) {
	for kind, value := range padata(b) {
		if kind != paETypeInfo2 {
			continue
		}
		var d Decoder
		for list := d.Only(value, TagSequence); len(list) > 0 && len(out) < maxPAElements; {
			_, _, rest := d.Split(list)
			f := d.Sequence(list[:len(list)-len(rest)])
			e := EtypeInfo{Etype: d.Int32(f[0])}
			if f[1] != nil {
				salt := string(d.Only(f[1], TagString))
				e.Salt = &salt
			}
			if f[2] != nil {
				e.Params = d.Octets(f[2])
			}
			if d.Err != nil {
				return nil
			}
			out, list = append(out, e), rest
		}
	}
	return out
}

// Timestamp is PA-ENC-TS-ENC, RFC 4120 §5.2.7.2.
func Timestamp(now time.Time) []byte {
	body := TLV(Context(0), Time(now))
	body = AppendTLV(body, Context(1), Int(int64(now.Nanosecond()/1000)))
	return TLV(TagSequence, body)
}

// EncryptedData writes an EncryptedData without kvno.
func EncryptedData(etype int32, cipher []byte) []byte {
	body := TLV(Context(0), Int(int64(etype)))
	body = AppendTLV(body, Context(2), TLV(TagOctetString, cipher))
	return TLV(TagSequence, body)
}
