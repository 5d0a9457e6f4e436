package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/go-jose/go-jose/v4"
)

var (
	//go:embed idp.yaml.tmpl
	idpYAML string
	//go:embed suite.json.tmpl
	suiteJSON string
)

// folder is where both commands find what they share.
type folder struct {
	flags
	dir    string
	Client string // of the plan that runs
}

// openID are the clients of the plans of OpenID Connect, by what they are for.
var openID = []string{"basic", "second", "post", "back", "front"}

// fapiClient is one of the two clients of FAPI.
type fapiClient struct{ ID, Query, Public string }

// Base is the suite's address for this test.
func (f folder) Base() string { return f.suite + "/test/a/idp" }

// The other names of the templates.
func (f folder) Issuer() string      { return f.issuer }
func (f folder) Listen() string      { return f.listen }
func (f folder) Certificate() string { return f.certificate }
func (f folder) Key() string         { return f.privateKey }
func (f folder) OpenID() []string    { return openID }

// FAPI are the clients of FAPI with their public keys.
func (f folder) FAPI() ([]fapiClient, error) {
	clients := []fapiClient{{ID: "fapi1"}, {ID: "fapi2", Query: "?dummy1=lorem&dummy2=ipsum"}}
	for i := range clients {
		key, err := f.key(clients[i].ID)
		if err != nil {
			return nil, err
		}
		if clients[i].Public, err = keySet(key.Public()); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// JWKS holds the private key of a client, as the suite needs it.
func (f folder) JWKS(client string) (string, error) {
	key, err := f.key(client)
	if err != nil {
		return "", err
	}
	return keySet(key)
}

func (f folder) key(client string) (key jose.JSONWebKey, err error) {
	text, err := os.ReadFile(f.path(client + ".jwk"))
	if err != nil {
		return key, err
	}
	return key, key.UnmarshalJSON(text)
}

func keySet(key jose.JSONWebKey) (string, error) {
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	return string(text), err
}

// Secret is the first line of a client's or person's file.
func (f folder) Secret(name string) (string, error) {
	text, err := os.ReadFile(f.path(name + ".secret"))
	return strings.TrimSpace(string(text)), err
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) fill(text string) ([]byte, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, f)
	return b.Bytes(), err
}

// setup makes the folder, its secrets and idp.yaml.
func (f folder) setup() error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	for _, name := range append([]string{"cora"}, openID...) {
		if err := os.WriteFile(f.path(name+".secret"), []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := f.makeKeys(); err != nil {
		return err
	}
	text, err := f.fill(idpYAML)
	if err != nil {
		return err
	}
	return os.WriteFile(f.path("idp.yaml"), text, 0o600)
}

// makeKeys makes an RSA key, which some of the modules want to misuse, and one of
// an elliptic curve.
func (f folder) makeKeys() error {
	one, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	two, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, key := range []jose.JSONWebKey{
		{Key: one, KeyID: "fapi1", Algorithm: "PS256", Use: "sig"},
		{Key: two, KeyID: "fapi2", Algorithm: "ES256", Use: "sig"},
	} {
		text, err := json.Marshal(key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.path(key.KeyID+".jwk"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
