package backchannel

import "context"

// slots bound the requests under way: each has one as long as it takes. Who waits
// for one gets it in the order of asking.
type slots chan struct{}

// pools are the slots of relying parties that count as one crowd: the
// administrator's own, or those that registered themselves.
//
// A relying party waits for the first of its slots only, and holds one of those
// for which others wait, never more. So as long as no more relying parties than
// first has slots are told at once, none waits for another, whatever they do; if
// there are more, a crowd that stops answering costs the others one timeout, and
// then queues among itself for the slow ones.
type pools struct {
	first slots // of relying parties whose last answer was quick, or that were not asked yet
	more  slots // what they have beyond one, if it is free
	slow  slots // of the others, one each
}

func newPools(first, more, slow int) pools {
	return pools{first: make(slots, first), more: make(slots, more), slow: make(slots, slow)}
}

// wait returns the slots of a relying party's next requests, up to limit and at
// least one; one that is slow has one. None: ctx has ended.
func (p *pools) wait(ctx context.Context, slow bool, limit int) []slots {
	own := p.first
	if slow {
		own, limit = p.slow, 1
	}
	select {
	case own <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	held := []slots{own}
	for len(held) < limit {
		select {
		case p.more <- struct{}{}:
			held = append(held, p.more)
		default:
			return held
		}
	}
	return held
}

// giveBack ends the use of slots.
func giveBack(held []slots) {
	for _, s := range held {
		<-s
	}
}
