package server

import (
	"net/url"
	"slices"
	"strings"

	"idp/internal/config"
	"idp/internal/web"
)

// brand is how the company's pages look, for those who render them.
func brand(c *config.Config) web.Brand {
	b := c.Brand
	return web.Brand{Name: companyName(c), Logo: b.Logo, LogoDark: b.LogoDark, Accent: b.Accent, Help: b.Help, Texts: web.Texts(b.Texts)}
}

// checkBrand tries what is configured one by one, for all of it may be wrong.
func checkBrand(c *config.Config) (problems config.Problems) {
	b := brand(c)
	for _, try := range []struct {
		key   string
		brand web.Brand
	}{
		{"brand.accent", web.Brand{Accent: b.Accent}},
		{"brand.logo", web.Brand{Logo: b.Logo}},
		{"brand.logo_dark", web.Brand{LogoDark: b.LogoDark}},
		{"brand.texts.login_title", web.Brand{Texts: web.Texts{LoginTitle: b.Texts.LoginTitle}}},
		{"brand.texts.login_intro", web.Brand{Texts: web.Texts{LoginIntro: b.Texts.LoginIntro}}},
		{"brand.texts.footer", web.Brand{Texts: web.Texts{Footer: b.Texts.Footer}}},
		{"brand.texts.support", web.Brand{Texts: web.Texts{Support: b.Texts.Support}}},
	} {
		if err := try.brand.Check(); err != nil {
			problems = append(problems, c.Problem("$."+try.key, strings.TrimLeft(strings.TrimPrefix(err.Error(), try.key), ": "), ""))
		}
	}
	if b.LogoDark != "" && b.Logo == "" {
		problems = append(problems, c.Problem("$.brand.logo_dark", "there is no brand.logo for light pages", ""))
	}
	return problems
}

// brandWarnings: pages show what is no address as a link to nowhere.
func brandWarnings(c *config.Config) config.Problems {
	u, err := url.Parse(c.Brand.Help)
	if c.Brand.Help == "" || (err == nil && slices.Contains([]string{"https", "http", "mailto"}, u.Scheme)) {
		return nil
	}
	return config.Problems{c.Problem("$.brand.help", "is no address: it begins with https://, http:// or mailto:", "")}
}
