package account_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/store"
)

// mine are relying parties for the start page.
const mine = `  - client_id: board
    client_name: Board
    client_secret_file: wiki.secret
    redirect_uris: [https://board.example.com/cb]
    client_uri: https://board.example.com/
  - client_id: ledger
    client_name: Ledger
    client_secret_file: wiki.secret
    redirect_uris: [https://ledger.example.com/cb]
    client_uri: https://ledger.example.com/about
    initiate_login_uri: https://ledger.example.com/login?tenant=1
    allow_groups: [finance]
  - client_id: robot
    client_name: Robot
    client_secret_file: wiki.secret
    grant_types: [client_credentials]
    client_uri: https://robot.example.com/
`

func TestTheStartPageListsOnesSites(t *testing.T) {
	s := idptest.Start(t, idptest.Options{Users: people, Clients: mine})
	b := s.Browser(t)
	page := b.LogIn(b.Get("/"), "carol", idptest.BobPassword)
	shows(t, page, "My sites (2)", `<a href="https://board.example.com/" rel="noreferrer"><strong>Board</strong> <span class="host">board.example.com</span>`,
		`href="https://ledger.example.com/login?iss=`+url.QueryEscape(s.Issuer)+`&amp;tenant=1"`, "-Wiki", "-Robot", "-about", "-Search")
	if page.Request.URL.Path != "/" {
		t.Errorf("came back to %s", page.Request.URL)
	}
	shows(t, loggedIn(t, s, "dave", firefox).Get("/"), "My sites (1)", "Board", "-Ledger")
	s = idptest.Start(t, idptest.Options{})
	shows(t, loggedIn(t, s, "bob", firefox).Get("/"), "Nothing is listed for you yet", `href="/account"`)
}

// TestHoleStartPageAdvertisesAStranger: who registers itself is on nobody's start page
// before an administrator has vouched for it.
func TestHoleStartPageAdvertisesAStranger(t *testing.T) {
	var ahead atomic.Int64
	s := idptest.Start(t, idptest.Options{YAML: "registration: {initial_access_token_file: wiki.secret}\n",
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	const body = `{"client_name":"Bank of Example","redirect_uris":["https://app.example.net/cb"],"client_uri":"https://app.example.net/","initiate_login_uri":"https://app.example.net/login"}`
	id := register(t, s, body)
	b := loggedIn(t, s, "bob", firefox)
	shows(t, b.Get("/"), "-Bank of Example", "-app.example.net")
	client, err := s.Store().ClientByID(t.Context(), id)
	if err != nil || client.InitiateLoginURI != "https://app.example.net/login" {
		t.Fatalf("%+v %v", client, err)
	}
	ahead.Add(int64(time.Second)) // for which a node keeps what it knows of relying parties
	yes := true
	client.Trusted = &yes
	if err := s.Store().UpdateClient(t.Context(), *client, false, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	shows(t, b.Get("/"), "Bank of Example", "https://app.example.net/login?iss=")
}

// register registers a relying party and returns its id.
func register(t *testing.T, s *idptest.Server, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Issuer+"/register", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+idptest.WikiSecret)
	resp, err := (&http.Client{Transport: idptest.Transport()}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text := idptest.ReadAll(t, resp)
	var got struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.ID == "" {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	return got.ID
}

func TestManySitesAreSearched(t *testing.T) {
	var clients strings.Builder
	for i := range 70 {
		fmt.Fprintf(&clients, "  - {client_id: s%d, client_name: Site %02d, client_secret_file: wiki.secret, redirect_uris: [\"https://s%d.example.com/cb\"], client_uri: \"https://s%d.example.com/\"}\n", i, i, i, i)
	}
	s := idptest.Start(t, idptest.Options{Clients: clients.String()})
	b := loggedIn(t, s, "bob", firefox)
	page := b.Get("/")
	shows(t, page, "My sites (70)", "The first 60 of 70", "Site 59", "-Site 60")
	if len(page.Body) > 30<<10 {
		t.Errorf("the page weighs %d bytes", len(page.Body))
	}
	shows(t, b.Get("/?q=site+65"), "Site 65", "-Site 64", "Show all")
	shows(t, b.Get("/?q="+url.QueryEscape(`<b>"`)), "No site of yours is called", "-<b>")
	shows(t, b.Get("/?q=s"+strings.Repeat("%FF", 200)), "Found for “s”")
}
