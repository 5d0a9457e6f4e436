//go:build interop && recipes

package interop_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// recipe is an idp that is set up as a page of docs/recipes says; edit are pairs, old
// and new, that count in all of the page.
func recipe(t *testing.T, page string, edit ...string) *documented {
	t.Helper()
	text, err := os.ReadFile("../docs/recipes/" + page + ".md")
	must(t, err)
	secret := filepath.Join(t.TempDir(), page+".secret")
	must(t, os.WriteFile(secret, []byte(docSecret), 0o600))
	doc := strings.NewReplacer("the-content-of-"+page+".secret", docSecret, page+".secret", secret).Replace(string(text))
	return newDocumentedBy(t, doc, "https", "k8s-admins, vault-writers, science, jupyter-admins, git-admins, git-users, git-shop, staff", edit...)
}

// part is a block below another heading of the page.
func (d *documented) part(t *testing.T, heading, language string) string {
	t.Helper()
	_, below, ok := strings.Cut(d.doc, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the page has no %q", heading)
	}
	part := *d
	part.doc, part.edit = below, nil
	for i := 0; i < len(d.edit); i += 2 {
		part.doc = strings.ReplaceAll(part.doc, d.edit[i], d.edit[i+1])
	}
	return part.block(t, language)
}

// recipeProgram runs a program of interop/recipes.
func (d *documented) recipeProgram(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", program, "./"+name)
	build.Dir = "recipes"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+d.CA)
	return cmd
}

// bobsIDToken is one for a public client, as a program on bob's machine gets it.
func (d *documented) bobsIDToken(t *testing.T, client, redirect string, scopes ...string) string {
	t.Helper()
	v := newVisitor(t, d.binary)
	v.stay = redirect
	config := oauth2.Config{ClientID: client, RedirectURL: redirect, Scopes: scopes, Endpoint: oauth2.Endpoint{AuthURL: d.Issuer + "/authorize"}}
	verifier := oauth2.GenerateVerifier()
	p := v.logIn(v.open(config.AuthCodeURL(oauth2.GenerateVerifier(), oauth2.S256ChallengeOption(verifier))), "bob", stage.BobPassword)
	if p.Location == nil {
		t.Fatalf("walked %s\n%s", p.Walked, p.Body)
	}
	return reads[told](t, v.post(d.Issuer+"/token", url.Values{"client_id": {client}, "grant_type": {"authorization_code"},
		"code": {p.Location.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}}), http.StatusOK).IDToken
}

// Kubernetes: the API server's authenticator knows bob, and his groups that the client
// may see, with the prefix; a token without the name, or for others, is refused.
func TestRecipeKubernetes(t *testing.T) {
	d := recipe(t, "kubernetes")
	config := d.write(t, "authentication.yaml", d.part(t, "The API server", "yaml"))
	authenticate := func(config, token string) (string, error) {
		cmd := d.recipeProgram(t, "kubernetes", "--authentication-config", config, "--token", d.write(t, "token", token))
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			return complaint.String(), err
		}
		return string(out), nil
	}
	const redirect = "http://localhost:8000"
	token := d.bobsIDToken(t, "kubernetes", redirect, "openid", "profile", "groups")
	if said, err := authenticate(config, token); err != nil || said != `{"groups":["idp:k8s-admins"],"username":"idp:bob"}`+"\n" {
		t.Errorf("%v: %s", err, said)
	}
	nameless := d.bobsIDToken(t, "kubernetes", redirect, "openid", "groups")
	if said, err := authenticate(config, nameless); err == nil || !strings.Contains(said, `parse username claims "preferred_username": claim not present`) {
		t.Errorf("without a name: %v: %s", err, said)
	}
	other := d.write(t, "other.yaml", strings.Replace(d.part(t, "The API server", "yaml"), "[kubernetes]", "[another]", 1))
	if said, err := authenticate(other, token); err == nil || !strings.Contains(said, "expected audience") {
		t.Errorf("for another: %v: %s", err, said)
	}
}

