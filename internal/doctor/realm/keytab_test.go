package realm

import (
	"os"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "dated in the future", time.Minute: "1 minutes old", 5 * time.Hour: "5 hours old", 47 * time.Hour: "47 hours old", 12 * 24 * time.Hour: "12 days old",
	} {
		if got := age(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestClosedTo(t *testing.T) {
	for _, c := range []struct {
		user, owner string
		mode        os.FileMode
		want        bool
	}{
		{"idp", "root", 0o600, true}, {"idp", "idp", 0o400, false}, {"idp", "root", 0o640, false},
		{"idp", "root", 0o604, false}, {"root", "idp", 0o400, false}, {"", "root", 0o400, false},
	} {
		if got := closedTo(c.user, c.owner, c.mode); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
