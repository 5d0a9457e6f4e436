package krbtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// patience is how long a program may take until it listens.
const patience = time.Minute

// AwaitListener waits until somebody takes TCP connections at addr. It is an error
// when the program that is to do so has ended (ended is closed then), when nobody
// does within a minute, and when ctx ends.
func AwaitListener(ctx context.Context, addr string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("it does not listen on %s: %w", addr, ctx.Err())
		case <-retry.C:
		}
	}
}