// Vault: its auth method keeps bob by his sub, and has his groups as aliases.
func TestRecipeVault(t *testing.T) {
	d := recipe(t, "vault")
	const redirect = "http://localhost:8250/oidc/callback"
	_, role, _ := strings.Cut(d.doc, "role.json`") // the block after the one of config.json
	_, role, _ = strings.Cut(role, "\n```\n")
	role, _, _ = strings.Cut(role, "\n```")
	cmd := d.recipeProgram(t, "vault", "--config", d.write(t, "config.json", d.part(t, "Vault", "json")), "--role", d.write(t, "role.json", role), "--redirect-uri", redirect)
	in, err := cmd.StdinPipe()
	must(t, err)
	pipe, err := cmd.StdoutPipe()
	must(t, err)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	must(t, cmd.Start())
	out := bufio.NewReader(pipe)
	begin, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	v := newVisitor(t, d.binary)
	v.stay = redirect
	p := v.logIn(v.open(strings.TrimSpace(begin)), "bob", stage.BobPassword)
	if p.Location == nil {
		t.Fatalf("walked %s\n%s", p.Walked, p.Body)
	}
	_, err = in.Write([]byte(p.Location.String() + "\n"))
	must(t, err)
	var who struct {
		Alias        string
		GroupAliases []string `json:"group_aliases"`
		Policies     []string
	}
	if err := json.NewDecoder(out).Decode(&who); err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	must(t, cmd.Wait())
	if who.Alias == "" || who.Alias == "bob" || !slices.Equal(who.GroupAliases, []string{"vault-writers"}) || !slices.Equal(who.Policies, []string{"default"}) {
		t.Errorf("Vault has %+v", who)
	}
}

// JupyterHub: bob is an admin by his group; who is in none is refused.
func TestRecipeJupyterHub(t *testing.T) {
	hub := absolute(t, "../.cache/jupyterhub")
	listen, port := freeAddress(t)
	api, _ := freeAddress(t)
	inner, innerPort := freeAddress(t)
	d := recipe(t, "jupyter", "https://jupyter.example.com", "http://localhost:"+port, "jupyterhub.secret", "wiki.secret")
	config := d.part(t, "JupyterHub", "python") + "o.http_request_kwargs = {'ca_certs': '" + d.CA + "'}\n" +
		"c.JupyterHub.bind_url = 'http://" + listen + "'\nc.JupyterHub.spawner_class = 'simple'\nc.JupyterHub.hub_port = " + innerPort + "\nc.ConfigurableHTTPProxy.api_url = 'http://" + api + "'\n"
	cmd := exec.Command(hub+"/bin/jupyterhub", "--config", d.write(t, "jupyterhub_config.py", config))
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "PATH="+hub+"/bin:"+hub+"/node_modules/.bin:"+os.Getenv("PATH"), "SSL_CERT_FILE="+d.CA,
		"JUPYTERHUB_CRYPT_KEY="+strings.Repeat("0f", 32))
	launch(t, cmd, d.siteLog(), inner) // which it answers after its proxy, at listen, does

	v := newVisitor(t, d.binary)
	p := v.logIn(v.open("http://localhost:"+port+"/hub/oauth_login?next=/hub/api/user"), "bob", stage.BobPassword)
	who := reads[struct {
		Name   string
		Admin  bool
		Groups []string
	}](t, p, http.StatusOK)
	if slices.Sort(who.Groups); who.Name != "bob" || !who.Admin || !slices.Contains(who.Groups, "science") {
		t.Errorf("the hub has %+v", who)
	}
	d.does(t, "user", "add", "eve", "--password-file", d.write(t, "eve.password", stage.BobPassword))
	v = newVisitor(t, d.binary)
	if p := v.logIn(v.open("http://localhost:"+port+"/hub/oauth_login"), "eve", stage.BobPassword); p.StatusCode != http.StatusForbidden {
		t.Errorf("eve: %d at %s", p.StatusCode, p.Request.URL)
	}
}

