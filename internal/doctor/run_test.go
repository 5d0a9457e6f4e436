package doctor

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"idp/internal/doctor/report"
	"idp/internal/store/database"
)

// TestACheckThatHangsOrBreaksStopsNoOther
func TestACheckThatHangsOrBreaksStopsNoOther(t *testing.T) {
	e := &exam{}
	forever := make(chan struct{})
	defer close(forever)
	hangs := check{"hangs", func(*exam, context.Context) []report.Line { <-forever; return nil }}
	if r := e.bounded(t.Context(), hangs, time.Millisecond); len(r) != 1 || r[0].Level != report.LevelFailed || r[0].Text != "no answer in time" {
		t.Errorf("a check that hangs: %+v", r)
	}
	breaks := check{"breaks", func(*exam, context.Context) []report.Line { panic("x") }}
	if r := e.bounded(t.Context(), breaks, time.Minute); len(r) != 1 || r[0].Level != report.LevelFailed || !strings.Contains(r[0].Text, "broke") {
		t.Errorf("a check that breaks: %+v", r)
	}
}

// TestRunKeepsTheOrder of the list, whichever check ends first.
func TestRunKeepsTheOrder(t *testing.T) {
	lines := Run(t.Context(), Config{Issuer: "http://localhost:1", Listen: "127.0.0.1:1", Database: "sqlite:" + t.TempDir() + "/idp.db"})
	at := 0
	for _, r := range lines {
		for at < len(checks) && checks[at].name != r.Check {
			at++
		}
	}
	if at == len(checks) || len(lines) < 5 {
		t.Errorf("not in the order of the list: %+v", lines)
	}
}

// TestRunOnNothing: a configuration of which nothing could be read breaks no check.
func TestRunOnNothing(t *testing.T) {
	for _, c := range []Config{{}, {Issuer: "::", Listen: "x", Database: "x", TLSCertificate: "none"}} {
		for _, r := range Run(t.Context(), c) {
			if strings.Contains(r.Text, "broke") {
				t.Errorf("%+v: %s: %s", c, r.Check, r.Text)
			}
		}
	}
}

func TestConfigurationLines(t *testing.T) {
	level := func(c Config) string {
		c.Listen, c.Issuer = "127.0.0.1:1", "http://localhost:1"
		r := Run(t.Context(), c)[0]
		return r.Check + " " + string(r.Level) + " " + r.Text + "|" + r.Hint
	}
	if got := level(Config{File: "idp.yaml", Version: "v1"}); got != "config ok idp.yaml is sound (v1)|" {
		t.Error(got)
	}
	if got := level(Config{Version: "v1"}); !strings.HasPrefix(got, "config warning no idp.yaml") {
		t.Error(got)
	}
	if got := level(Config{File: "idp.yaml", Problems: []Problem{{"idp.yaml:3", "brand.accent", "is no colour", "#0b5fff"}}}); got != "config failed idp.yaml:3: brand.accent: is no colour|#0b5fff" {
		t.Error(got)
	}
}

// What a healthy test database cannot be: of another version, full, of another
// hour.
func TestJudgements(t *testing.T) {
	engine := database.Engine{Name: "SQLite", Version: "3"}
	for _, c := range []struct {
		what string
		got  []report.Line
		want report.Level // empty: no line
	}{
		{"this schema", judgeSchema("db", engine, database.Schema{Version: 2, Known: 2, Supported: true}), report.LevelOK},
		{"an older schema", judgeSchema("db", engine, database.Schema{Version: 1, Known: 2, Supported: true}), report.LevelWarning},
		{"a newer schema", judgeSchema("db", engine, database.Schema{Version: 3, Known: 2, Supported: true}), report.LevelWarning},
		{"one for newer programs", judgeSchema("db", engine, database.Schema{Version: 3, Known: 2}), report.LevelFailed},
		{"an empty database", judgeSchema("db", engine, database.Schema{Known: 2, Supported: true}), report.LevelOK},
		{"the same clock", judgeClock(-time.Second), ""},
		{"a clock ahead", judgeClock(3 * time.Second), report.LevelWarning},
		{"a clock behind", judgeClock(-3 * time.Second), report.LevelWarning},
		{"another hour", judgeClock(-time.Hour), report.LevelFailed},
		{"room", judgeRoom("/d", 2<<30), ""},
		{"little room", judgeRoom("/d", 500<<20), report.LevelWarning},
		{"none", judgeRoom("/d", 10<<20), report.LevelFailed},
		{"not known", judgeRoom("/d", -1), ""},
	} {
		if len(c.got) == 0 && c.want == "" || len(c.got) == 1 && c.got[0].Level == c.want {
			continue
		}
		t.Errorf("%s: %+v, want %q", c.what, c.got, c.want)
	}
	if free(t.TempDir()) <= 0 {
		t.Error("the free space of a folder is not known")
	}
}

func TestIssuerPort(t *testing.T) {
	for text, want := range map[string]string{"https://a": "443", "http://a": "80", "https://a:8443": "8443"} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := issuerPort(&exam{issuer: u}); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
