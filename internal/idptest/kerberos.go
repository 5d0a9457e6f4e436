package idptest

import (
	"encoding/base64"
	"testing"

	"idp/internal/kerberos/krbtest"
)

// KerberosYAML is the kerberos section for a realm of package krbtest.
func KerberosYAML(r *krbtest.Realm) string {
	return "kerberos:\n  keytabs: [" + r.Keytab + "]\n  krb5_conf: " + r.Krb5Conf + "\n  basic_realm: Example Ltd\n  realms: [{name: " + r.Name + "}]\n"
}

// Negotiate is an Authorization header with a new token of a ticket.
func Negotiate(t testing.TB, ticket *krbtest.Ticket) string {
	t.Helper()
	token, err := ticket.Token()
	if err != nil {
		t.Fatal(err)
	}
	return "Negotiate " + base64.StdEncoding.EncodeToString(token)
}
