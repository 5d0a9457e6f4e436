package authn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// clock is moved by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// limited is an Authn whose clock is the test's, with a local user bob.
func limited(t *testing.T, st *store.Store, k *kdc, l Limits) (*Authn, *clock) {
	t.Helper()
	a := newAuthn(t, st, k)
	c := &clock{now: time.Now()}
	a.Now, a.limiter.now, a.Limits = c.Now, c.Now, l
	hash, err := a.Hash(t.Context(), "bob's password")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.CreateUser(t.Context(), store.User{Name: "bob", PasswordHash: hash}, nil, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	return a, c
}

func at(address string) policy.From { return policy.From{Address: netip.MustParseAddr(address)} }

// knownTo is a browser in which an account has logged in before.
func knownTo(address, account string) policy.From {
	f := at(address)
	f.Known = func(a string) bool { return a == account }
	return f
}

// try is Password without the wait behind a failure.
func (a *Authn) try(t *testing.T, name string, password secret.String, from policy.From) reason.Code {
	t.Helper()
	res, err := a.password(t.Context(), name, password, from)
	if err == nil && res.User == nil {
		t.Fatal("neither a user nor an error")
	}
	return reasonOf(typed(err))
}

// However a name is spelled, its account has one count.
func TestHoleSpellingGivesNoGuesses(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a, _ := limited(t, st, &kdc{answer: only("right")}, Limits{})
	local, _ := limited(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), nil, Limits{})
	local.passwords = nil
	outside := at("203.0.113.7")
	for _, c := range []struct {
		authn    *Authn
		from     policy.From
		name     string
		spelling []string
	}{
		{a, here, "alice", []string{"ALICE", "aLiCe", "alice@EXAMPLE.TEST", "Alice@example.test", `EXAMPLE\alice`, `example.test\ALICE`,
			"Alice.Liddell@EXAMPLE.com", "ALICE.LIDDELL@example.COM"}},
		// Of these the KDC tells nothing, so they count by what is typed.
		{a, here, "nobody", []string{"NOBODY", "nobody@example.com", "nobody.", "nobody..", "ｎｏｂｏｄｙ", "ＮＯＢＯＤＹ@EXAMPLE.TEST", "𝐧𝐨𝐛𝐨𝐝𝐲", "noⓑody"}},
		{a, here, "jürgen", []string{"JÜRGEN", "ju\u0308rgen", "Ju\u0308rgen@example.test"}},
		{a, here, "groß", []string{"GROSS", "gross", "GROẞ", "groſs"}},
		{a, here, "kelvin", []string{"\u212Aelvin"}},
		// A local user and the spellings that the KDC would be asked about.
		{a, here, "bob", []string{"BOB", "bob.", "ｂｏｂ", "Bob@EXAMPLE.TEST"}},
		{a, outside, "bob", []string{"BOB", "ｂｏｂ", "bob@example.test"}},
		{local, outside, "bob", []string{"BOB", "bob.", "ＢＯＢ"}},
		{local, outside, "nobody", []string{"NOBODY", "nobody.", "ｎobody"}},
	} {
		want, err := c.authn.accountOf(t.Context(), c.name, c.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.spelling {
			if got, err := c.authn.accountOf(t.Context(), s, c.from); err != nil || got.counted != want.counted {
				t.Errorf("%q is counted under %q (%v), %q under %q", s, got.counted, err, c.name, want.counted)
			}
		}
	}
	for _, s := range []string{"alice\u200b", "al\u200dice", "alice ", " alice", "alice\u00a0", "alice\t", "alice\x00", "\ufeffalice", "al\u00adice"} {
		if code := a.try(t, s, "right", here); code != reason.MalformedInput {
			t.Errorf("%q: %q, want it refused, for no name has that", s, code)
		}
	}
}

// Somebody tries one password on many names: from an address, a /64 of IPv6 and the
// /48 around it, on all paths together.
func TestHoleStuffingFromOneAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		a, c := limited(t, st, &kdc{answer: only("right")}, Limits{PerAddress: 5, PerAddressInside: 50})
		for i := range 5 {
			for range 3 { // a program that repeats a wrong one uses up nothing
				if code := a.try(t, fmt.Sprint("name", i), "Winter2026", at("203.0.113.7")); code != reason.FromOutside {
					t.Fatalf("name %d: %s", i, code)
				}
			}
		}
		if code := a.try(t, "bob", "bob's password", at("203.0.113.7")); code != reason.TooManyFromAddress {
			t.Errorf("the sixth name, with the right password: %q, want %s", code, reason.TooManyFromAddress)
		}
		if code := a.try(t, "bob", "bob's password", at("203.0.113.8")); code != "" {
			t.Errorf("from the neighbour's address: %q", code)
		}
		if code := a.try(t, "bob", "bob's password", at("10.0.0.1")); code != "" {
			t.Errorf("from inside: %q", code)
		}
		for i := range 200 { // each from a /64 of its own
			a.try(t, fmt.Sprint("six", i), "Winter2026", at(fmt.Sprintf("2001:db8:1:%x::1", i)))
		}
		if code := a.try(t, "bob", "bob's password", at("2001:db8:1:ffff::1")); code != reason.TooManyFromAddress {
			t.Errorf("from a /48 that tries names: %q, want %s", code, reason.TooManyFromAddress)
		}
		if code := a.try(t, "bob", "bob's password", at("2001:db8:2::1")); code != "" {
			t.Errorf("from another /48: %q", code)
		}
		c.pass(originWindow)
		if code := a.try(t, "bob", "bob's password", at("2001:db8:1:ffff::1")); code != "" {
			t.Errorf("ten minutes later: %q", code)
		}
	})
}

