package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJSONObjectIsWhatEncodingJSONReads(t *testing.T) {
	values := []string{"plain", `quote " and \`, "line\nbreak", "<script>", "ümlaut", "\u2028", "bad \xff utf-8", "\x00", "\x7f"}
	for _, v := range values {
		o := NewObject(0)
		o.Text("a", v)
		o.Text("empty", "")
		o.Number("n", -5)
		o.Time("t", 1999)
		o.Boolean("b", true)
		o.List("l", []string{v, v})
		o.List("none", nil)
		o.List("zero", []string{})
		var got map[string]any
		raw := o.Close()
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		v = strings.ToValidUTF8(v, "\ufffd")
		want := map[string]any{"a": v, "n": -5.0, "t": 1.0, "b": true, "l": []any{v, v}, "zero": []any{}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
	if o := NewObject(0); string(o.Close()) != "{}" {
		t.Error("the empty object")
	}
}
