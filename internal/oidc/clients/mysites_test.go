package clients

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/web"
)

// Of the file and of the database, by name; where the link leads is what is shown.
func TestMySitesAreThoseToGoTo(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	yes := true
	for _, c := range []store.Client{
		{ClientID: "zebra", ClientName: "aardvark", ClientURI: "https://a.example/"},
		{ClientID: "stranger", ClientURI: "https://stranger.example/", Registered: true},
		{ClientID: "vouched", ClientURI: "https://vouched.example/", Registered: true, Trusted: &yes},
		{ClientID: "program", ClientURI: "https://program.example/", GrantTypes: []string{"client_credentials"}},
		{ClientID: "finance", ClientURI: "https://finance.example/", AllowGroups: []string{"finance"}},
		{ClientID: "nowhere", RedirectURIs: []string{"https://nowhere.example/cb"}},
	} {
		if err := st.AddClient(t.Context(), c, store.Entry{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	r := New([]store.Client{{ClientID: "begins", ClientName: "Begins", ClientURI: "https://other.example/", InitiateLoginURI: "https://begins.example/in?iss=x&a=b", RedirectURIs: []string{"https://cb.example/"}}}, st, nil)
	got, err := r.MySites("https://sso.example.com")(t.Context(), &store.User{Name: "alice", Groups: []string{"staff"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []web.MySite{
		{Site: web.Site{Name: "aardvark", Host: "a.example"}, URL: "https://a.example/"},
		{Site: web.Site{Name: "Begins", Host: "begins.example"}, URL: "https://begins.example/in?a=b&iss=https%3A%2F%2Fsso.example.com"},
		{Site: web.Site{Name: "vouched", Host: "vouched.example"}, URL: "https://vouched.example/"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = r.MySites("x")(t.Context(), &store.User{Groups: []string{"finance"}}); err != nil || len(got) != 4 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestInitiateLoginURI(t *testing.T) {
	for uri, ok := range map[string]bool{
		"": true, "https://a.example/login?x=1": true, "http://127.0.0.1:8080/login": true, "http://app.localhost/": true,
		"http://a.example/login": false, "https://a.example/#x": false, "https://alice@a.example/": false, "javascript:alert(1)": false, "/login": false, "https://a_b.example;/": false,
	} {
		if err := checkInitiateLoginURI(&store.Client{InitiateLoginURI: uri}); (err == nil) != ok {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if err := checkRegistered(&store.Client{Registered: true, InitiateLoginURI: "http://127.0.0.1/"}); err == nil {
		t.Error("who registers itself has it on this machine")
	}
}
