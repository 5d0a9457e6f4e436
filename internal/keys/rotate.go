package keys

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"idp/internal/audit"
	"idp/internal/store"
)

const (
	lease     = "signing keys"
	leaseTime = 15 * time.Second
)

// errBusy: another node is making keys.
var errBusy = errors.New("another node is changing the signing keys")

// maintain reads the keys and does what is due.
func (k *Keys) maintain(ctx context.Context) error {
	if err := k.refresh(ctx); err != nil {
		return err
	}
	if !k.due(k.current.Load().rows) {
		return nil
	}
	err := k.exclusively(ctx, func() error { return k.rotateDue(ctx) })
	if errors.Is(err, errBusy) && k.current.Load().complete(k.Now()) {
		return nil // the other node does the same work; the next round sees it
	}
	return err
}

// Rotate makes a new key for each algorithm that has one, which is published at
// once, signs from ten minutes later, and retires its predecessor then. The
// running nodes notice within half a minute.
func (k *Keys) Rotate(ctx context.Context, e store.Entry) error {
	return k.exclusively(ctx, func() error {
		for _, alg := range inUse(k.current.Load().rows) {
			if err := k.add(ctx, alg, k.Now().Add(publishOnCommand), e); err != nil {
				return err
			}
		}
		return k.settle(ctx, e)
	})
}

// exclusively runs work under the lease, waiting for another holder as long as a
// lease lasts. The lease is the node's; within it one after the other works.
func (k *Keys) exclusively(ctx context.Context, work func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, leaseTime+time.Second)
	defer cancel()
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return errBusy
	}
	for {
		got, err := k.Store.Lease(ctx, lease, k.holder, leaseTime)
		if err != nil {
			return err
		}
		if got {
			break
		}
		select {
		case <-ctx.Done():
			return errBusy
		case <-tick.C:
		}
	}
	err := k.refresh(ctx)
	if err == nil {
		err = work()
	}
	_, release := k.Store.Lease(ctx, lease, k.holder, 0)
	return errors.Join(err, release, k.refresh(ctx))
}

// due reports whether rotateDue would change anything.
func (k *Keys) due(rows []store.SigningKey) bool {
	for _, alg := range inUse(rows) {
		if _, ok := k.nextStart(rows, alg); ok {
			return true
		}
	}
	return len(k.retirements(rows)) > 0 || slices.ContainsFunc(rows, k.over)
}

// rotateDue adds the keys whose time has come, retires their predecessors and
// deletes what is over.
func (k *Keys) rotateDue(ctx context.Context) error {
	e := store.Entry{Actor: audit.ActorServer}
	for _, alg := range inUse(k.current.Load().rows) {
		if start, ok := k.nextStart(k.current.Load().rows, alg); ok {
			if err := k.add(ctx, alg, start, e); err != nil {
				return err
			}
		}
	}
	return k.settle(ctx, e)
}

// nextStart is when a key that is to be made now starts to sign; ok is false
// when none is due. The first key of an algorithm starts at once.
func (k *Keys) nextStart(rows []store.SigningKey, alg string) (start time.Time, ok bool) {
	own := ofAlgorithm(rows, alg)
	if len(own) == 0 {
		return k.Now(), true
	}
	start = time.UnixMilli(own[len(own)-1].ActiveAt).Add(k.RotateEvery)
	earliest := k.Now().Add(publishScheduled)
	if start.After(earliest) {
		return time.Time{}, false
	}
	return earliest, true
}

// settle writes the ends of keys that have a successor, and deletes those whose
// end is past.
func (k *Keys) settle(ctx context.Context, e store.Entry) error {
	rows, err := k.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	for _, r := range k.retirements(rows) {
		if err := k.Store.RetireSigningKey(ctx, r.Kid, r.RetiredAt, r.ExpiresAt, e); err != nil {
			return err
		}
	}
	return k.Store.DeleteSigningKeys(ctx, k.Now().UnixMilli())
}

// retirements are the keys whose end is to be written: each signs until the next
// of its algorithm starts, and stays published until its last token is over.
func (k *Keys) retirements(rows []store.SigningKey) (out []store.SigningKey) {
	for _, alg := range inUse(rows) {
		own := ofAlgorithm(rows, alg)
		for i := 0; i+1 < len(own); i++ {
			r := own[i]
			if r.RetiredAt == own[i+1].ActiveAt {
				continue
			}
			r.RetiredAt = own[i+1].ActiveAt
			r.ExpiresAt = r.RetiredAt + (time.Duration(k.lifetime.Load()) + keepLonger).Milliseconds()
			out = append(out, r)
		}
	}
	return out
}

func (k *Keys) over(r store.SigningKey) bool {
	return r.ExpiresAt > 0 && r.ExpiresAt < k.Now().UnixMilli()
}

// inUse are the algorithms that have keys, or are to have them always.
func inUse(rows []store.SigningKey) []string {
	return slices.DeleteFunc(slices.Clone(Algorithms), func(alg string) bool {
		return Optional(alg) && !slices.ContainsFunc(rows, func(r store.SigningKey) bool { return r.Algorithm == alg })
	})
}

// ofAlgorithm returns the keys of one algorithm in the order in which they sign.
func ofAlgorithm(rows []store.SigningKey, alg string) []store.SigningKey {
	own := slices.DeleteFunc(slices.Clone(rows), func(r store.SigningKey) bool { return r.Algorithm != alg })
	slices.SortFunc(own, func(a, b store.SigningKey) int {
		return cmp.Or(cmp.Compare(a.ActiveAt, b.ActiveAt), cmp.Compare(a.Kid, b.Kid))
	})
	return own
}

// add makes a key and stores it sealed; its kid is its thumbprint (RFC 7638).
func (k *Keys) add(ctx context.Context, alg string, start time.Time, e store.Entry) error {
	private, err := generate(alg)
	if err != nil {
		return err
	}
	kid, err := thumbprint(private.Public())
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return k.Store.AddSigningKey(ctx, store.SigningKey{
		Kid: kid, Algorithm: alg, Sealed: k.Ring.Seal(sealPurpose, kid, der),
		CreatedAt: k.Now().UnixMilli(), ActiveAt: start.UnixMilli(),
	}, e)
}
