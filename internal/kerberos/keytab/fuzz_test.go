package keytab

import (
	"testing"

	"idp/internal/kerberos/wire"
)

// FuzzKeytab: the administrator's file. What is read of it can be tried on a
// ticket, and no error quotes it.
func FuzzKeytab(f *testing.F) {
	dir := f.TempDir()
	write(f, dir+"/k", ourSPN, "p", 1, 18, 23)
	b, err := read(dir + "/k")
	must(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parse(b)
		if err != nil {
			if err != errKeytab && err != errNoHTTP { //nolint:errorlint // nothing may be wrapped around them
				t.Error(err)
			}
			return
		}
		ring := Ring(keys)
		for _, k := range keys {
			if !IsHTTP(k.Principal) || k.Principal.Realm == "" || len(k.Secret.Value) > len(b) {
				t.Errorf("%+v", k)
			}
			if _, _, err := ring.Open(&wire.Ticket{Service: k.Principal, Part: wire.Sealed{Etype: k.Secret.Etype, KVNO: k.KVNO, Cipher: make([]byte, 64)}}); err == nil {
				t.Error("a key of it opens nothing at all")
			}
		}
	})
}
