package wire

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParams(f *testing.F) {
	f.Add("response_type=code&client_id=wiki&redirect_uri=https%3A%2F%2Fwiki.example.com%2Fcallback&scope=openid+profile&state=st%26te&resource=a&resource=b")
	f.Add("scope=a&scope=b&state=%00&;=&=&&%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		ps, err := Parse(raw, MaxQuery)
		if err != nil {
			if f := AsFailure(err); f.Status != http.StatusBadRequest {
				t.Errorf("%v is not the client's error", err)
			}
			return
		}
		again, err := Parse(ps.Encode(), 4*MaxQuery)
		if diff := cmp.Diff(ps, again); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}
