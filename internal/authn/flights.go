package authn

import (
	"context"
	"errors"
	"sync"
)

// flights are checks that are under way, each for all who want the same one. Unlike
// those of package singleflight they end when nobody waits for them any more: their
// place in the crowd is free for somebody else.
type flights struct {
	mu    sync.Mutex
	byKey map[string]*flight
}

// flight is one check.
type flight struct {
	cancel context.CancelFunc
	wanted int // by how many
	done   chan struct{}
	res    *Result
	err    error
}

// errBroken is for those who waited for a check that ended in a panic, which is its
// first caller's.
var errBroken = errors.New("authn: the check of the password was broken off")

// do returns what check does, for whoever brings key first. Its context has the values
// of that one's, and ends when all who want it have left.
func (f *flights) do(ctx context.Context, key string, check func(context.Context) (*Result, error)) (*Result, error) {
	f.mu.Lock()
	fl, under := f.byKey[key]
	if under {
		fl.wanted++
		f.mu.Unlock()
		return f.wait(ctx, key, fl)
	}
	shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
	fl = &flight{cancel: cancel, wanted: 1, done: make(chan struct{}), err: errBroken}
	if f.byKey == nil {
		f.byKey = map[string]*flight{}
	}
	f.byKey[key] = fl
	f.mu.Unlock()

	stop := context.AfterFunc(ctx, func() { f.leave(key, fl) })
	defer func() {
		stop()
		cancel()
		f.forget(key, fl)
		close(fl.done)
	}()
	fl.res, fl.err = check(shared)
	return fl.res, fl.err
}

func (f *flights) wait(ctx context.Context, key string, fl *flight) (*Result, error) {
	select {
	case <-fl.done:
		return fl.res, repeated(fl.err) // its first caller's refusal is in the audit log
	case <-ctx.Done():
		f.leave(key, fl)
		return nil, ctx.Err()
	}
}

// leave: the last one to go ends the check, and who comes next begins another.
func (f *flights) leave(key string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.wanted--; fl.wanted == 0 {
		fl.cancel()
		f.drop(key, fl)
	}
}

func (f *flights) forget(key string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(key, fl)
}

func (f *flights) drop(key string, fl *flight) {
	if f.byKey[key] == fl {
		delete(f.byKey, key)
	}
}
