//go:build interop

package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"idp/examples/api-go/bearer"
	"idp/examples/demo/stage"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// exchangeDoc are the blocks of docs/token-exchange.md in a language.
func exchangeDoc(t *testing.T, language string, edit ...string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/token-exchange.md")
	must(t, err)
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, strings.NewReplacer(edit...).Replace(m[1]))
	}
	if want := map[string]int{"yaml": 2, "sh": 5}[language]; len(blocks) != want {
		t.Fatalf("docs/token-exchange.md has %d blocks of %s, want %d", len(blocks), language, want)
	}
	return blocks
}

// documentedExchange is a server with what docs/token-exchange.md configures.
func documentedExchange(t *testing.T, realm *krbtest.Realm) *idptest.Server {
	t.Helper()
	yaml := exchangeDoc(t, "yaml", "shop.secret", "wiki.secret", "ledger.secret", "wiki.secret")
	resources, front, ok := strings.Cut(yaml[0], "\nclients:\n")
	_, program, ok2 := strings.Cut(yaml[1], "clients:\n")
	if !ok || !ok2 {
		t.Fatalf("the document's clients:\n%s\n%s", yaml[0], yaml[1])
	}
	return idptest.Start(t, idptest.Options{Clients: front + "\n" + program + "\n", YAML: idptest.KerberosYAML(realm) + resources + "\n"})
}

// byCurl runs a block of the document, and reads what it prints.
func byCurl(t *testing.T, realm *krbtest.Realm, s *idptest.Server, block string, env ...string) map[string]any {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"/shop.secret", "/ledger.secret"} {
		must(t, os.WriteFile(dir+name, []byte(idptest.WikiSecret+"\n"), 0o600))
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", "idp="+s.Issuer+"\n"+block)
	cmd.Dir, cmd.Env = dir, append(realm.Env(), env...)
	out, err := cmd.Output()
	var got map[string]any
	if jsonErr := json.Unmarshal(out, &got); err != nil || jsonErr != nil {
		t.Fatalf("%v %v\n%s\n%s", err, jsonErr, block, out)
	}
	return got
}

// What docs/token-exchange.md writes is typed into a shell, with curl and MIT Kerberos.
func TestExchangesAsDocumented(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := documentedExchange(t, realm)
	sh := exchangeDoc(t, "sh", "idp=https://sso.example.com\n", "", "kinit\n", "")
	auth := idptest.NewAuth("shop", "https://shop.example.com/callback")
	b := s.Browser(t)
	code := auth.Code(t, s, b.LogIn(b.Get(auth.URL()), "bob", idptest.BobPassword))
	page := s.Program(t).Once(http.MethodPost, "/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://shop.example.com/callback"}, "code_verifier": {auth.Verifier}},
		http.Header{"Authorization": {idptest.Basic("shop", idptest.WikiSecret)}})
	var given map[string]any
	must(t, json.Unmarshal([]byte(page.Body), &given))
	access, _ := given["access_token"].(string)
	got := byCurl(t, realm, s, sh[0], "access_token="+access)
	var documented map[string]any
	text, err := os.ReadFile("../docs/token-exchange.md")
	must(t, err)
	_, answer, _ := strings.Cut(string(text), "\n```json\n")
	answer, _, _ = strings.Cut(answer, "\n```")
	must(t, json.Unmarshal([]byte(answer), &documented))
	for name, want := range documented {
		if name != "access_token" && got[name] != want || got[name] == nil {
			t.Errorf("%s = %v, the document says %v", name, got[name], want)
		}
	}
	shown, _ := got["access_token"].(string)
	if got := byCurl(t, realm, s, sh[1], "shown="+shown); got["access_token"] == nil || got["scope"] != "read" {
		t.Errorf("the ledger goes on: %v", got)
	}

	ccache, err := realm.Kinit("alice", krbtest.AlicePassword)
	must(t, err)
	got = byCurl(t, realm, s, sh[2], "KRB5CCNAME="+ccache)
	if got["access_token"] == nil || got["id_token"] == nil || got["scope"] != "openid profile read" {
		t.Errorf("by a ticket: %v", got)
	}
	if got := byCurl(t, realm, s, sh[2], "KRB5CCNAME="+ccache+"-none"); got["error"] != "invalid_request" {
		t.Errorf("without a ticket: %v", got)
	}
}

// TestTokenOfTheCommand: the binary, as the document has it, with a ticket of MIT's
// kinit, and the back end that people copy from.
func TestTokenOfTheCommand(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	s := documentedExchange(t, realm)
	bin := t.TempDir()
	must(t, stage.Build(t.Context(), bin))
	ccache, err := realm.Kinit("alice", krbtest.AlicePassword)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", "idp="+s.Issuer+"\n"+exchangeDoc(t, "sh")[3])
	cmd.Dir, cmd.Env = t.TempDir(), append(realm.Env(), "PATH="+bin+":"+os.Getenv("PATH"), "KRB5CCNAME="+ccache)
	out, err := cmd.Output()
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ledger.example.com/v1/accounts", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(out)))
	for audience, want := range map[string]int{"https://ledger.example.com": http.StatusOK, "https://archive.example.com": http.StatusUnauthorized} {
		verifier, err := bearer.New(oidc.ClientContext(t.Context(), &http.Client{Transport: idptest.Transport()}), s.Issuer, audience)
		must(t, err)
		name := struct {
			Name string `json:"preferred_username"`
		}{}
		w := httptest.NewRecorder()
		verifier.Require("read", func(_ http.ResponseWriter, r *http.Request) { must(t, bearer.Of(r.Context()).Claims(&name)) }).ServeHTTP(w, req)
		if w.Code != want || (want == http.StatusOK) != (name.Name == "alice") {
			t.Errorf("at %s: %d %q", audience, w.Code, name.Name)
		}
	}
}
