package policy

import (
	"net/netip"
	"testing"

	"idp/internal/kerberos"
)

func TestInside(t *testing.T) {
	offer := kerberos.DefaultConfig().OfferTo
	for addr, want := range map[string]bool{"127.0.0.1": true, "10.1.2.3": true, "192.0.2.1": false, "::1": true, "fd00::1": true, "2001:db8::1": false} {
		if got := Inside(offer, From{Address: netip.MustParseAddr(addr)}); got != want {
			t.Errorf("Inside(%s) = %v, want %v", addr, got, want)
		}
	}
	if Inside(offer, From{Address: netip.MustParseAddr("10.1.2.3"), Outside: true}) {
		t.Error("forwarded by a stranger, and inside")
	}
}
