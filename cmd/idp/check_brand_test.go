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
	p.Write("logo.svg", "<svg/>")
	_, errs, err := p.Run("", "check")
	for _, want := range []string{
		"idp.yaml:4: brand.logo_dark: there is no brand.logo",
		"idp.yaml:7: brand.texts.login_title: has 61 characters", "idp.yaml:8: brand.texts.footer: want plain text",
	} {
		if strings.Count(errs, want) != 1 {
			t.Errorf("check mentions %q %d times, want once:\n%s", want, strings.Count(errs, want), errs)
		}
	}
	if err == nil || strings.Count(errs, "\n") != 4 {
		t.Errorf("%v, want three problems and how many they are:\n%s", err, errs)
	}
	p.Write("idp.yaml", "brand: {help: help.example.com}\n")
	out, errs, err := p.Run("", "check")
	if err != nil || !strings.Contains(out+errs, "brand.help: is no address") {
		t.Errorf("help that is no address is no more than a warning, for old files have it: %v\n%s%s", err, out, errs)
	}
}
