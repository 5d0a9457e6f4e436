package wire

import (
	"testing"
	"time"
)

func TestTimeOfAKRBError(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 987_654_000, time.UTC)
	service := Principal{Components: []string{"krbtgt", "EXAMPLE.TEST"}, Realm: "EXAMPLE.TEST", NameType: 2}
	if e, ok := ParseError(KRBErrorMessage(37, now, service)); !ok || !e.Time.Equal(now) || e.Code != 37 {
		t.Errorf("%+v", e)
	}
	// A time that cannot be read hides no error.
	message := func(fields ...[]byte) (b []byte) {
		for _, f := range fields {
			b = append(b, f...)
		}
		return TLV(AppError, TLV(TagSequence, b))
	}
	stime, code := TLV(Context(4), Time(now)), TLV(Context(6), Int(6))
	for what, b := range map[string][]byte{
		"none":                   message(code),
		"no microseconds":        message(stime, code),
		"negative microseconds":  message(stime, TLV(Context(5), Int(-1)), code),
		"too many microseconds":  message(stime, TLV(Context(5), Int(1_000_000)), code),
		"a time that is no time": message(TLV(Context(4), Int(1)), TLV(Context(5), Int(1)), code),
	} {
		if e, ok := ParseError(b); !ok || !e.Time.IsZero() || e.Code != 6 {
			t.Errorf("%s: %+v", what, e)
		}
	}
}
