package server

import (
	"context"
	"time"
)

// noTickets is logged when tickets can no longer be checked, and at a start.
const noTickets = "no login by ticket: the other methods are offered"

// readyEvery is how often the acceptor is asked whether it can check tickets; it
// looks at its keytabs every two seconds.
const readyEvery = time.Second

// watchReady logs when a keytab that was read again left no usable key, and when
// there is one again. Nobody else would say so: whoever comes is just not asked
// for a ticket any more.
func (g *generation) watchReady(ctx context.Context, ready bool) {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := g.acceptor.Ready()
		switch {
		case err != nil && ready:
			g.server.log.Warn(noTickets, "err", err)
		case err == nil && !ready:
			g.server.log.Info("login by ticket is offered again")
		}
		ready = err == nil
	}
}
