package tokens

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/reason"
	"idp/internal/store"
)

// Targets are the resources that a client asks for, each once and separated by
// spaces.
func (t *Tokens) Targets(client *store.Client, ps wire.Params) (string, error) {
	var granted []string
	for _, uri := range ps.Resources() {
		if err := t.checkTarget(client, uri); err != nil {
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
func (t *Tokens) checkTarget(client *store.Client, uri string) error {
	if u, err := url.Parse(uri); err != nil || !u.IsAbs() || strings.Contains(uri, "#") {
		return invalidTarget("resource must be an absolute URI without a fragment")
	}
	if _, ok := t.signingAlg(client, uri); !ok {
		return invalidTarget("the resource is unknown, or not for this client", uri)
	}
	return nil
}

// Target is the one that an exchange names (RFC 8693 §2.1): a resource of the
// configuration that the client may ask for. This issuer is none: its userinfo is for
// those that people log in to.
func (t *Tokens) Target(client *store.Client, ps wire.Params) (string, error) {
	all := ps.Targets()
	if len(all) != 1 {
		return "", invalidTarget("name one audience, by audience or by resource")
	}
	if !t.IsResource(client, all[0]) {
		return "", invalidTarget("the audience is no resource of the configuration, or not for this client", all[0])
	}
	return all[0], nil
}

// IsResource reports whether uri is a resource of the configuration, other than this
// issuer, that the client may ask for.
func (t *Tokens) IsResource(client *store.Client, uri string) bool {
	_, ok := t.signingAlg(client, uri)
	return ok && uri != t.Issuer
}

// Audience is whom an access token is for: of what was granted, values separated
// by spaces, the one that is asked for now (RFC 8707 §2.2). A grant that names
// none is for this issuer. The resource may have been taken from the client since.
func (t *Tokens) Audience(client *store.Client, granted string, asked []string) (string, error) {
	among := strings.Fields(cmp.Or(granted, t.Issuer))
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
	return asked[0], t.checkTarget(client, asked[0])
}

// signingAlg is the algorithm of access tokens for a resource, ES256 unless the
// configuration says otherwise; ok is false when the client may not ask for it.
func (t *Tokens) signingAlg(client *store.Client, uri string) (alg string, ok bool) {
	if uri == t.Issuer {
		return keys.ES256, true
	}
	i := slices.IndexFunc(t.Resources, func(r store.Resource) bool { return r.URI == uri })
	if i < 0 || !clients.MayAsk(client, t.Resources[i]) {
		return "", false
	}
	return cmp.Or(t.Resources[i].AccessTokenAlg, keys.ES256), true
}

// invalidTarget tells the log, and nobody else, what was asked for.
func invalidTarget(description string, asked ...string) error {
	e := protocol.ErrInvalidTarget().WithDescription("%s", description)
	if len(asked) > 0 {
		e = e.WithParent(fmt.Errorf("asked for %s", reason.Short(strconv.Quote(asked[0]))))
	}
	return e
}
