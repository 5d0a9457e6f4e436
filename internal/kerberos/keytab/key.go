package keytab

import (
	"errors"
	"slices"
	"strings"
	"time"

	gokrb5 "github.com/jcmturner/gokrb5/v8/keytab"

	"idp/internal/kerberos/wire"
)

// Key is one entry of a keytab.
type Key struct {
	Principal wire.Principal
	KVNO      uint32
	Made      time.Time // when it was written to the keytab; zero if that does not say
	Secret    wire.Key

	ticket *wire.SealKey // the derived keys that open tickets; nil for an etype we never accept
}

// Usable reports whether the key is of an encryption type that we know at all;
// whether it may be used is the policy's business.
func (k *Key) Usable() bool { return k.ticket != nil }

// Errors of a keytab file.
var (
	errKeytab = errors.New("is not a keytab")
	errNoHTTP = errors.New("holds no HTTP/ entry")
)

// parse reads the HTTP/ entries of a keytab.
func parse(b []byte) ([]*Key, error) {
	keys, err := parseEntries(b)
	keys = slices.DeleteFunc(keys, func(k *Key) bool { return !IsHTTP(k.Principal) })
	if err == nil && len(keys) == 0 {
		err = errNoHTTP
	}
	return keys, err
}

// parseEntries reads all entries of a keytab. The library's error texts quote the
// bytes of the file, keys included, so none is passed on.
func parseEntries(b []byte) (keys []*Key, err error) {
	defer func() {
		if recover() != nil {
			keys, err = nil, errKeytab
		}
	}()
	kt := gokrb5.New()
	if kt.Unmarshal(b) != nil {
		return nil, errKeytab
	}
	for _, e := range kt.Entries {
		p := wire.Principal{Components: e.Principal.Components, Realm: e.Principal.Realm, NameType: e.Principal.NameType}
		if len(p.Components) == 0 || p.Realm == "" {
			continue
		}
		k := &Key{Principal: p, KVNO: e.KVNO, Secret: wire.Key{Etype: e.Key.KeyType, Value: e.Key.KeyValue}}
		if e.Timestamp.Unix() > 0 { // some programs write 0
			k.Made = e.Timestamp
		}
		// An etype we do not know stays in the list, to be reported by name.
		k.ticket, _ = wire.NewSealKey(k.Secret, wire.UsageTicket)
		keys = append(keys, k)
	}
	return keys, nil
}

// IsHTTP reports whether a principal is a web server's. Active Directory takes
// service names without regard to case.
func IsHTTP(p wire.Principal) bool {
	return len(p.Components) >= 2 && strings.EqualFold(p.Components[0], "HTTP")
}
