//go:build bench

package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
)

const (
	tries       = 1000 // of each class
	namesOfEach = 64
	atOnce      = 12
	floor       = 500 * time.Millisecond
)

// BenchmarkEnumeration types wrong passwords for names of which one exists and
// another does not, a thousand of each class in random order, and compares how long
// the answers take: the medians are within 5 % of the floor.
func BenchmarkEnumeration(b *testing.B) {
	const limits = "limits: {per_address: 0, per_address_inside: 0}\n"
	b.Run("kdc", func(b *testing.B) {
		realm := krbtest.Start(b, krbtest.Options{})
		var commands strings.Builder
		for i := range namesOfEach {
			fmt.Fprintf(&commands, "addprinc -pw x person%03d\naddprinc -pw x gone%03d\nmodprinc -allow_tix gone%03d\n", i, i, i)
		}
		if err := realm.Kadmin(commands.String()); err != nil {
			b.Fatal(err)
		}
		s := idptest.Start(b, idptest.Options{YAML: idptest.KerberosYAML(realm) + "  max_failures: 40\n" + limits})
		enumerate(b, s, "local", "disabled", "person", "gone", "nobody", "locked", "lockednobody")
	})
	b.Run("alone", func(b *testing.B) {
		s := idptest.Start(b, idptest.Options{YAML: "kerberos: {realms: [], max_failures: 40}\n" + limits})
		enumerate(b, s, "local", "disabled", "nobody", "locked", "lockednobody")
	})
}

func enumerate(b *testing.B, s *idptest.Server, classes ...string) {
	people(b, s)
	lock(b, s)
	type try struct {
		class, name string
	}
	var all []try
	for i := range tries {
		for _, class := range classes {
			all = append(all, try{class, fmt.Sprintf("%s%03d", class, i%namesOfEach)})
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	queue := make(chan try)
	var mu sync.Mutex
	took := map[string][]time.Duration{}
	var wg sync.WaitGroup
	for worker := range atOnce {
		wg.Go(func() {
			browser := s.Browser(b)
			page := browser.Get("/login")
			action, form := page.Form(b, "password")
			n := 0
			for t := range queue {
				n++
				form.Set("username", t.name)
				form.Set("password", fmt.Sprintf("wrong %d %d", worker, n))
				start := time.Now()
				browser.Once("POST", action, form, nil)
				d := time.Since(start)
				mu.Lock()
				took[t.class] = append(took[t.class], d)
				mu.Unlock()
			}
		})
	}
	for _, t := range all {
		queue <- t
	}
	close(queue)
	wg.Wait()
	for _, class := range classes {
		slices.Sort(took[class])
		median := took[class][tries/2]
		b.Logf("%-14s median %7.2f ms, p5 %7.2f, p95 %7.2f", class, ms(median), ms(took[class][tries/20]), ms(took[class][tries*19/20]))
		b.ReportMetric(ms(median), class+"-ms")
		if median < floor || median > floor*105/100 {
			b.Errorf("%s: median %s, want %s and no more than 5 %% above", class, median, floor)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func people(b *testing.B, s *idptest.Server) {
	b.Helper()
	ctx := context.Background()
	hash := s.User("bob").PasswordHash
	for i := range namesOfEach {
		for _, class := range []string{"local", "disabled", "locked"} {
			u, err := s.Store().CreateUser(ctx, store.User{Name: fmt.Sprintf("%s%03d", class, i), PasswordHash: hash}, nil, store.Entry{})
			if err != nil {
				b.Fatal(err)
			}
			if class == "disabled" {
				if err := s.Store().SetDisabled(ctx, u.ID, true, store.Entry{}); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// lock uses up the guesses of the locked names.
func lock(b *testing.B, s *idptest.Server) {
	b.Helper()
	ctx, st := context.Background(), s.Store()
	realm := ""
	if c := s.Config(); len(c.Kerberos.Realms) > 0 {
		realm = c.Kerberos.Realms[0].Name
	}
	for i := range namesOfEach {
		for _, class := range []string{"locked", "lockednobody"} {
			name := fmt.Sprintf("local:%s%03d", class, i)
			if realm != "" {
				name = fmt.Sprintf("kdc:%s:%s%03d", realm, class, i)
			}
			for slot := range 40 {
				taken, err := st.TakeGuess(ctx, name, name, []byte{byte(slot)}, 40, time.Minute, st.Now())
				if err == nil {
					err = st.FailGuess(ctx, taken.Token, "BAD_PASSWORD", false, st.Now()+time.Hour.Milliseconds())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
