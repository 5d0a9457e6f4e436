// Package keytab keeps the keys of our services: those of HTTP/ entries in the
// keytab files that the administrator names.
//
// A keytab holds, for each principal, version (kvno) and encryption type, the key
// that the KDC seals tickets for that principal with. Whoever has the file can
// open every ticket for us, and make one for anybody, so nothing here quotes it:
// no error, no log line. Setting the account's password makes a new version, and
// tickets of the old one are around for hours; so a keytab has both for a while,
// and files are looked at again while the server runs (Run).
//
// Which key a ticket needs is told by the ticket: service, version and encryption
// type. But clients know our hosts by other names than the keytab, and behind a
// proxy by several, so what counts is which key opens it (Ring). Where none does,
// the reason says what the keytab lacks, since that is what an administrator mends.
//
// Which encryption types are accepted is the caller's policy, as is what may be in
// a ticket. The format is read by gokrb5, whose mistakes end here.
package keytab
