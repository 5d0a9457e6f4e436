package mail

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

const (
	pollEvery = 3 * time.Second // how often every node looks for what others queued
	batch     = 10              // mails over one connection
	// A batch may take so long, and is somebody else's only after the lease.
	batchTimeout = time.Minute
	lease        = 90 * time.Second
	maxReason    = 300 // bytes: it holds what the mail server answered
)

// delays are the times between attempts; the last one is repeated.
var delays = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// Options is everything New needs.
type Options struct {
	Store *store.Store
	Ring  *secret.Ring
	Log   *slog.Logger
	// Sender is that of the running configuration; nil: there is no mail server, and
	// mail waits until there is one, or it expires.
	Sender func() *Sender
}

// Mail sends what waits. Safe for concurrent use.
type Mail struct {
	Options
	poll  time.Duration
	delay func(attempts int64) time.Duration
}

// New checks the options.
func New(o Options) (*Mail, error) {
	if o.Store == nil || o.Ring == nil || o.Log == nil || o.Sender == nil {
		return nil, errors.New("mail: Store, Ring, Log and Sender are required")
	}
	return &Mail{Options: o, poll: pollEvery, delay: delay}, nil
}

// Run sends what is due until ctx ends. What is under way then is due again when its
// lease is over.
func (m *Mail) Run(ctx context.Context) error {
	tick := time.NewTicker(m.poll)
	defer tick.Stop()
	for {
		if err := m.round(ctx); err != nil {
			return err
		}
		select {
		case <-m.Store.MailsQueued():
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// round sends all that is due.
func (m *Mail) round(ctx context.Context) error {
	for ctx.Err() == nil {
		s := m.Sender()
		if s == nil {
			return nil
		}
		claimed, err := m.Store.ClaimMails(ctx, batch, lease)
		if err != nil || len(claimed) == 0 {
			return err
		}
		if err := m.send(ctx, s, claimed); err != nil {
			return err
		}
	}
	return nil
}

// send sends some, and writes down what came of each.
func (m *Mail) send(ctx context.Context, s *Sender, claimed []store.Mail) error {
	var letters []Letter
	var of []store.Mail
	for _, waiting := range claimed {
		l, err := m.letter(ctx, s, waiting)
		if err != nil {
			if err := m.settle(ctx, waiting, err); err != nil {
				return err
			}
			continue
		}
		letters, of = append(letters, l), append(of, waiting)
	}
	if len(letters) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	results := s.Send(bounded, letters...)
	for i, err := range results {
		if err != nil && ctx.Err() != nil {
			continue // we are stopped: the lease ends, and somebody else goes on
		}
		if err := m.settle(ctx, of[i], err); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mail) letter(ctx context.Context, s *Sender, waiting store.Mail) (Letter, error) {
	u, err := m.Store.UserByID(ctx, waiting.UserID)
	if err != nil {
		return Letter{}, err
	}
	return s.letter(m.Ring, waiting, u)
}

// settle stores and logs what came of an attempt, although we are stopped meanwhile:
// nobody is to repeat it.
func (m *Mail) settle(ctx context.Context, waiting store.Mail, result error) error {
	ctx = context.WithoutCancel(ctx)
	next := m.Store.Now() + m.delay(waiting.Attempts).Milliseconds()
	log := m.Log.With("mail", waiting.Kind, "user_id", waiting.UserID, "attempt", waiting.Attempts)
	var err error
	switch {
	case result == nil:
		err = m.Store.SentMail(ctx, waiting)
		log.Info("mail was sent")
	case errors.Is(result, errNobody):
		err = m.Store.SentMail(ctx, waiting)
		log.Debug("mail has nobody to go to", "err", result)
	case errors.Is(result, ErrAddress), errors.Is(result, errRefused), errors.Is(result, secret.ErrSealed), next > waiting.ExpiresAt:
		reason := short(result)
		err = m.Store.GiveUpMail(ctx, waiting, reason)
		log.Warn("mail will not be sent", "reason", reason)
	default:
		err = m.Store.RetryMail(ctx, waiting, next)
		log.Warn("mail could not be sent", "reason", short(result), "next_try", time.UnixMilli(next).UTC())
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil // it took longer than the lease, or a newer link has taken its place
	}
	return err
}

func short(err error) string {
	text := oneLine(err.Error())
	return text[:min(len(text), maxReason)]
}

// delay is how long to wait after an attempt, a fifth more or less, so that what failed
// together does not come back together.
func delay(attempts int64) time.Duration {
	d := delays[min(max(int(attempts), 1), len(delays))-1]
	return d*4/5 + rand.N(d*2/5) //nolint:gosec // jitter
}
