package tokens

import "testing"

func TestTokenCacheIsBounded(t *testing.T) {
	c := newTokenCache()
	for i := range 5 * tokenCacheHalf {
		c.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, &AccessClaims{})
	}
	if n := len(c.new) + len(c.old); n > 2*tokenCacheHalf {
		t.Errorf("%d tokens are kept", n)
	}
}
