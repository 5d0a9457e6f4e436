// Command vault is what Vault's auth method `oidc` does at a login, by the plugin that
// Vault has it from: it takes the settings that `vault write` would write, prints the
// address that `vault login` would open, reads from its input the address that the browser
// came back to, and prints whom Vault would log in: alias, its group aliases, policies.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"time"

	log "github.com/hashicorp/go-hclog"
	jwtauth "github.com/hashicorp/vault-plugin-auth-jwt"
	"github.com/hashicorp/vault/sdk/logical"
)

func main() {
	config := flag.String("config", "", "`FILE` with JSON: what is written to auth/oidc/config")
	role := flag.String("role", "", "`FILE` with JSON: what is written to auth/oidc/role/default")
	redirect := flag.String("redirect-uri", "http://localhost:8250/oidc/callback", "`URI`; this is that of vault login")
	flag.Parse()
	if err := run(context.Background(), *config, *role, *redirect); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config, role, redirect string) error {
	m, err := mount(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(m.write(ctx, logical.UpdateOperation, "config", config), m.write(ctx, logical.CreateOperation, "role/default", role)); err != nil {
		return err
	}
	asked, err := m.do(ctx, logical.UpdateOperation, "oidc/auth_url", map[string]any{"role": "default", "redirect_uri": redirect})
	if err != nil {
		return err
	}
	fmt.Println(asked.Data["auth_url"])
	came, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	back, err := url.Parse(came[:len(came)-1])
	if err != nil {
		return err
	}
	answer := map[string]any{}
	for name := range back.Query() {
		answer[name] = back.Query().Get(name)
	}
	in, err := m.do(ctx, logical.ReadOperation, "oidc/callback", answer)
	if err != nil {
		return err
	}
	if in.Auth == nil {
		return errors.New("no login")
	}
	groups := []string{}
	for _, g := range in.Auth.GroupAliases {
		groups = append(groups, g.Name)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"alias": in.Auth.Alias.Name, "group_aliases": groups, "policies": in.Auth.Policies})
}

// method is the auth method, mounted in memory.
type method struct {
	backend logical.Backend
	storage logical.Storage
}

func mount(ctx context.Context) (*method, error) {
	storage := &logical.InmemStorage{}
	backend, err := jwtauth.Factory(ctx, &logical.BackendConfig{
		Logger: log.NewNullLogger(), StorageView: storage,
		System: &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 24 * time.Hour},
	})
	if err != nil {
		return nil, err
	}
	return &method{backend, storage}, backend.Initialize(ctx, &logical.InitializationRequest{Storage: storage})
}

func (m *method) write(ctx context.Context, op logical.Operation, path, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		return err
	}
	_, err = m.do(ctx, op, path, data)
	return err
}

func (m *method) do(ctx context.Context, op logical.Operation, path string, data map[string]any) (*logical.Response, error) {
	r, err := m.backend.HandleRequest(ctx, &logical.Request{Operation: op, Path: path, Storage: m.storage, Data: data, Connection: &logical.Connection{}})
	switch {
	case err != nil:
		return nil, err
	case r.IsError():
		return nil, r.Error()
	}
	return r, nil
}