// Gitea: bob is an administrator and in a team by his groups, and neither when they
// end; who is in none is refused.
func TestRecipeGitea(t *testing.T) {
	if out, err := exec.Command("../scripts/build-gitea").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	built := absolute(t, "../.cache/gitea")
	listen, port := freeAddress(t)
	site := "http://localhost:" + port
	d := recipe(t, "gitea", "https://git.example.com", site)
	work := filepath.Join(d.dir, "gitea")
	must(t, os.MkdirAll(filepath.Join(work, "custom", "conf"), 0o755))
	d.write(t, "gitea/custom/conf/app.ini", d.part(t, "Gitea", "ini")+`
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = `+port+`
ROOT_URL = `+site+`/
DISABLE_SSH = true
STATIC_ROOT_PATH = `+built+`/static
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
[cron.update_checker]
ENABLED = false
`)
	env := append(os.Environ(), "PATH="+built+":"+os.Getenv("PATH"), "SSL_CERT_FILE="+d.CA, "GITEA_WORK_DIR="+work, "HOME="+work, "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true")
	does := func(command string) {
		t.Helper()
		cmd := exec.Command("bash", "-ec", command)
		cmd.Env, cmd.Dir = env, work
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	does("gitea migrate")
	does("gitea admin user create --admin --username root-of-all --password " + docSecret + " --email root@example.com --must-change-password=false")
	does(d.part(t, "Gitea", "sh"))
	cmd := exec.Command(built+"/gitea", "web")
	cmd.Env, cmd.Dir = env, work
	launch(t, cmd, d.siteLog(), listen)
	api := func(method, path, body string, status int) (answer []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, site+"/api/v1"+path, strings.NewReader(body))
		must(t, err)
		req.SetBasicAuth("root-of-all", docSecret)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		text := idptest.ReadAll(t, resp)
		if resp.StatusCode != status {
			t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, text)
		}
		return []byte(text)
	}
	api(http.MethodPost, "/orgs", `{"username": "shop"}`, http.StatusCreated)
	api(http.MethodPost, "/orgs/shop/teams", `{"name": "developers", "permission": "write", "units": ["repo.code"]}`, http.StatusCreated)
	is := func(admin, developer bool) {
		t.Helper()
		var who struct {
			Login, Email string
			IsAdmin      bool `json:"is_admin"`
		}
		must(t, json.Unmarshal(api(http.MethodGet, "/users/bob", "", http.StatusOK), &who))
		if who.Login != "bob" || who.Email != "bob@example.com" || who.IsAdmin != admin {
			t.Errorf("Gitea has %+v", who)
		}
		found := string(api(http.MethodGet, "/users/bob/orgs", "", http.StatusOK))
		if strings.Contains(found, `"shop"`) != developer {
			t.Errorf("his organisations: %s", found)
		}
	}
	logIn := func(name string) *idptest.Page {
		t.Helper()
		v := newVisitor(t, d.binary)
		return v.logIn(v.open(site+"/user/oauth2/idp"), name, stage.BobPassword)
	}
	if p := logIn("bob"); p.StatusCode != http.StatusOK || p.Request.URL.Host != "localhost:"+port || !strings.Contains(p.Body, "bob") {
		t.Fatalf("%d at %s, walked %s\n%s", p.StatusCode, p.Request.URL, p.Walked, p.Body)
	}
	is(true, true)
	d.does(t, "user", "set", "bob", "--group", "git-users")
	logIn("bob")
	is(false, false)
	d.does(t, "user", "add", "eve", "--password-file", d.write(t, "eve.password", stage.BobPassword), "--email", "eve@example.com")
	if p := logIn("eve"); !strings.Contains(p.Body, "<title>Sign-In Prohibited") {
		t.Errorf("eve: %d at %s\n%s", p.StatusCode, p.Request.URL, p.Body)
	}
	api(http.MethodGet, "/users/eve", "", http.StatusNotFound)
}
