package store

import (
	"sync/atomic"
	"testing"
)

func TestKeptAnswers(t *testing.T) {
	var c answers[string, int]
	var revoked atomic.Uint64
	c.put("k", 7, 1000, revoked.Load())
	if found, ok := c.get("k", 1999, &revoked); !ok || found != 7 {
		t.Fatal("an answer is not kept for a second")
	}
	if _, ok := c.get("k", 2000, &revoked); ok {
		t.Error("an answer is kept longer than a second")
	}
	if _, ok := c.get("k", 999, &revoked); ok {
		t.Error("a clock that was put back keeps an answer for as long")
	}
	if _, ok := c.get("other", 1000, &revoked); ok {
		t.Error("another key's answer")
	}
	asked := revoked.Load()
	revoked.Add(1) // a revocation
	if _, ok := c.get("k", 1500, &revoked); ok {
		t.Error("an answer outlives a revocation on this node")
	}
	c.put("k", 7, 1500, asked)
	if _, ok := c.get("k", 1500, &revoked); ok {
		t.Error("an answer that a revocation overtook is given")
	}
	for i := range keptMost + 10 {
		c.put(string(rune(i)), i, 1, revoked.Load())
	}
	if len(c.kept) > keptMost {
		t.Errorf("%d answers are kept", len(c.kept))
	}
}
