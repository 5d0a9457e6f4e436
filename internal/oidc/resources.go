package oidc

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

// checkResource: RFC 8707 §2. Several may be asked for; each token is for one.
func (p *Provider) checkResource(a *authRequest) (err error) {
	a.resource, err = p.targets(a.client, a.params)
	return err
}

// targets are the resources that a client asks for, each once and separated by
// spaces.
func (p *Provider) targets(client *store.Client, ps wire.Params) (string, error) {
	var granted []string
	for _, uri := range ps.Resources() {
		if err := p.checkTarget(client, uri); err != nil {
			return "", err
		}
		if !slices.Contains(granted, uri) {
			granted = append(granted, uri)
		}
	}
	return strings.Join(granted, " "), nil
}

// checkTarget: a resource is an absolute URI without a fragment (RFC 8707 §2),
// here this issuer or one of the configuration that the client may ask for. It is
// compared character for character.
func (p *Provider) checkTarget(client *store.Client, uri string) error {
	if u, err := url.Parse(uri); err != nil || !u.IsAbs() || strings.Contains(uri, "#") {
		return invalidTarget("resource must be an absolute URI without a fragment")
	}
	if _, ok := p.signingAlg(client, uri); !ok {
		return invalidTarget("the resource is unknown, or not for this client")
	}
	return nil
}

// audience is whom an access token is for: of what was granted, values separated
// by spaces, the one that is asked for now (RFC 8707 §2.2). A grant that names
// none is for this issuer. The resource may have been taken from the client since.
func (p *Provider) audience(client *store.Client, granted string, asked []string) (string, error) {
	among := strings.Fields(cmp.Or(granted, p.Issuer))
	switch {
	case len(asked) > 1:
		return "", invalidTarget("an access token is for one resource: name one")
	case len(asked) == 0 && len(among) > 1:
		return "", invalidTarget("name one of " + strings.Join(among, ", "))
	case len(asked) == 0:
		asked = among
	case !slices.Contains(among, asked[0]):
		return "", invalidTarget("the resource was not asked for when access was granted")
	}
	return asked[0], p.checkTarget(client, asked[0])
}

// signingAlg is the algorithm of access tokens for a resource, ES256 unless the
// configuration says otherwise; ok is false when the client may not ask for it.
func (p *Provider) signingAlg(client *store.Client, uri string) (alg string, ok bool) {
	if uri == p.Issuer {
		return keys.ES256, true
	}
	i := slices.IndexFunc(p.Resources, func(r store.Resource) bool { return r.URI == uri })
	if i < 0 || !clients.MayAsk(client, p.Resources[i]) {
		return "", false
	}
	return cmp.Or(p.Resources[i].AccessTokenAlg, keys.ES256), true
}

func invalidTarget(description string) error {
	return protocol.ErrInvalidTarget().WithDescription("%s", description)
}
