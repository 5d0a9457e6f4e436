package realm

import (
	"testing"
	"time"

	"idp/internal/doctor/report"
)

// Differences that the clocks of a test's KDC cannot have to the second.
func TestClocksAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		what string
		got  report.Line
		want report.Level
	}{
		{"a KDC's clock at the edge", judgeOffset("it", 30*time.Second), report.LevelOK},
		{"a KDC's clock beyond it", judgeOffset("it", -31*time.Second), report.LevelWarning},
		{"as far as Kerberos goes", judgeOffset("it", -5*time.Minute), report.LevelWarning},
		{"too far", judgeOffset("it", 5*time.Minute+time.Second), report.LevelFailed},
	} {
		if c.got.Level != c.want {
			t.Errorf("%s: %+v, want %q", c.what, c.got, c.want)
		}
	}
}
