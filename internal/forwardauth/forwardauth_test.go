package forwardauth_test

import (
	"net/http"
	"strings"
	"testing"

	"idp/internal/idptest"
)

func TestLoginAtASite(t *testing.T) {
	idptest.Each(t, idptest.Options{YAML: sites}, func(t *testing.T, s *idptest.Server) {
		p := protect(t, s, "reports.localhost")
		b := bobAt(t, s, p)
		got := b.Get(p.URL + "/again")
		if got.StatusCode != http.StatusOK || len(got.Walked) != 1 {
			t.Fatalf("again: walked %s, status %d", got.Walked, got.StatusCode)
		}
		for name, want := range map[string]string{"Remote-User": "bob", "Remote-Email": "bob@example.com", "Remote-Groups": "partners,staff-eu"} {
			if is := got.Header.Get(name); is != want {
				t.Errorf("%s: %q, want %q", name, is, want)
			}
		}
		if strings.Count(got.Header.Get("Remote-Assertion"), ".") != 2 {
			t.Errorf("assertion %q", got.Header.Get("Remote-Assertion"))
		}
		if got := b.Get(p.URL + "/admin/"); got.StatusCode != http.StatusForbidden || got.Header.Get("Idp-Reason") != "NOT_ALLOWED" {
			t.Errorf("/admin/: %d %s", got.StatusCode, got.Header.Get("Idp-Reason"))
		}
		if lines := s.Log.Lines("level=INFO", "route=/forward-auth", "status=200"); len(lines) > 0 {
			t.Errorf("each request that was let in has a line of its own:\n%s", lines[0])
		}
		if len(s.Log.Lines("level=INFO", "route=/forward-auth", "reason=NOT_ALLOWED", "user=bob", `\"/admin/\" is for admins`)) == 0 {
			t.Error("a refusal has none, or it does not say whom the page is for")
		}
		b.Get(p.URL + "/.idp/denied?reason=NOT_ALLOWED")
		if len(s.Log.Lines("level=INFO", "/.idp/denied", "reason=NOT_ALLOWED", "user=bob")) == 0 {
			t.Error("the reference on the page leads to a line that does not name its reader")
		}
		other := protect(t, s, "open.localhost") // a second site: no page
		b.Also = append(b.Also, other.URL)
		if got := b.Get(other.URL + "/"); got.StatusCode != http.StatusOK || got.Header.Get("Remote-User") != "bob" {
			t.Errorf("second site: walked %s, status %d", got.Walked, got.StatusCode)
		}
	})
}
