package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"idp/internal/idptest"
)

// keyAlgs are the algorithms of the published keys, in their order.
func keyAlgs(t *testing.T, s *idptest.Server) string {
	t.Helper()
	var set struct {
		Keys []struct {
			Alg string `json:"alg"`
		} `json:"keys"`
	}
	if err := json.Unmarshal([]byte(s.Program(t).Get("/jwks").Body), &set); err != nil {
		t.Fatal(err)
	}
	var algs []string
	for _, k := range set.Keys {
		algs = append(algs, k.Alg)
	}
	return strings.Join(algs, " ")
}

func algOf(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	var h struct{ Alg string }
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(raw, &h) != nil {
		t.Fatalf("header %q", head)
	}
	return h.Alg
}

// Whoever the configuration names finds its key at the first start.
func TestKeysThatTheConfigurationNeedsAreThereAtTheStart(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]idptest.Options{
		"ID tokens": {Clients: "  - {client_id: a, client_secret_file: wiki.secret, redirect_uris: [\"http://a.localhost/cb\"], id_token_signed_response_alg: EdDSA}\n"},
		"userinfo":  {Clients: "  - {client_id: a, client_secret_file: wiki.secret, redirect_uris: [\"http://a.localhost/cb\"], userinfo_signed_response_alg: EdDSA}\n"},
		"resources": {YAML: "resources: [{uri: \"https://ledger.example.com\", access_token_alg: EdDSA}]\n"},
	} {
		if algs := keyAlgs(t, idptest.Start(t, o)); algs != "RS256 ES256 EdDSA" {
			t.Errorf("%s: keys at the start: %s", name, algs)
		}
	}
}

// Relying parties of every algorithm come in by a reload; each has read the JWKS
// before, when PS256 and EdDSA had no key. go-oidc checks signature and at_hash,
// and an ID token of every algorithm comes back as id_token_hint.
func TestIDTokensOfEveryAlgorithm(t *testing.T) {
	t.Parallel()
	idptest.Each(t, idptest.Options{}, func(t *testing.T, s *idptest.Server) {
		if algs := keyAlgs(t, s); algs != "RS256 ES256" {
			t.Fatalf("keys of a server whose relying parties need no others: %s", algs)
		}
		algs := []string{"RS256", "ES256", "PS256", "EdDSA"}
		var more string
		parties := map[string]*relyingParty{}
		for _, alg := range algs {
			more += fmt.Sprintf("  - {client_id: %s, client_secret_file: wiki.secret, redirect_uris: [\"http://%s.localhost/cb\"],"+
				" post_logout_redirect_uris: [http://wiki.localhost/], grant_types: [authorization_code, refresh_token], id_token_signed_response_alg: %s}\n", alg, alg, alg)
			rp := newRelyingParty(t, s, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
			auth := idptest.Wiki()
			b := s.Browser(t)
			token, err := rp.oauth.Exchange(rp.ctx, auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)), oauth2.VerifierOption(auth.Verifier))
			if err != nil {
				t.Fatal(err)
			}
			rp.claims(t, token, auth.Query.Get("nonce")) // has read the JWKS now
			rp.oauth.ClientID, rp.oauth.RedirectURL = alg, "http://"+alg+".localhost/cb"
			parties[alg] = rp
		}
		path := filepath.Join(s.Dir, "idp.yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), "clients:\n", "clients:\n"+more, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(t.Context(), s.Config()); err != nil {
			t.Fatal(err)
		}
		if algs := keyAlgs(t, s); algs != "RS256 ES256 PS256 EdDSA" {
			t.Errorf("keys after the reload, before any login: %s", algs)
		}
		for _, alg := range algs {
			logInAndOut(t, s, parties[alg], alg)
		}
	})
}

func logInAndOut(t *testing.T, s *idptest.Server, rp *relyingParty, alg string) {
	t.Helper()
	b := s.Browser(t)
	auth := idptest.NewAuth(rp.oauth.ClientID, rp.oauth.RedirectURL)
	token, err := rp.oauth.Exchange(rp.ctx, auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword)), oauth2.VerifierOption(auth.Verifier))
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	rp.claims(t, token, auth.Query.Get("nonce"))
	raw, _ := token.Extra("id_token").(string)
	if got := algOf(t, raw); got != alg {
		t.Errorf("the ID token is signed with %s, want %s", got, alg)
	}
	if _, err := rp.oauth.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err != nil {
		t.Errorf("%s: refresh: %v", alg, err)
	}
	signOut(t, s, b, token)
}
