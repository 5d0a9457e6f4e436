package clients

import (
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
)

// ScopeGroups asks for the claim groups, with those the client may see.
const ScopeGroups = "groups"

// defaultScope is what a client may ask for that is registered without scope.
const defaultScope = "openid profile email groups"

// UserScopes are about a person, and mean nothing where a client acts for itself.
var UserScopes = []string{protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopePhone, protocol.ScopeAddress, ScopeGroups, protocol.ScopeOfflineAccess}

// Scope is what the client is registered for.
func Scope(c *store.Client) string {
	if c.Scope == "" {
		return defaultScope
	}
	return c.Scope
}

// AllowedScope is what of the asked scope the client is registered for, each
// value once and in the order asked. Values we do not know are ignored
// (OIDC Core §3.1.2.1).
func AllowedScope(c *store.Client, asked string) string {
	registered := Scope(c)
	return FilterScope(asked, func(name string) bool { return HasScope(registered, name) })
}

// FilterScope keeps the values for which keep holds, each once.
func FilterScope(scope string, keep func(name string) bool) string {
	var kept []string
	for name := range strings.FieldsSeq(scope) {
		if keep(name) && !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, " ")
}

// HasScope reports whether a scope, values separated by spaces (RFC 6749 §3.3),
// holds one.
func HasScope(scope, name string) bool {
	for s := range strings.FieldsSeq(scope) {
		if s == name {
			return true
		}
	}
	return false
}

// Narrower returns the part of a granted scope that asked names; everything when
// nothing is asked. ok is false when asked holds more (RFC 6749 §6).
func Narrower(granted, asked string) (scope string, ok bool) {
	if asked == "" {
		return granted, true
	}
	for name := range strings.FieldsSeq(asked) {
		if !HasScope(granted, name) {
			return "", false
		}
	}
	scope = FilterScope(asked, func(string) bool { return true })
	return scope, scope != ""
}

// WithoutOffline takes offline_access from a scope that cannot have it: a client
// without refresh tokens, and a session proved by Kerberos. Nothing tells us
// when an account is closed in the realm, so what rests on a ticket ends with it.
func WithoutOffline(c *store.Client, s *store.Session, scope string) string {
	if s.Principal == "" && MayUse(c, protocol.GrantTypeRefreshToken) {
		return scope
	}
	return FilterScope(scope, func(name string) bool { return name != protocol.ScopeOfflineAccess })
}
