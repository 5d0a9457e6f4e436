package wire

import (
	protocol "github.com/zitadel/oidc/v3/pkg/oidc"
)

// TokenTypeDPoP is the type of a token that is bound to a key (RFC 9449 §5), and
// the scheme that it is sent by (§7.1).
const TokenTypeDPoP = "DPoP"

// TokenType is the token_type of an access token: RFC 6750 §6.1.1, or RFC 9449 §5
// for one that is bound to a key, whose thumbprint jkt is.
func TokenType(jkt string) string {
	if jkt != "" {
		return TokenTypeDPoP
	}
	return protocol.BearerToken
}

// Confirmation adds the key that a token is bound to (RFC 9449 §6.1), if any.
func (o *Object) Confirmation(jkt string) {
	if jkt != "" {
		cnf := NewObject(64)
		cnf.Text("jkt", jkt)
		o.Raw("cnf", cnf.Close())
	}
}
