package grant

import (
	"net/http"

	"idp/internal/oidc/wire"
	"idp/internal/store"
)

// bearerGrant answers for an assertion that proved the client (RFC 7523 §2.1).
func (p *Endpoint) bearerGrant(_ *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	return p.ownToken(client, ps, jkt)
}
