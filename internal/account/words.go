package account

import (
	"slices"
	"strings"

	"idp/internal/policy"
	"idp/internal/store"
)

// how says in plain words what proved who the person is (RFC 8176 values).
func how(s *store.Session) string {
	shown := func(amr string) bool { return slices.Contains(s.AMR, amr) }
	var ways []string
	switch {
	case shown(policy.AMRTicket):
		ways = append(ways, "with your company ticket")
	case s.Upstream.ID != "":
		ways = append(ways, "with your login at "+s.Upstream.ID)
	case shown(policy.AMRPassword) && s.Principal != "":
		ways = append(ways, "with your name and password, checked by your company")
	case shown(policy.AMRPassword):
		ways = append(ways, "with your name and password")
	}
	if shown(policy.AMRPasskey) {
		ways = append(ways, "with a passkey")
	}
	if shown(policy.AMROneTime) {
		ways = append(ways, "with a one-time code")
	}
	if len(ways) == 0 {
		return "in a way that has no name here"
	}
	return strings.Join(ways, ", and ")
}
