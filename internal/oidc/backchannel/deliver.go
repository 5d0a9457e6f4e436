package backchannel

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"idp/internal/fetch"
	"idp/internal/store"
)

// delays are the times between attempts; the last one is repeated.
var delays = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}

// giveUpAfter is how long after the end of a session its relying parties are
// told of it: most sessions of theirs are over by then.
const giveUpAfter = 24 * time.Hour

// outcome is what came of an attempt.
type outcome struct {
	result string // one of store's Logout constants
	reason string // of one that is not good
}

// deliver makes one attempt and writes down what came of it. It reports whether
// there was an answer that is one, and quickly.
func (b *Backchannel) deliver(ctx context.Context, c *store.Client, d store.LogoutDelivery) (quickly bool) {
	started := b.Store.Now()
	o := b.attempt(ctx, c, d)
	now := b.Store.Now()
	answered := o.result != store.LogoutDelayed
	if !answered && ctx.Err() != nil {
		return false // we are stopped: the lease ends, and somebody else goes on
	}
	next := now + delay(d.Attempts).Milliseconds()
	if !answered && next > d.CreatedAt+giveUpAfter.Milliseconds() {
		o.result = store.LogoutGivenUp
	}
	b.record(ctx, d, o, next)
	return answered && now-started <= quickAnswer.Milliseconds()
}

// record stores, counts and logs what came of an attempt, although we are stopped
// meanwhile: nobody is to repeat it.
func (b *Backchannel) record(ctx context.Context, d store.LogoutDelivery, o outcome, next store.Millis) {
	err := b.Store.RecordLogout(context.WithoutCancel(ctx), d, o.result, o.reason, next)
	switch {
	case errors.Is(err, store.ErrNotFound): // it took longer than the lease, and somebody else has it
	case err != nil:
		b.Log.Error("what came of a logout cannot be stored", "client_id", d.ClientID, "session", d.SessionID, "err", err)
	default:
		b.Count(o.result)
		b.log(d, o, next)
	}
}

// log writes the one line of an attempt. A second delay is no news: a site that is
// down for a day would fill the log.
func (b *Backchannel) log(d store.LogoutDelivery, o outcome, next store.Millis) {
	args := []any{"client_id", d.ClientID, "session", d.SessionID, "attempt", d.Attempts, "result", o.result}
	switch o.result {
	case store.LogoutDelivered:
		b.Log.Info("relying party was told that a session has ended", args...)
	case store.LogoutDelayed:
		level := slog.LevelWarn
		if d.Result == store.LogoutDelayed {
			level = slog.LevelDebug
		}
		b.Log.Log(context.Background(), level, "relying party could not be told that a session has ended",
			append(args, "reason", o.reason, "next_try", time.UnixMilli(next).UTC())...)
	default:
		b.Log.Warn("relying party will not be told that a session has ended", append(args, "reason", o.reason)...)
	}
}

// attempt sends the logout token (§2.5).
func (b *Backchannel) attempt(ctx context.Context, c *store.Client, d store.LogoutDelivery) outcome {
	token, err := b.token(c, d)
	if err != nil {
		return outcome{store.LogoutDelayed, "the logout token cannot be signed: " + err.Error()}
	}
	body := url.Values{"logout_token": {token}}.Encode()
	status, err := b.Fetchers.ForLogouts(c).Post(ctx, c.BackchannelLogoutURI, "application/x-www-form-urlencoded", []byte(body))
	if err != nil {
		return outcome{store.LogoutDelayed, reason(err)}
	}
	return judge(status)
}

func reason(err error) string {
	var e *fetch.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return err.Error()
}

// judge: §2.8, and §2.5 about what to send again.
func judge(status int) outcome {
	answered := "it answered " + strconv.Itoa(status)
	switch {
	case status == http.StatusOK || status == http.StatusNoContent:
		return outcome{result: store.LogoutDelivered}
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return outcome{store.LogoutDelayed, answered}
	case status >= 300 && status < 400:
		return outcome{store.LogoutRefused, answered + "; redirects are not followed"}
	}
	return outcome{store.LogoutRefused, answered}
}

// delay is how long to wait after an attempt, a fifth more or less, so that what
// failed together does not come back together.
func delay(attempts int64) time.Duration {
	d := delays[min(max(int(attempts), 1), len(delays))-1]
	return d*4/5 + rand.N(d*2/5) //nolint:gosec // jitter
}
