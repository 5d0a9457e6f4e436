package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"idp/internal/audit"
	"idp/internal/store"
)

// firstKeyTime bounds how long a token waits for the first key of its algorithm.
const firstKeyTime = 5 * time.Second

// Need sees to it that there is a key for each of algs, and makes what is
// missing: one key, however many nodes ask at once. It costs nothing when there
// is one; a name that is not in Algorithms is an error. Call it where a configuration or a relying party comes in that names
// the algorithms, so that the key is published long before it signs.
func (k *Keys) Need(ctx context.Context, algs ...string) error {
	for _, alg := range algs {
		if !slices.Contains(Algorithms, alg) {
			return fmt.Errorf("signature algorithm %q is not supported: want one of %v", alg, Algorithms)
		}
	}
	if k.have(algs) {
		return nil
	}
	if err := k.refresh(ctx); err != nil || k.have(algs) { // another node may have made it
		return err
	}
	return k.exclusively(ctx, func() error { return k.addFirst(ctx, algs) })
}

// have reports whether each of algs has a key that signs.
func (k *Keys) have(algs []string) bool {
	return !slices.ContainsFunc(algs, func(alg string) bool { return k.active(alg) == nil })
}

// active returns the key that signs with alg now, or nil.
func (k *Keys) active(alg string) *key {
	return k.current.Load().active(alg, k.Now().UnixMilli())
}

// addFirst makes the first key of those of algs that have none. It is active at
// once: nothing else could sign.
func (k *Keys) addFirst(ctx context.Context, algs []string) error {
	for _, alg := range algs {
		if k.active(alg) != nil {
			continue
		}
		if err := k.add(ctx, alg, k.Now(), store.Entry{Actor: audit.ActorServer}); err != nil {
			return err
		}
		if err := k.refresh(ctx); err != nil { // algs may name it twice
			return err
		}
	}
	return nil
}

// signing returns the key that signs with alg now, and makes it when there is
// none: the relying party may have come into the database by any way.
func (k *Keys) signing(alg string) (*key, error) {
	if active := k.active(alg); active != nil {
		return active, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstKeyTime)
	defer cancel()
	if err := k.Need(ctx, alg); err != nil {
		return nil, fmt.Errorf("no key for %q: %w", alg, err)
	}
	if active := k.active(alg); active != nil {
		return active, nil
	}
	return nil, fmt.Errorf("no active key for %q", alg)
}
