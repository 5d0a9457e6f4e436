package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/store"
)

// registrableScope is what a relying party that registers itself may ask for. What
// else there is, groups above all, an administrator gives it.
const registrableScope = "openid profile email offline_access"

// defaultRegisteredScope is what it gets that says nothing (RFC 7591 §2).
const defaultRegisteredScope = "openid profile email"

// registrableGrants are those in which a person acts: a stranger that acts for
// itself has nothing to do here.
var registrableGrants = []string{string(protocol.GrantTypeCode), string(protocol.GrantTypeRefreshToken), string(protocol.GrantTypeDeviceCode)}

const (
	maxShownName = 100  // characters of client_name: it has to fit a page
	maxURIs      = 20   // of a list
	maxURI       = 2000 // bytes of one
)

// applicationNative is the application_type of an app on its user's own machine
// (OIDC Registration §2).
const applicationNative = "native"

// Registration is what a relying party registers itself with (RFC 7591 §2,
// OIDC Registration §2): its own words, which nobody has vouched for.
type Registration struct {
	Client          store.Client // as it counts: defaults filled in, what is not for it left out; without client_id and secret
	ApplicationType string       // web or native
	ResponseTypes   []string
}

// ParseRegistration reads client metadata. Members that we do not know are ignored
// (RFC 7591 §2), logo_uri, contacts and software statements (§2.3) among them, and
// so is frontchannel_logout_uri: a page of ours would send people's browsers, with
// their cookies of a neighbour of ours, to whatever it names there. What
// we know and do not do is an error, for somebody relies on it. The error begins
// with the member that is wrong, and may hold what it says.
func ParseRegistration(body []byte) (*Registration, error) {
	var m metadataMembers
	if !utf8.Valid(body) || json.Unmarshal(body, &m) != nil || m == nil {
		return nil, errors.New("body: want an object of JSON")
	}
	r := &Registration{}
	if err := r.read(m); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return refuseUnsupported(m) },
		r.checkGrants, r.checkResponseTypes, r.limitScope, r.checkName, r.checkURIs, r.checkPages,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	r.fillIn()
	return r, nil
}

// metadataMembers are the members of a metadata document, by their exact names.
type metadataMembers map[string]json.RawMessage

// into reads one member; null counts as absent.
func (m metadataMembers) into(name string, to any) error {
	if raw, ok := m[name]; ok && json.Unmarshal(raw, to) != nil {
		return fmt.Errorf("%s: is of the wrong type", name)
	}
	return nil
}

// read takes what a stranger may say of itself. Everything else of store.Client is
// an administrator's to say.
func (r *Registration) read(m metadataMembers) error {
	c := &r.Client
	for _, member := range []struct {
		name string
		to   any
	}{
		{"client_name", &c.ClientName}, {"client_uri", &c.ClientURI}, {"initiate_login_uri", &c.InitiateLoginURI}, {"policy_uri", &c.PolicyURI}, {"tos_uri", &c.TOSURI},
		{"token_endpoint_auth_method", &c.TokenEndpointAuthMethod}, {"token_endpoint_auth_signing_alg", &c.TokenEndpointAuthAlg},
		{"jwks", &c.JWKS}, {"jwks_uri", &c.JWKSURI}, {"dpop_bound_access_tokens", &c.DPoPBoundAccessTokens},
		{"redirect_uris", &c.RedirectURIs}, {"grant_types", &c.GrantTypes}, {"scope", &c.Scope},
		{"require_pushed_authorization_requests", &c.RequirePAR}, {"default_max_age", &c.DefaultMaxAge},
		{"id_token_signed_response_alg", &c.IDTokenAlg}, {"userinfo_signed_response_alg", &c.UserinfoAlg},
		{"post_logout_redirect_uris", &c.PostLogoutRedirectURIs},
		{"backchannel_logout_uri", &c.BackchannelLogoutURI}, {"backchannel_logout_session_required", &c.BackchannelLogoutSession},
		{"application_type", &r.ApplicationType}, {"response_types", &r.ResponseTypes},
	} {
		if err := m.into(member.name, member.to); err != nil {
			return err
		}
	}
	if string(c.JWKS) == "null" {
		c.JWKS = nil
	}
	c.Registered = true
	return nil
}

