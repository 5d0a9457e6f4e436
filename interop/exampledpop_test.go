//go:build interop

package interop_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/oidc/rptest"
)

// A proof that was made for another address is none here, whatever a target says that
// looks like one: with it, and the bound token beside it, somebody else was asked.
func TestHoleProofForAnotherAddress(t *testing.T) {
	e := runExample(t, "api-node", "localhost")
	key := rptest.NewKey(t, "ES256")
	bound := e.bound(t, key)
	for target, c := range map[string]struct{ htu, status string }{
		"/whoami":                      {e.URL + "/whoami", "200"},
		"/whoami?x=//evil.example/":    {e.URL + "/whoami", "200"},
		"/whoami?y":                    {"http://evil.example/whoami", "401"},
		"//evil.example/whoami":        {"http://evil.example/whoami", "40"},
		"///evil.example/whoami":       {"http://evil.example/whoami", "40"},
		"/\\evil.example/whoami":       {"http://evil.example/whoami", "40"},
		"http://evil.example/whoami":   {"http://evil.example/whoami", "40"},
		"http:\\\\evil.example/whoami": {"http://evil.example/whoami", "40"},
	} {
		proof := key.Proof(t, http.MethodGet, c.htu, "", time.Now(), map[string]any{"ath": rptest.TokenHash(bound)})
		if got := e.raw(t, target, "Authorization: DPoP "+bound+"\r\nDPoP: "+proof+"\r\n"); !strings.HasPrefix(got, c.status) {
			t.Errorf("%s with a proof for %s: %s, want %s", target, c.htu, got, c.status)
		}
	}
}

// A proof is good once (RFC 9449 §11.1): who has read one, and the bound token beside it,
// has nothing to show.
func TestHoleProofUsedTwice(t *testing.T) {
	e := runExample(t, "api-node", "localhost")
	key := rptest.NewKey(t, "ES256")
	bound := e.bound(t, key)
	for range 2 {
		proof := key.Proof(t, http.MethodGet, e.URL+"/whoami", "", time.Now(), map[string]any{"ath": rptest.TokenHash(bound)})
		for _, want := range []string{"200", "401"} {
			if got := e.raw(t, "/whoami", "Authorization: DPoP "+bound+"\r\nDPoP: "+proof+"\r\n"); !strings.HasPrefix(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}

// bound is a token of the client script for the back end, bound to a key.
func (e *example) bound(t *testing.T, key *rptest.Key) string {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(e.data, "script.secret"))
	must(t, err)
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {e.URL + "/"}}
	nonce := ""
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.Issuer+"/token", strings.NewReader(form.Encode()))
		must(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("script:"+strings.TrimSpace(string(secret)))))
		req.Header.Set("DPoP", key.Proof(t, http.MethodPost, e.Issuer+"/token", nonce, time.Now(), nil))
		resp, err := (&http.Client{Transport: idptest.Transport()}).Do(req)
		must(t, err)
		var got struct {
			Access string `json:"access_token"`
			Type   string `json:"token_type"`
		}
		must(t, json.Unmarshal([]byte(idptest.ReadAll(t, resp)), &got))
		if got.Type == "DPoP" {
			return got.Access
		}
		nonce = resp.Header.Get("DPoP-Nonce")
	}
	t.Fatal("no bound token")
	return ""
}

// raw asks for a target as it is written; what comes is the answer's status.
func (e *example) raw(t *testing.T, target, lines string) (status string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.URL, "http://"))
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+lines+"\r\n")
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	idptest.ReadAll(t, resp)
	return resp.Status
}
