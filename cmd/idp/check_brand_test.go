package main

import (
	"strings"
	"testing"
)

func TestCheckOfTheBrand(t *testing.T) {
	p := newPlace(t, `brand:
  logo_dark: logo.svg
  help: help.example.com
  texts:
    login_title: "`+strings.Repeat("x", 61)+`"
    footer: <b>Example</b>
    support: Call 555 0100.
`)
	p.write("logo.svg", "<svg/>")
	_, errs, err := p.run("", "check")
	for _, want := range []string{
		"idp.yaml:4: brand.logo_dark: there is no brand.logo", "idp.yaml:5: brand.help: want an address that begins with https://",
		"idp.yaml:7: brand.texts.login_title: has 61 characters", "idp.yaml:8: brand.texts.footer: want plain text",
	} {
		if strings.Count(errs, want) != 1 {
			t.Errorf("check mentions %q %d times, want once:\n%s", want, strings.Count(errs, want), errs)
		}
	}
	if err == nil || strings.Count(errs, "\n") != 5 {
		t.Errorf("%v, want four problems and how many they are:\n%s", err, errs)
	}
}