// unsupportedMetadata is what we know and do not do, with what to do instead.
var unsupportedMetadata = []struct{ name, hint string }{
	{"subject_type", "only public identifiers are supported"},
	{"sector_identifier_uri", "pairwise identifiers are not supported"},
	{"id_token_encrypted_response_alg", "encryption is not supported"},
	{"id_token_encrypted_response_enc", "encryption is not supported"},
	{"userinfo_encrypted_response_alg", "encryption is not supported"},
	{"userinfo_encrypted_response_enc", "encryption is not supported"},
	{"introspection_encrypted_response_alg", "encryption is not supported"},
	{"authorization_signed_response_alg", "signed authorization responses are not supported"},
	{"authorization_encrypted_response_alg", "encryption is not supported"},
	{"request_object_signing_alg", "request objects are not supported: push the request (RFC 9126)"},
	{"request_object_encryption_alg", "request objects are not supported: push the request (RFC 9126)"},
	{"request_uris", "request objects are not supported: push the request (RFC 9126)"},
	{"require_signed_request_object", "request objects are not supported: push the request (RFC 9126)"},
	{"tls_client_certificate_bound_access_tokens", "tokens are bound by DPoP: dpop_bound_access_tokens (RFC 9449)"},
}

// refuseUnsupported lets values pass that ask for nothing.
func refuseUnsupported(m metadataMembers) error {
	for _, u := range unsupportedMetadata {
		switch value := strings.TrimSpace(string(m[u.name])); {
		case slices.Contains([]string{"", "null", "false", `""`, "[]"}, value):
		case u.name == "subject_type" && value == `"public"`:
		default:
			return fmt.Errorf("%s: %s", u.name, u.hint)
		}
	}
	return nil
}

// checkGrants leaves out what is not for strangers, as limitScope does: software
// names every grant that it can (RFC 7591 §2).
func (r *Registration) checkGrants() error {
	c := &r.Client
	asked := c.GrantTypes
	c.GrantTypes = slices.DeleteFunc(slices.Clone(asked), func(g string) bool { return !slices.Contains(registrableGrants, g) })
	if len(c.GrantTypes) == 0 && len(asked) > 0 {
		return fmt.Errorf("grant_types: %q is not for relying parties that register themselves: want some of %v", asked[0], registrableGrants)
	}
	if MayUse(c, protocol.GrantTypeRefreshToken) && len(c.GrantTypes) == 1 {
		return errors.New("grant_types: refresh_token alone gets no token to refresh")
	}
	return nil
}

// checkResponseTypes: code is the one response type (RFC 9700 §2.1.2), and belongs
// to authorization_code (RFC 7591 §2.1): what does not fit is mended.
func (r *Registration) checkResponseTypes() error {
	if len(r.ResponseTypes) > 0 && !slices.Contains(r.ResponseTypes, string(protocol.ResponseTypeCode)) {
		return fmt.Errorf("response_types: %q is not supported: want code", r.ResponseTypes[0])
	}
	r.ResponseTypes = responseTypes(&r.Client)
	return nil
}

// limitScope leaves out what is not for strangers (RFC 7591 §2); the answer says
// what is left.
func (r *Registration) limitScope() error {
	c := &r.Client
	if c.Scope == "" {
		c.Scope = defaultRegisteredScope
		return nil
	}
	c.Scope = FilterScope(c.Scope, func(name string) bool { return HasScope(registrableScope, name) })
	if c.Scope == "" {
		return fmt.Errorf("scope: want some of %s", registrableScope)
	}
	return nil
}

