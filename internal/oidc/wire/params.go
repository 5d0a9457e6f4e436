// Package wire is how OpenID Connect and OAuth 2.0 are written: parameters of
// requests, objects of JSON, errors, and the answers that carry them.
//
// A request is a query or a form (RFC 6749 appendix B). Parse takes the parameters
// that we know, each once, within a limit that is looked at first; Params then are a
// map that every endpoint reads. An answer is an object of JSON, which Object builds
// by appending, or an error of the protocol: an endpoint returns one, as
// protocol.Error or, where the answer is not a plain 400, as Failure, and Handle
// writes it. Whatever else an endpoint returns leaves as server_error, and its text
// goes to the log alone.
//
// Nothing is judged here: whether a client may ask, whether a token is good. No
// client and no database is known.
package wire

import (
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	MaxParams = 100      // parameters of one request
	MaxQuery  = 16 << 10 // bytes of an authorization or logout request
	maxForm   = 64 << 10 // bytes of a form posted by a program: assertions and tickets are long

	paramResource = "resource"
	paramAudience = "audience"
)

// Params are the parameters of a request that we know, each exactly once.
// Unknown ones are ignored, and one without a value counts as absent
// (RFC 6749 §3.1). Only resource (RFC 8707 §2) and audience (RFC 8693 §2.1) may be
// repeated: their values, which are URIs, stand side by side with spaces in between.
type Params map[string]string

// AuthorizationParams are those of an authorization request. What proves the client is
// not among them, nor is request_uri, which stands for others.
var AuthorizationParams = setOf(`
	response_type client_id redirect_uri scope state nonce response_mode code_challenge code_challenge_method prompt max_age
	login_hint id_token_hint acr_values claims ui_locales claims_locales display resource dpop_jkt request registration`)

// known are the parameters of all our endpoints.
var known = func() map[string]bool {
	set := setOf(`
		request_uri grant_type code code_verifier refresh_token client_secret client_assertion client_assertion_type assertion device_code
		audience subject_token subject_token_type actor_token actor_token_type requested_token_type
		token token_type_hint access_token post_logout_redirect_uri logout_hint form_token user_code`)
	maps.Copy(set, AuthorizationParams)
	return set
}()

func setOf(names string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		set[name] = true
	}
	return set
}

// Parse parses a query or form. Parameters that come twice are not in the
// result, and the error, which is the protocol's, names the first of them; the
// others can be used to decide where to send it.
func Parse(raw string, limit int) (Params, error) {
	ps := Params{}
	if len(raw) > limit {
		return ps, protocol.ErrInvalidRequest().WithDescription("the request is longer than %d bytes", limit)
	}
	if strings.Count(raw, "&") >= MaxParams {
		return ps, protocol.ErrInvalidRequest().WithDescription("the request has more than %d parameters", MaxParams)
	}
	var failed error
	doubled := map[string]bool{}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, err := parsePair(pair)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case value == "" || !known[name]:
		case name == paramResource || name == paramAudience:
			ps[name] = strings.TrimPrefix(ps[name]+" "+value, " ")
		case ps[name] != "":
			doubled[name] = true
			failed = errors.Join(failed, protocol.ErrInvalidRequest().WithDescription("parameter %s comes twice", name))
		default:
			ps[name] = value
		}
	}
	for name := range doubled {
		delete(ps, name)
	}
	return ps, failed
}

func parsePair(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	name, err1 := url.QueryUnescape(name)
	value, err2 := url.QueryUnescape(value)
	if err1 != nil || err2 != nil {
		return "", "", protocol.ErrInvalidRequest().WithDescription("a parameter is not form-encoded")
	}
	// RFC 6749 appendix A has no control characters, and the database no NUL.
	if known[name] && (!utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0) {
		return "", "", protocol.ErrInvalidRequest().WithDescription("parameter %s is not valid UTF-8 text", name)
	}
	if name == paramResource && strings.ContainsFunc(value, unicode.IsSpace) { // no URI, and it would read as two
		return "", "", protocol.ErrInvalidTarget().WithDescription("resource is not a URI")
	}
	return name, value, nil
}

// Resources are the values of resource (RFC 8707 §2).
func (ps Params) Resources() []string { return strings.Fields(ps[paramResource]) }

// Targets are the values of resource and audience (RFC 8693 §2.1). Whoever puts
// several into one has named several.
func (ps Params) Targets() []string {
	return append(ps.Resources(), strings.Fields(ps[paramAudience])...)
}

// Need returns a parameter that must be there.
func (ps Params) Need(name string) (string, error) {
	if ps[name] == "" {
		return "", protocol.ErrInvalidRequest().WithDescription("%s is missing", name)
	}
	return ps[name], nil
}

// Encode is what Parse reads back.
func (ps Params) Encode() string {
	v := url.Values{}
	for name, value := range ps {
		v.Set(name, value)
	}
	if all := ps.Resources(); len(all) > 0 {
		v[paramResource] = all
	}
	return v.Encode()
}

// PostedParams reads the parameters of a POST from its body, and from nowhere else:
// what stands in a URL is in logs, histories and Referer headers (RFC 6749 §3.2
// and §2.3.1).
func PostedParams(r *http.Request) (Params, error) {
	if r.Method != http.MethodPost {
		return nil, Failure{Status: http.StatusMethodNotAllowed, Allow: "POST",
			Err: protocol.ErrInvalidRequest().WithDescription("the method must be POST")}
	}
	if r.URL.RawQuery != "" {
		return nil, protocol.ErrInvalidRequest().WithDescription("parameters must be in the body, not in the URL")
	}
	body, err := FormBody(r, maxForm)
	if err != nil {
		return nil, err
	}
	return Parse(body, maxForm)
}

// FormBody reads a form as it came, of at most limit bytes.
func FormBody(r *http.Request, limit int64) (string, error) {
	if !IsForm(r.Header.Get("Content-Type")) {
		return "", protocol.ErrInvalidRequest().WithDescription("the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var big *http.MaxBytesError
	if len(body) > int(limit) || errors.As(err, &big) {
		return "", TooLarge(limit)
	}
	if err != nil {
		return "", protocol.ErrInvalidRequest().WithDescription("the body could not be read").WithParent(err)
	}
	return string(body), nil
}

// IsForm reports whether a body of this Content-Type is a form.
func IsForm(contentType string) bool {
	const form = "application/x-www-form-urlencoded"
	if contentType == form {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == form
}

// AppendQuery adds parameters to a registered URI, keeping the query it has
// (RFC 6749 §3.1.2).
func AppendQuery(uri string, v url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + v.Encode()
}
