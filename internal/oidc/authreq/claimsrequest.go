package authreq

import (
	"encoding/json"
	"slices"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/store"
)

const (
	MaxClaims      = 8 << 10 // bytes of the claims parameter
	maxClaimsDepth = 16      // objects and arrays in each other
)

// claimsRequest is what the claims parameter asks for (OIDC Core §5.5), as far as
// we know it and the client may have it.
type claimsRequest struct {
	Asked     tokens.AskedClaims
	subjects  []string // users that it may be about
	bySubject bool     // and only those
	acr       []string // wanted, the best first
	acrNeeded bool     // or else it fails (OIDC Core §5.5.1.1)
}

// claimRequest is how one claim is asked for (OIDC Core §5.5.1). A claim about
// the user is given as it is, whatever value somebody wishes for, and one that is
// not known is left out, essential or not: neither is an error.
type claimRequest struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// checkClaims: OIDC Core §5.5. Members and claims that we do not know are ignored.
func checkClaims(a *Request) (err error) {
	a.Claims, err = parseClaims(a.Client, a.Params["claims"])
	return err
}

func parseClaims(client *store.Client, text string) (c claimsRequest, err error) {
	if text == "" {
		return c, nil
	}
	if len(text) > MaxClaims || depth(text) > maxClaimsDepth {
		return c, protocol.ErrInvalidRequest().WithDescription("claims is longer than %d bytes or deeper than %d levels", MaxClaims, maxClaimsDepth)
	}
	var members struct {
		Userinfo map[string]json.RawMessage `json:"userinfo"`
		IDToken  map[string]json.RawMessage `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return c, protocol.ErrInvalidRequest().WithDescription("claims is not a JSON object of the form of OpenID Connect Core 5.5").WithParent(err)
	}
	for name, raw := range members.IDToken {
		if err := c.add(name, raw, name == "acr"); err != nil {
			return claimsRequest{}, err
		}
	}
	for name, raw := range members.Userinfo {
		if err := c.add(name, raw, false); err != nil {
			return claimsRequest{}, err
		}
	}
	c.Asked.IDToken, c.Asked.Userinfo = claimsFor(client, members.IDToken), claimsFor(client, members.Userinfo)
	return c, nil
}

// add notes what is asked of claims that decide who logs in, and how.
func (c *claimsRequest) add(name string, raw json.RawMessage, acr bool) error {
	if name != "sub" && !acr {
		return nil
	}
	var q claimRequest
	if err := json.Unmarshal(raw, &q); err != nil { // null is no error
		return protocol.ErrInvalidRequest().WithDescription("claims: %s is neither null nor an object of essential, value, values", name).WithParent(err)
	}
	values, limited := q.texts()
	switch {
	case acr:
		c.acr, c.acrNeeded = values, q.Essential && limited
	case limited && c.bySubject: // in both members: whoever is in both
		c.subjects = slices.DeleteFunc(c.subjects, func(s string) bool { return !slices.Contains(values, s) })
	case limited:
		c.subjects, c.bySubject = values, true
	}
	return nil
}

// texts are the values that would do, and whether there are any demands: a value
// that is no text is one that nobody has.
func (q claimRequest) texts() (values []string, limited bool) {
	for _, raw := range append([]json.RawMessage{q.Value}, q.Values...) {
		var text *string
		if raw != nil && json.Unmarshal(raw, &text) == nil && text != nil {
			values = append(values, *text)
		}
	}
	return values, q.Value != nil || q.Values != nil
}

// claimsFor are those of the names that are claims about the user, of a scope
// that the client is registered for: whoever may not ask for the scope email does
// not get at the address by another way.
func claimsFor(c *store.Client, names map[string]json.RawMessage) (asked []string) {
	for _, claim := range tokens.UserClaims {
		if _, ok := names[claim.Name]; ok && clients.HasScope(clients.Scope(c), claim.Scope) {
			asked = append(asked, claim.Name)
		}
	}
	return asked
}

// allows reports whether the request may be answered about this user. A request
// for another value of sub is like an id_token_hint (OIDC Core §5.5.1).
func (c claimsRequest) allows(userID string) bool {
	return !c.bySubject || slices.Contains(c.subjects, userID)
}

// depth is how deep objects and arrays of a text of JSON stand in each other; of
// other texts it is some number.
func depth(text string) (deepest int) {
	level, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}', c == ']':
			level--
		}
	}
	return deepest
}
