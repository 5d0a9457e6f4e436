package story

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "headers")
	text := "HTTP/1.1 303 See Other\r\nLocation: /login\r\n\r\nHTTP/2 401 \r\nwww-authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\r\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readAnswers(path)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d answers, %v; want 2", len(got), err)
	}
	w := &walk{answers: got}
	if got[0].status != 303 || got[0].header.Get("Location") != "/login" || w.last().status != 401 || !w.straight() {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"Negotiate", `Basic realm="a"`}, w.offers()); diff != "" {
		t.Error(diff)
	}
}

func TestAPageOnTheWayIsSeen(t *testing.T) {
	w := &walk{answers: []answer{{status: 303}, {status: 200}, {status: 200}}}
	if w.straight() {
		t.Error("a page between redirects went unseen")
	}
}

func TestLoginFormOf(t *testing.T) {
	page := `<form action="/search"><input type="hidden" name="q" value="1"></form>
<form method="post" action="/login?a=1&amp;b=2">
  <input type="hidden" name="form_token" value="x&#43;y"> <input name="username"> <input type="password" name="password">
</form>`
	action, fields, ok := loginFormOf(page)
	if !ok || action != "/login?a=1&b=2" {
		t.Errorf("action %q, %t", action, ok)
	}
	if diff := cmp.Diff([]string{"form_token=x+y"}, fields); diff != "" {
		t.Error(diff)
	}
	if _, _, ok := loginFormOf("<form action=/x></form>"); ok {
		t.Error("a form without a password passed for a login form")
	}
}

func TestWithoutUser(t *testing.T) {
	got, err := withoutUser("https://alice:secret@wiki.example.test/a?b=c")
	if err != nil || got != "https://wiki.example.test/a?b=c" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNoPasswordIsPrinted(t *testing.T) {
	got := quoted([]string{"-u", "alice:secret", "--negotiate", "-u", ":", "--data-urlencode", "password=secret", "--data", ""})
	want := []string{"-u", "alice", "--negotiate", "-u", ":", "--data-urlencode", "'password=…'", "--data", "''"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
