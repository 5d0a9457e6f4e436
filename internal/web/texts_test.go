package web

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheCompanysOwnWordsAndLogos(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"logo.svg", "dark.svg"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`<svg xmlns="http://www.w3.org/2000/svg"><title>`+name+`</title></svg>`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := NewPages(Brand{Name: "Example Ltd", Logo: filepath.Join(dir, "logo.svg"), LogoDark: filepath.Join(dir, "dark.svg"), Texts: Texts{
		LoginTitle: "Log in to Example", LoginIntro: "For everybody who works with us, or for us.", Footer: "Example Ltd & Sons, Exampleton", Support: "Call 555 0100 and read this out."}})
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]string{}
	for _, s := range states() {
		body[s.Name] = show(t, p, s).Body.String()
		if !strings.Contains(body[s.Name], "Example Ltd &amp; Sons, Exampleton") {
			t.Errorf("%s: no footer", s.Name)
		}
		if strings.Contains(body[s.Name], "Reference: ") != strings.Contains(body[s.Name], "555 0100") {
			t.Errorf("%s: a reference without whom to read it to, or the other way round", s.Name)
		}
		checkHTML(t, body[s.Name])
	}
	if !strings.Contains(body["login"], "<h1>Log in to Example</h1>") || !strings.Contains(body["login"], "<p>For everybody who works with us") || !strings.Contains(body["login"], "<title>Log in to Example") {
		t.Errorf("the login page:\n%s", body["login"])
	}
	if strings.Contains(body["login-fresh"], "For everybody") || !strings.Contains(body["login-fresh"], "<h1>Confirm that it is you</h1>") {
		t.Errorf("whoever is logged in:\n%s", body["login-fresh"])
	}
	for address, want := range map[string]string{p.logo: "logo.svg", p.logoDark: "dark.svg"} {
		w := httptest.NewRecorder()
		p.Static().ServeHTTP(w, httptest.NewRequest("GET", address, nil))
		if !strings.Contains(body["login"], `"`+address+`"`) || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not on the page, or not %s: %s", address, want, w.Body)
		}
	}
}

func TestTextsThatDoNotFit(t *testing.T) {
	for want, texts := range map[string]Texts{
		"brand.texts.login_title: has 61 characters, and room for 60": {LoginTitle: strings.Repeat("ß", 61)},
		"brand.texts.login_intro: want one line of plain text":        {LoginIntro: "one\ntwo"},
		"brand.texts.footer: want plain text, without < and >":        {Footer: "<b>bold</b>"},
		"brand.texts.support: want one line of plain text":            {Support: "turned \u202e round"},
	} {
		if _, err := NewPages(Brand{Texts: texts}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", texts, err, want)
		}
	}
	if _, err := NewPages(Brand{Texts: Texts{LoginTitle: strings.Repeat("ß", 60)}}); err != nil {
		t.Error(err)
	}
}
