package main

import (
	"flag"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"idp/internal/kerberos/krbtest"
)

var update = flag.Bool("update", false, "write the outputs into docs/doctor.md")

// doctorDoc is the document, whichever folder a test is in.
var doctorDoc, _ = filepath.Abs("../../docs/doctor.md")

// notOK leaves out the lines that are.
func notOK(out string) (rest string) {
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "ok ") {
			rest += line
		}
	}
	return rest
}

// compareDoc compares an output with the block of that name in the document.
func compareDoc(t *testing.T, name, out string) {
	t.Helper()
	text, err := os.ReadFile(doctorDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), "<!-- output: "+name+" -->\n```\n")
	block, tail, ends := strings.Cut(rest, "```\n")
	if !found || !ends {
		t.Fatalf("%s has no block for the output %s", doctorDoc, name)
	}
	if ofTheDay(block) == ofTheDay(out) {
		return
	}
	if !*update {
		t.Errorf("%s does not show what doctor says about %s; go test ./cmd/idp -run TestDoctorNamesTheBreak -update writes it. It says:\n%s\nthe document:\n%s", doctorDoc, name, out, block)
		return
	}
	if err := os.WriteFile(doctorDoc, []byte(head+"<!-- output: "+name+" -->\n```\n"+out+"```\n"+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// days are what differs from run to run.
var days = regexp.MustCompile(`\d{4}-\d\d-\d\d|\(\d+ms\)|idp \S+ go\S+ \S+|SQLite [0-9.]+|schema \d+`)

// ofTheDay takes them out.
func ofTheDay(text string) string { return days.ReplaceAllString(text, "_") }

// forReaders takes the ports, folders and users of a test's run out of an output.
func (p *place) forReaders(out string, r *krbtest.Realm) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(p.URL, "http://"), ":")
	_, kdc, _ := strings.Cut(r.Addr, ":")
	pairs := append(p.nicer,
		p.Dir+"/", "", r.Krb5Conf, "/etc/krb5.conf",
		"127.0.0.1:"+port, "127.0.0.1:443", ":"+port, "", "port "+port, "port 443",
		r.Addr, "127.0.0.1:88", "127.0.0.1 "+kdc, "127.0.0.1 88", "TCP "+kdc, "TCP 88", "UDP "+kdc, "UDP 88",
	)
	if me, err := user.Current(); err == nil {
		pairs = append(pairs, "of "+me.Username, "of idp")
	}
	out = strings.NewReplacer(pairs...).Replace(out)
	return regexp.MustCompile(`(127\.0\.0\.1):\d{4,5}( takes connections)`).ReplaceAllString(out, "$1:464$2")
}
