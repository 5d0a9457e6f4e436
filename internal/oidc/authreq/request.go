// Package authreq is an authorization request and what it has to look like.
//
// A relying party sends the browser with a list of parameters (OIDC Core §3.1.2.1):
// which client it is, where the answer goes, what it wants to know, how recently and
// how strongly somebody must have logged in, and what protects the answer (PKCE,
// RFC 7636; nonce; DPoP, RFC 9449). Package oidc finds the client and proves the
// redirect URI, for whoever cannot be answered gets no answer. Then the Request is
// made, and Check goes through the rest in the order of the specification, a small
// function per parameter. What was asked about the login itself is answered here too:
// whether a session is strong enough, and about the right person.
//
// It is the same for a request that comes by link, by form, pushed (RFC 9126) or out
// of a row. No database is known.
package authreq

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

// Request is an authorization request whose client and redirect URI are
// proven: from here on errors go to the relying party.
type Request struct {
	Params   wire.Params
	Client   *store.Client
	Redirect string
	FormPost bool   // the answer is posted, not put into the query
	Pushed   []byte // hash of the request the client pushed (RFC 9126); empty: it did not

	Scope     string // what of the asked scope the client may have
	Resource  string // whom access tokens may be for, separated by spaces; empty: nobody was named
	Claims    claimsRequest
	MaxAge    time.Duration // -1: not given
	Challenge string        // S256; empty without PKCE

	prompt []string
	hint   string // the user that id_token_hint names; empty: none
}

// authChecks stand in the order of OIDC Core §3.1.2.1 and the specifications
// that add to it.
var authChecks = []func(*Request) error{
	checkRequestObject,
	checkPushed,
	checkResponseType,
	checkGrantType,
	checkResponseMode,
	checkScope,
	checkClaims,
	checkPrompt,
	checkMaxAge,
	checkPKCE,
	checkDPoPKey,
	checkNonceLength,
	checkNonce,
}

// How an authorization response travels: in the query of the redirect URI
// (RFC 6749 §4.1.2), or posted to it by a page that sends itself off (OAuth 2.0
// Form Post Response Mode §2), errors as well.
const (
	responseModeQuery    = "query"
	responseModeFormPost = "form_post"
)

// ResponseModes are those that we answer by.
var ResponseModes = []string{responseModeQuery, responseModeFormPost}

// New is a request that is still to be checked. How its answer travels is known
// from the start, for errors travel like codes.
func New(ps wire.Params, client *store.Client) *Request {
	a := &Request{Params: ps, Client: client, Redirect: ps["redirect_uri"], MaxAge: -1}
	mode := cmp.Or(ps["response_mode"], readRequestObject(ps["request"]).ResponseMode)
	a.FormPost = mode == responseModeFormPost && postable(a.Redirect)
	return a
}

// postable: a form goes to a web address, not to an app's own scheme.
func postable(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

// State comes back with every answer (RFC 6749 §4.1.2).
func (a *Request) State() string {
	return cmp.Or(a.Params["state"], readRequestObject(a.Params["request"]).State)
}

// Check checks all that needs no database. t knows the resources and the ID tokens
// that a request may name.
func (a *Request) Check(t *tokens.Tokens) (err error) {
	for _, check := range authChecks {
		if err := check(a); err != nil {
			return err
		}
	}
	if a.Resource, err = t.Targets(a.Client, a.Params); err != nil {
		return err
	}
	return a.checkHint(t)
}

// Prompts reports whether this value of prompt was given.
func (a *Request) Prompts(value string) bool { return slices.Contains(a.prompt, value) }
