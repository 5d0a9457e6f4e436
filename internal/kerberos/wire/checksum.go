package wire

import (
	"crypto/md5" //nolint:gosec // RFC 4121 §4.1.1.2 prescribes MD5 for Bnd
	"encoding/binary"
)

// GSSChecksum is the type of the checksum in a GSS-API authenticator, RFC 4121 §4.1.1.
const GSSChecksum = 0x8003

// Flags of that checksum, RFC 4121 §4.1.1.1.
const (
	gssMutual    = 2
	gssReplay    = 4
	gssIntegrity = 32
)

// Binding is the Bnd field of that checksum; zero for none.
type Binding [md5.Size]byte

// Bnd is the Binding to one tls-server-end-point hash (RFC 5929 §4.1): MD5 over the
// channel bindings with empty addresses, RFC 4121 §4.1.1.2.
func Bnd(endPoint []byte) Binding {
	data := append([]byte("tls-server-end-point:"), endPoint...)
	b := make([]byte, 16, 20+len(data))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // a hash is short
	return md5.Sum(append(b, data...))                         //nolint:gosec // see above
}

// GSSSum is the value of that checksum: it asks for mutual authentication, and
// delegates nothing.
func GSSSum(bnd Binding) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(bnd)))
	b = append(b, bnd[:]...)
	return binary.LittleEndian.AppendUint32(b, gssMutual|gssReplay|gssIntegrity)
}
