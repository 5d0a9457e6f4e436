package report

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestPrint(t *testing.T) {
	lines := []Line{
		{Check: "keytab", Level: LevelOK, Text: "fine"},
		{Check: "signing_keys", Level: LevelWarning, Text: "old", Hint: "idp serve"},
		{Check: "spn", Level: LevelFailed, Text: "no\nok       spn          forged\x1b[31m", Hint: "add it", Details: map[string]any{"a": 1}},
	}
	var b bytes.Buffer
	if err := Print(&b, lines); err != nil {
		t.Fatal(err)
	}
	want := "ok       keytab       fine\n" +
		"warning  signing_keys old\n" +
		"                      -> idp serve\n" +
		"failed   spn          no ok       spn          forged [31m\n" +
		"                      -> add it\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	if err := PrintJSON(&b, lines); err != nil {
		t.Fatal(err)
	}
	var got struct {
		OK    *bool
		Lines []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.OK == nil || *got.OK || len(got.Lines) != 3 || got.Lines[1]["hint"] != "idp serve" || got.Lines[2]["check"] != "spn" {
		t.Errorf("JSON: %v\n%s", err, b.String())
	}
}

func TestWorst(t *testing.T) {
	of := func(levels ...Level) (lines []Line) {
		for _, l := range levels {
			lines = append(lines, Line{Level: l})
		}
		return lines
	}
	for _, c := range []struct {
		lines []Line
		want  Level
	}{{nil, LevelOK}, {of(LevelOK, LevelOK), LevelOK}, {of(LevelOK, LevelWarning, LevelOK), LevelWarning}, {of(LevelWarning, LevelFailed, LevelWarning, LevelOK), LevelFailed}} {
		if got := Worst(c.lines); got != c.want {
			t.Errorf("%v: %s, want %s", c.lines, got, c.want)
		}
	}
}
