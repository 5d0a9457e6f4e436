package oidc

import (
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
)

// scopeGroups asks for the claim groups, with those the client may see.
const scopeGroups = "groups"

// defaultScope is what a client may ask for that is registered without scope.
const defaultScope = "openid profile email groups"

// userScopes are about a person, and mean nothing where a client acts for itself.
var userScopes = []string{protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, scopeGroups, protocol.ScopeOfflineAccess}

func clientScope(c *store.Client) string {
	if c.Scope == "" {
		return defaultScope
	}
	return c.Scope
}

// allowedScope is what of the asked scope the client is registered for, each
// value once and in the order asked. Values we do not know are ignored
// (OIDC Core §3.1.2.1).
func allowedScope(c *store.Client, asked string) string {
	registered := clientScope(c)
	return filterScope(asked, func(name string) bool { return hasScope(registered, name) })
}

// filterScope keeps the values for which keep holds, each once.
func filterScope(scope string, keep func(name string) bool) string {
	var kept []string
	for name := range strings.FieldsSeq(scope) {
		if keep(name) && !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, " ")
}

// hasScope reports whether a scope, values separated by spaces (RFC 6749 §3.3),
// holds one.
func hasScope(scope, name string) bool {
	for s := range strings.FieldsSeq(scope) {
		if s == name {
			return true
		}
	}
	return false
}

// narrower returns the part of a granted scope that asked names; everything when
// nothing is asked. ok is false when asked holds more (RFC 6749 §6).
func narrower(granted, asked string) (scope string, ok bool) {
	if asked == "" {
		return granted, true
	}
	for name := range strings.FieldsSeq(asked) {
		if !hasScope(granted, name) {
			return "", false
		}
	}
	scope = filterScope(asked, func(string) bool { return true })
	return scope, scope != ""
}
