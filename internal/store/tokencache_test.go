package store

import "testing"

func TestKeptTokenAnswers(t *testing.T) {
	var c tokenCache
	k := tokenKey{"grant", "jti"}
	c.put(k, Grant{ID: "grant"}, Standing{User: User{ID: "u", Groups: []string{"a"}}}, 1000, c.revision.Load())
	g, _, ok := c.get(k, 1999)
	if !ok || g.ID != "grant" {
		t.Fatal("an answer is not kept for a second")
	}
	g.RevokedAt = 1
	if again, _, _ := c.get(k, 1999); again.RevokedAt != 0 {
		t.Error("a caller changed what others get")
	}
	if _, _, ok := c.get(k, 2000); ok {
		t.Error("an answer is kept longer than a second")
	}
	if _, _, ok := c.get(tokenKey{"grant", "other"}, 1000); ok {
		t.Error("another token's answer")
	}
	asked := c.revision.Load()
	c.revision.Add(1) // a revocation
	if _, _, ok := c.get(k, 1500); ok {
		t.Error("an answer outlives a revocation on this node")
	}
	c.put(k, Grant{}, Standing{}, 1500, asked)
	if _, _, ok := c.get(k, 1500); ok {
		t.Error("an answer that a revocation overtook is given")
	}
	for i := range keptMost + 10 {
		c.put(tokenKey{"g", string(rune(i))}, Grant{}, Standing{}, 1, c.revision.Load())
	}
	if len(c.kept) > keptMost {
		t.Errorf("%d answers are kept", len(c.kept))
	}
}
