package store

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The release before reads the keys of a relying party as a text that is JSON, and
// fails for all relying parties where one has them otherwise.
func TestKeysOfAClientAreStoredAsTheReleaseBeforeReadsThem(t *testing.T) {
	for _, keys := range []string{`{"keys": [{"kty": "EC", "kid": "a \"b\""}]}`, ""} {
		c := Client{ClientID: "shop", SecretHashes: [][]byte{{1}}}
		if keys != "" {
			c.JWKS = json.RawMessage(keys)
		}
		text, err := json.Marshal(metadata(c))
		if err != nil {
			t.Fatal(err)
		}
		var before struct {
			ClientID string `json:"client_id"`
			JWKS     string `json:"jwks"`
		}
		if err := json.Unmarshal(text, &before); err != nil || before.JWKS != keys || before.ClientID != "shop" {
			t.Errorf("the release before reads %+v, %v", before, err)
		}
		got := Client{}
		if err := (*metadata)(&got).Scan(string(text)); err != nil || cmp.Diff(c, got) != "" {
			t.Errorf("%v %s", err, cmp.Diff(c, got))
		}
	}
}
