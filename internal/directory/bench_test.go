package directory_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"idp/internal/directory/ldaptest"
)

// BenchmarkLookup: an answer that is kept, and one that a server on this machine gives
// (by LDAPS, an idle connection, with its groups).
func BenchmarkLookup(b *testing.B) {
	s := ldaptest.Start(b)
	for i := range 20 {
		s.AddGroup(fmt.Sprintf("team%d", i), s.AddPerson(fmt.Sprintf("user%d", i)))
	}
	c := s.Config()
	c.AllGroups = true
	w := ask(b, c)
	b.Run("warm", func(b *testing.B) {
		defer perCPU(b)()
		for i := range b.N {
			w.person(fmt.Sprintf("user%d", i%20))
		}
	})
	b.Run("cold", func(b *testing.B) {
		defer perCPU(b)()
		for i := range b.N {
			if i%20 == 0 {
				w.wait(5 * time.Minute)
			}
			w.person(fmt.Sprintf("user%d", i%20))
		}
	})
	b.Run("cold and a new connection", func(b *testing.B) {
		defer perCPU(b)()
		for i := range b.N {
			w := ask(b, c)
			w.person(fmt.Sprintf("user%d", i%20))
			w.Close()
		}
	})
}

// perCPU reports how many there are in a second of this process's processor time: the
// server's own is not in it.
func perCPU(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begin := used()
	return func() { b.ReportMetric(float64(b.N)/(used()-begin).Seconds(), "lookups/cpu-s") }
}
