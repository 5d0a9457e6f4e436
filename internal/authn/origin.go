package authn

import (
	"context"
	"time"

	"idp/internal/policy"
	"idp/internal/store"
)

// originWindow is how long a wrong password counts against the address that it came
// from.
const originWindow = 10 * time.Minute

// wideFactor: a network around that of an address may have so many times as many.
const wideFactor = 10

// Limits are the section limits of the configuration: how many different wrong pairs of
// a name and a password may come from one address within ten minutes, before no more
// are checked. Behind one address of the company may be a whole office, whose programs
// repeat old passwords on Monday morning. 0: any number.
type Limits struct {
	PerAddress       int `yaml:"per_address"`
	PerAddressInside int `yaml:"per_address_inside"` // in kerberos.offer_to
}

// DefaultLimits bear what people mistype, and are a thousand times too few for whoever
// tries out lists.
func DefaultLimits() Limits { return Limits{PerAddress: 20, PerAddressInside: 200} }

// origin is where a password comes from, and whose customer that may be.
func (a *Authn) origin(from policy.From) store.Origin {
	limit := a.Limits.PerAddress
	if policy.Inside(a.Section.OfferTo, from) {
		limit = a.Limits.PerAddressInside
	}
	if limit == 0 || !from.Address.IsValid() {
		return store.Origin{}
	}
	return store.Origin{Network: policy.Network(from.Address), Limit: limit, Wide: policy.Customer(from.Address), WideLimit: limit * wideFactor}
}

// wrongFrom counts a wrong password where it came from: each once, so that a program
// that repeats one uses up nothing. Not counted: it was before, or so many came from
// there that no more are. Where there is no bound, nothing is kept, and each counts.
func (l *limiter) wrongFrom(ctx context.Context, from store.Origin, hash []byte) (counted bool, err error) {
	if from.Network == "" {
		return true, nil
	}
	now := l.now()
	return l.store.WrongPassword(context.WithoutCancel(ctx), from, hash, now.Add(originWindow).UnixMilli(), now.UnixMilli())
}
