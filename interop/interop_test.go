//go:build interop

// Package interop_test runs other people's programs against idp: curl with
// Negotiate and Basic through the whole code flow, go-oidc in the example sites,
// Firefox and Chromium, Python's requests-kerberos, which demands mutual
// authentication, MIT's GSS-API, the KDC of a Samba domain, and MIT realms that
// trust each other. Where nothing has to be looked at from inside, the idp is the
// real binary, started as the demo starts it. `make interop` runs it.
package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"idp/examples/demo/stage"
	"idp/examples/demo/story"
	"idp/internal/kerberos/krbtest"
)

var set *stage.Stage

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "idp-interop-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	bin := dir + "/bin"
	if err := os.Mkdir(bin, 0o700); err != nil {
		return 0, err
	}
	if err := stage.Build(ctx, bin); err != nil {
		return 0, err
	}
	if set, err = stage.Start(ctx, stage.Config{Dir: dir, Bin: bin}); err != nil {
		return 0, err
	}
	defer set.Stop()
	defer stopDomain()
	return m.Run(), nil
}

func play(t *testing.T, bobPassword string) (story.Result, string) {
	t.Helper()
	var told bytes.Buffer
	result, err := story.Play(t.Context(), story.Config{
		Issuer: set.Issuer, Wiki: set.Wiki, Tickets: set.Tickets,
		Realm: set.Realm.Name, Krb5Conf: set.Realm.Krb5Conf,
		AlicePassword: stage.AlicePassword, BobPassword: bobPassword,
		Dir: t.TempDir(), Curl: set.Resolve(), Out: &told,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	return result, told.String()
}

// curl through the whole code flow, and both sites with go-oidc.
func TestCurlAndGoOIDC(t *testing.T) {
	if result, told := play(t, stage.BobPassword); result.Failed > 0 || result.Held < 30 {
		t.Errorf("%+v\n%s", result, told)
	}
}

// A story that could not fail would prove nothing.
func TestTheStoryNoticesALoginThatFails(t *testing.T) {
	if result, told := play(t, "not-his-password"); result.Failed != 1 {
		t.Errorf("%+v, want one failure\n%s", result, told)
	}
}

// python runs a script of this folder with a ticket cache and reads the JSON it
// prints.
func python(t *testing.T, script, ccache string, into any, args ...string) {
	t.Helper()
	pythonOf(t, set.Realm.Client(), script, ccache, into, args...)
}

func pythonOf(t *testing.T, realm *krbtest.Client, script, ccache string, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{script}, args...)...)
	cmd.Env = append(realm.Env(), "KRB5CCNAME="+ccache)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%s printed %q: %v", script, out, err)
	}
}

func ticket(t *testing.T) string {
	t.Helper()
	ccache, err := set.Realm.Kinit("alice", stage.AlicePassword)
	if err != nil {
		t.Fatal(err)
	}
	return ccache
}

type answers []struct {
	Status   int
	Location string
	Server   bool // requests-kerberos has verified the server's own token
	Offers   string
}

// requests-kerberos raises an error unless the server proves itself, and does
// not survive a redirect before the authenticated answer: it starts at
// /login/negotiate. Both names of the keytab are tried.
func TestRequestsKerberosDemandsMutualAuthentication(t *testing.T) {
	for _, host := range []string{"localhost", "idp.localhost"} {
		t.Run(host, func(t *testing.T) {
			var got answers
			base := strings.Replace(set.Issuer, "idp.localhost", host, 1)
			python(t, "requests_kerberos_login.py", ticket(t), &got, base+"/login/negotiate")
			if len(got) != 1 || got[0].Status != 303 || !strings.HasSuffix(got[0].Location, "/account") || !got[0].Server {
				t.Errorf("got %+v, want one verified 303 to /account", got)
			}
		})
	}
}

// Ten logins with one ticket: ten authenticators, none a replay.
func TestRequestsKerberosLogsInAgainAndAgain(t *testing.T) {
	url := set.Issuer + "/login/negotiate"
	var got answers
	python(t, "requests_kerberos_login.py", ticket(t), &got, url, url, url, url, url, url, url, url, url, url)
	if len(got) != 10 {
		t.Fatalf("%d answers, want 10", len(got))
	}
	for i, a := range got {
		if a.Status != 303 || !a.Server {
			t.Errorf("login %d: %+v, want a verified 303", i, a)
		}
	}
}

// Without a ticket there is no login, and nothing to verify.
func TestRequestsKerberosWithoutATicketIsChallenged(t *testing.T) {
	var got answers
	python(t, "requests_kerberos_login.py", t.TempDir()+"/none", &got, set.Issuer+"/login/negotiate")
	if len(got) != 1 || got[0].Status != 401 || got[0].Server || !strings.HasPrefix(got[0].Offers, "Negotiate") {
		t.Errorf("got %+v, want an unverified 401 that offers Negotiate", got)
	}
}
