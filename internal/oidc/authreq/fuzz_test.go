package authreq

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

func FuzzClaims(f *testing.F) {
	f.Add(`{"userinfo":{"given_name":{"essential":true},"nickname":null,"picture":null},"id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}`)
	f.Add(`{"id_token":{"sub":{"value":"248289761001","values":["a",null,5]},"acr":{"essential":true,"value":"1"}}}`)
	f.Add(`{"userinfo":{"email":null,"groups":null},"userinfo":[[[[[[[[[[[[[[[[[["\"{"]]]]]]]]]]]]]]]]]]}`)
	client := &store.Client{Scope: "openid profile"}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseClaims(client, text)
		if err != nil {
			if f := wire.AsFailure(err); f.Status != http.StatusBadRequest {
				t.Errorf("%v is not the client's error", err)
			}
			return
		}
		if text != "" && !json.Valid([]byte(text)) {
			t.Errorf("%q is no JSON", text)
		}
		for _, name := range append(c.Asked.IDToken, c.Asked.Userinfo...) {
			i := slices.IndexFunc(tokens.UserClaims, func(u tokens.UserClaim) bool { return u.Name == name })
			if i < 0 || tokens.UserClaims[i].Scope != "profile" || !strings.Contains(text, name) && !strings.Contains(text, `\u`) {
				t.Errorf("%q gives %s", text, name)
			}
		}
		kept, err := tokens.ReadAskedClaims(c.Asked.Encode())
		if diff := cmp.Diff(c.Asked, kept); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}