// Who shares an address with one who guesses is kept out for ten minutes, however he
// goes on; and not at all where they have logged in before.
func TestHoleLockedOutByANeighbour(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a, c := limited(t, st, &kdc{answer: only("right")}, Limits{PerAddress: 5})
	account := must(a.accountOf(t.Context(), "bob", here)).canonical
	for i := range 5 {
		a.try(t, fmt.Sprint("name", i), "Winter2026", at("203.0.113.7"))
	}
	for minute := range 10 {
		if code := a.try(t, fmt.Sprint("more", minute), "Winter2026", at("203.0.113.7")); code != reason.TooManyFromAddress {
			t.Fatalf("minute %d: %s", minute, code)
		}
		if code := a.try(t, "bob", "bob's password", knownTo("203.0.113.7", account)); code != "" {
			t.Fatalf("minute %d: bob, who is known, is refused: %s", minute, code)
		}
		c.pass(time.Minute)
	}
	if code := a.try(t, "bob", "bob's password", at("203.0.113.7")); code != "" {
		t.Errorf("after ten minutes: %q", code)
	}
}

// Somebody guesses at a name without end. Its person waits half an hour at most: in a
// browser that knows them, wherever the guesses come from; and in any other, where they
// do not come from everywhere. Guesses at a locked name make nothing last longer.
func TestHoleLockedOutForEver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		k := &kdc{answer: only("right")}
		a, c := limited(t, st, k, Limits{PerAddress: 20, PerAddressInside: 200})
		account := must(a.accountOf(t.Context(), "alice", here)).canonical
		guesses := 0
		attack := func(address string) {
			for range 4 {
				guesses++
				if code := a.try(t, "alice", secret.String(fmt.Sprint("guess", guesses)), at(address)); code == "" {
					t.Fatal("guessed")
				}
			}
		}
		for round := range 3 {
			c.pass(3 * time.Hour)
			attack("10.0.0.66")
			if code := a.try(t, "alice", "right", knownTo("10.9.9.9", account)); code != reason.TooManyGuesses {
				t.Fatalf("round %d: %q, want her locked out to begin with", round, code)
			}
			waited := 0
			for ; a.try(t, "alice", "right", knownTo("10.9.9.9", account)) != ""; waited++ {
				if waited > 30 {
					t.Fatalf("round %d: locked out after 30 minutes", round)
				}
				c.pass(time.Minute)
				for i := range 4 { // always from elsewhere, and a moment before her
					guesses++
					a.try(t, "alice", secret.String(fmt.Sprint("guess", guesses)), at(fmt.Sprintf("10.%d.%d.%d", 1+round, waited, i)))
				}
			}
		}
		c.pass(3 * time.Hour)
		attack("10.0.0.66")
		if code := a.try(t, "alice", "right", at("10.9.9.9")); code != reason.TooManyGuesses {
			t.Fatalf("%q, want her locked out to begin with", code)
		}
		for waited := 0; a.try(t, "alice", "right", at("10.9.9.9")) != ""; waited++ {
			if waited > 30 {
				t.Fatal("a stranger at another address is locked out after 30 minutes")
			}
			c.pass(time.Minute)
			attack("10.0.0.66")
		}
	})
}

// The KDC hears no more guesses in half an hour than max_failures, known or not.
func TestAKnownBrowserGetsNoMoreGuessesAtTheKDC(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	k := &kdc{answer: refuse(reason.BadPassword)}
	a, c := limited(t, st, k, DefaultLimits())
	account := must(a.accountOf(t.Context(), "alice", here)).canonical
	for half := range 4 {
		for i := range 8 {
			from := at(fmt.Sprintf("10.0.%d.%d", half, i))
			if i%2 == 0 {
				from = knownTo("10.9.9.9", account)
			}
			a.try(t, "alice", secret.String(fmt.Sprint(half, "-", i)), from)
		}
		if n := k.asked.Swap(0); n > 3 {
			t.Errorf("half hour %d: the KDC was asked %d times, want 3 at most", half, n)
		}
		c.pass(failureWindow)
	}
}

