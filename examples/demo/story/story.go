// Package story plays the main story of single sign-on with curl and kinit, the
// programs a reader has at hand, and checks every step:
//
// alice has a Kerberos ticket and is logged in at two sites without seeing a
// page; without a ticket she gets an HTTP Basic prompt whose password the KDC
// checks; bob, who is no employee, logs in with the form; signing out lasts.
// The sites' own account of the verified ID tokens is printed on the way.
//
// It needs a running idp and two sites (examples/site), and says nothing of how
// they were started: the demo and Docker Compose both play it.
package story

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Config says where the story takes place.
type Config struct {
	Issuer, Wiki, Tickets string // URLs without a slash at the end
	Realm                 string
	AlicePassword         string
	BobPassword           string
	Krb5Conf              string   // path; empty: the system's
	Dir                   string   // an existing folder for cookie jars and the ticket
	Curl                  []string // more options for every curl
	Out                   io.Writer
}

// Result counts the checks.
type Result struct{ Held, Failed int }

// teller tells one story.
type teller struct {
	Config
	Result
	steps int
}

// Play tells the whole story. The error is only about what kept it from being
// told; what did not hold is counted in the result and marked in the text.
func Play(ctx context.Context, c Config) (Result, error) {
	t := &teller{Config: c}
	for _, step := range []func(context.Context) error{
		t.discovery, t.ticketAtWiki, t.nothingAtTickets, t.wrongPassword, t.passwordPrompt, t.loginForm, t.signOut, t.staysSignedOut,
	} {
		if err := step(ctx); err != nil {
			return t.Result, err
		}
	}
	return t.Result, nil
}

// step begins the next step.
func (t *teller) step(title string, words ...string) {
	t.steps++
	fmt.Fprintf(t.Out, "\n%d. %s\n", t.steps, title)
	for _, w := range words {
		fmt.Fprintf(t.Out, "   %s\n", w)
	}
}

// check tells what should hold and counts whether it does.
func (t *teller) check(holds bool, format string, args ...any) {
	mark := "ok    "
	if holds {
		t.Held++
	} else {
		t.Failed++
		mark = "FAILED"
	}
	fmt.Fprintf(t.Out, "   %s %s\n", mark, fmt.Sprintf(format, args...))
}

// jar is the path of a person's cookie jar, which stands for a browser.
func (t *teller) jar(name string) string { return filepath.Join(t.Dir, name+".cookies") }

func (t *teller) ccache() string { return filepath.Join(t.Dir, "alice.ticket") }

// host shortens a URL for people: the ids in queries are long and secret.
func host(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://")
}
