package keys

import (
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// State is what signs with one algorithm, for whoever looks and changes nothing.
type State struct {
	Algorithm string
	Kid       string    // of the key that signs now; empty: none does
	Since     time.Time // from when it signs
	Next      time.Time // when another one takes over, by the usual rhythm or because it is published already
	Coming    bool      // the other one is published
}

// States opens the rows with the ring, which may be nil (then they stay sealed),
// and tells for each algorithm that has keys, or is to have them always, what signs. secret.ErrSealed: the ring does not fit.
func States(rows []store.SigningKey, ring *secret.Ring, now time.Time) ([]State, error) {
	if ring != nil {
		if _, err := newSet(rows, nil, ring, now); err != nil {
			return nil, err
		}
	}
	var out []State
	for _, alg := range inUse(rows) {
		s := State{Algorithm: alg}
		for _, r := range ofAlgorithm(rows, alg) {
			switch at := time.UnixMilli(r.ActiveAt); {
			case !at.After(now):
				s.Kid, s.Since, s.Next = r.Kid, at, at.Add(rotateEvery)
			case !s.Coming:
				s.Next, s.Coming = at, true
			}
		}
		out = append(out, s)
	}
	return out, nil
}