// More than so many passwords are not checked at a time; nobody takes all places, and
// who leaves gives theirs back.
func TestHoleCrowdAtTheForm(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a, _ := limited(t, st, nil, Limits{})
	a.passwords, a.hashing = nil, crowd{places: 4, perNetwork: 2}
	for i := range 4 { // whose guesses are under way, so that others wait
		for slot := range 3 {
			if _, err := st.TakeGuess(t.Context(), fmt.Sprint("local:name", i), "", []byte{byte(slot)}, 3, time.Minute, time.Now().UnixMilli()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, goAway := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			if _, err := a.password(ctx, fmt.Sprint("name", i), "x", at("203.0.113.7")); !errors.Is(err, context.Canceled) {
				t.Errorf("who went away: %v", err)
			}
		})
	}
	a.hashing.await(t, 2)
	if code := a.try(t, "bob", "bob's password", at("203.0.113.7")); code != reason.Busy {
		t.Errorf("a third of one network: %q, want %s", code, reason.Busy)
	}
	for i := range 2 {
		wg.Go(func() { _, _ = a.password(ctx, fmt.Sprint("name", 2+i), "x", at("203.0.113.8")) })
	}
	a.hashing.await(t, 4)
	if code := a.try(t, "bob", "bob's password", at("203.0.113.9")); code != reason.Busy {
		t.Errorf("with all places taken: %q, want %s", code, reason.Busy)
	}
	goAway()
	wg.Wait()
	a.hashing.await(t, 0)
	if code := a.try(t, "bob", "bob's password", at("203.0.113.7")); code != "" {
		t.Errorf("when they have gone: %q", code)
	}
}

// await waits until so many are inside.
func (c *crowd) await(t *testing.T, n int) {
	t.Helper()
	for t.Context().Err() == nil {
		c.mu.Lock()
		inside := c.inside
		c.mu.Unlock()
		if inside == n {
			return
		}
		runtime.Gosched()
	}
}

// Whoever sends a guess and goes away has made it all the same.
func TestHoleGuessesByGoingAway(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	ctx, goAway := context.WithCancel(t.Context())
	k := &kdc{}
	a, _ := limited(t, st, k, Limits{})
	k.answer = func(kerberos.Name, secret.String) (*kerberos.Login, error) {
		goAway()
		for a.running.underWay() > 0 && t.Context().Err() == nil { // until that is noticed
			runtime.Gosched()
		}
		return nil, reason.Refuse(reason.BadPassword, "")
	}
	for i := range 3 {
		_, _ = a.password(ctx, "alice", secret.String(fmt.Sprint("guess", i)), here)
		ctx, goAway = context.WithCancel(t.Context())
	}
	goAway()
	k.answer = only("right")
	if code := a.try(t, "alice", "another", here); code != reason.TooManyGuesses {
		t.Errorf("after three guesses of somebody who went away: %q", code)
	}
}

// underWay is how many checks somebody waits for.
func (f *flights) underWay() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byKey)
}

func must(acc account, err error) account {
	if err != nil {
		panic(err)
	}
	return acc
}

// Whoever has the password, and goes on guessing codes, keeps its owner from no browser
// that is known for longer than half an hour.
func TestHoleCodesLockedForEver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		a, c := limited(t, st, &kdc{answer: only("x")}, Limits{PerAddress: 20, PerAddressInside: 200})
		bob, err := st.UserByName(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		first := &Result{User: bob, Account: "bob"}
		guesses := 0
		attack := func() {
			for range maxCodes {
				guesses++
				f := SecondFactor{Typed: secret.String(fmt.Sprint("guess", guesses)), Verify: func(context.Context) (string, error) { return "", reason.Refuse(reason.BadCode, "") }}
				if _, err := a.second(t.Context(), first, f, at(fmt.Sprintf("10.0.1.%d", guesses%250))); err == nil {
					t.Fatal("guessed")
				}
			}
		}
		owner := func() error {
			guesses++ // each code is another
			f := SecondFactor{Typed: secret.String(fmt.Sprint("right", guesses)), Verify: func(context.Context) (string, error) { return "app", nil }}
			_, err := a.second(t.Context(), first, f, knownTo("10.9.9.9", "bob"))
			return err
		}
		attack()
		if err := owner(); reason.Of(err) != reason.FactorLocked {
			t.Fatalf("%v, want him locked out to begin with", err)
		}
		for waited := 0; owner() != nil; waited++ {
			if waited > 30 {
				t.Fatal("locked out after 30 minutes")
			}
			c.pass(time.Minute)
			attack()
		}
	})
}

// What is refused without a look has no entry in the audit log, which is kept for ever:
// anybody can have that as often as they like.
func TestHoleRefusalsFillTheAuditLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		a, _ := limited(t, st, &kdc{answer: only("right")}, Limits{PerAddress: 3})
		from := at("203.0.113.7")
		for i := range 3 {
			for range 4 {
				_, _ = a.Password(t.Context(), fmt.Sprint("name", i), "Winter2026", from)
			}
		}
		for i := range 4 {
			if _, err := a.Password(t.Context(), fmt.Sprint("more", i), "Winter2026", from); reasonOf(err) != reason.TooManyFromAddress {
				t.Errorf("beyond the bound: %v", err)
			}
		}
		entries, err := st.Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
		if err != nil || len(entries) != 3 {
			t.Errorf("%d entries, want one for each name that was looked at: %v", len(entries), err)
		}
	})
}
