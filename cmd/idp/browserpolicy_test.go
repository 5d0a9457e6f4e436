package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBrowserPolicyWritesItsFiles(t *testing.T) {
	p := newPlace(t, "")
	p.More = []string{"IDP_ISSUER=https://sso.example.com:8443"}
	dir := filepath.Join(p.Dir, "not", "there")
	said, _, err := p.Run("", "browser-policy")
	if err != nil || !strings.Contains(said, "AuthServerAllowlist = sso.example.com\n") || !strings.Contains(said, "Nothing was written") {
		t.Errorf("without --out: %v\n%s", err, said)
	}
	for range 2 { // the second time over its own files
		said, stderr, err := p.Run("", "browser-policy", "--out", dir)
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 4 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil || info.Mode() != 0o644 || info.Size() == 0 {
				t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
			}
			if !strings.Contains(said, filepath.Join(dir, f.Name())+"\n") {
				t.Errorf("%s is not named:\n%s", f.Name(), said)
			}
		}
		if !strings.Contains(said, "without the port") || !strings.Contains(said, "Not tried") || strings.Contains(said, "Nothing was written") {
			t.Errorf("with --out:\n%s", said)
		}
		if err := os.Chmod(filepath.Join(dir, files[0].Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBrowserPolicyExplainsLocalhost(t *testing.T) {
	p := newPlace(t, "")
	p.More = []string{"IDP_ISSUER=http://localhost:8080"}
	if said, stderr, err := p.Run("", "browser-policy"); err != nil || !strings.Contains(said, "only in browsers on this machine") {
		t.Errorf("%v %s\n%s", err, stderr, said)
	}
}

func TestBrowserPolicyRefusesWhatItCannotDo(t *testing.T) {
	p := newPlace(t, "")
	p.Write("file", "in the way")
	for name, c := range map[string]struct {
		environ, out, want string
	}{
		"a file in the way": {"IDP_ISSUER=https://sso.example.com", "file", "--out: "},
		"not ASCII":         {"IDP_ISSUER=https://säge.example.com", "out", "xn--"},
		"no issuer":         {"IDP_ISSUER=sso.example.com", "out", "is not a URL"},
	} {
		p.More = []string{c.environ}
		said, stderr, err := p.Run("", "browser-policy", "--out", filepath.Join(p.Dir, c.out))
		if err == nil || !strings.Contains(stderr, c.want) || said != "" {
			t.Errorf("%s: %v, %q, want an error that says %q", name, err, stderr, c.want)
		}
	}
}