// checkName: people see it where they decide.
func (r *Registration) checkName() error {
	c := &r.Client
	c.ClientName = strings.TrimSpace(c.ClientName)
	if utf8.RuneCountInString(c.ClientName) > maxShownName {
		return fmt.Errorf("client_name: want %d characters at most", maxShownName)
	}
	if err := CheckName(c.ClientName); err != nil {
		return fmt.Errorf("client_name: %w", err)
	}
	return nil
}

// CheckName says why a client_name does not read as what it is: characters that are
// not seen, or that turn what follows, and nothing to read. An administrator is warned
// of it. Fillers that look like a space are letters to Unicode.
func CheckName(name string) error {
	unseen := func(r rune) bool {
		return !unicode.IsGraphic(r) || r == utf8.RuneError || r == '\u2800' || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
	}
	switch {
	case strings.ContainsFunc(name, unseen):
		return errors.New("holds characters that cannot be seen, such as control or bidirectional ones, or fillers")
	case name != "" && !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }):
		return errors.New("has no letter and no digit")
	}
	return nil
}

// checkURIs bounds lists, and keeps http for apps on their users' own machines,
// whatever may be said of a client that an administrator knows; Check judges the rest.
func (r *Registration) checkURIs() error {
	c := &r.Client
	switch r.ApplicationType {
	case "":
		r.ApplicationType = "web"
	case "web", applicationNative:
	default:
		return fmt.Errorf("application_type: %q is not known: want web or native", r.ApplicationType)
	}
	for _, list := range []struct {
		name string
		uris []string
	}{{"redirect_uris", c.RedirectURIs}, {"post_logout_redirect_uris", c.PostLogoutRedirectURIs}} {
		if len(list.uris) > maxURIs {
			return fmt.Errorf("%s: want %d at most", list.name, maxURIs)
		}
		for _, uri := range list.uris {
			if len(uri) > maxURI {
				return fmt.Errorf("%s: want %d bytes each at most", list.name, maxURI)
			}
			if strings.HasPrefix(uri, "http:") && r.ApplicationType != applicationNative && !c.Public() {
				return fmt.Errorf("%s: %q: http is for native apps: application_type native", list.name, uri)
			}
		}
	}
	return nil
}

// checkPages: the pages that people are shown links to are kept where they are at
// the host that people will be sent to, and left out otherwise: links to somebody
// else's pages would lend a stranger somebody else's good name (RFC 7591 §5).
func (r *Registration) checkPages() error {
	c := &r.Client
	for _, page := range []struct {
		name string
		uri  *string
	}{{"client_uri", &c.ClientURI}, {"initiate_login_uri", &c.InitiateLoginURI}, {"policy_uri", &c.PolicyURI}, {"tos_uri", &c.TOSURI}} {
		if *page.uri == "" {
			continue
		}
		if err := checkURI(*page.uri, false); err != nil || len(*page.uri) > maxURI {
			return fmt.Errorf("%s: want an https URL of %d bytes at most", page.name, maxURI)
		}
		if !slices.ContainsFunc(c.RedirectURIs, func(redirect string) bool { return sameSite(redirect, *page.uri) }) {
			*page.uri = ""
		}
	}
	return nil
}

// sameSite reports whether both are https URLs of one host and port.
func sameSite(a, b string) bool {
	u, err1 := url.Parse(a)
	v, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && u.Scheme == "https" && v.Scheme == "https" && strings.EqualFold(u.Host, v.Host)
}

// fillIn writes down the defaults of today, so that others tomorrow change nothing
// for who has registered. Keys are kept where they are used.
func (r *Registration) fillIn() {
	c := &r.Client
	c.TokenEndpointAuthMethod = string(AuthMethod(c))
	c.GrantTypes = GrantTypes(c)
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = keys.RS256
	}
	if c.UserinfoAlg == "none" { // OIDC Registration §2: plain JSON
		c.UserinfoAlg = ""
	}
	if AuthMethod(c) != protocol.AuthMethodPrivateKeyJWT {
		c.JWKS, c.JWKSURI, c.TokenEndpointAuthAlg = nil, "", ""
	}
	no := false
	c.Trusted = &no
}
