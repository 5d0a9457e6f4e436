package story

import (
	"html"
	"net/url"
	"regexp"
	"strings"
)

var (
	formTag  = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input([^>]*)>`)
	attr     = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// loginFormOf finds the form with a password field: where it is sent to, and its
// hidden fields as name=value. Regular expressions will do for pages we know.
func loginFormOf(page string) (action string, fields []string, ok bool) {
	for _, form := range formTag.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(form[2], `name="password"`) {
			continue
		}
		for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
			if a := attributes(input[1]); a["type"] == "hidden" {
				fields = append(fields, a["name"]+"="+a["value"])
			}
		}
		return attributes(form[1])["action"], fields, true
	}
	return "", nil, false
}

func attributes(tag string) map[string]string {
	out := map[string]string{}
	for _, m := range attr.FindAllStringSubmatch(tag, -1) {
		out[m[1]] = html.UnescapeString(m[2])
	}
	return out
}

// resolve is the address a link on a page leads to.
func resolve(page, link string) string {
	base, err := url.Parse(page)
	if err != nil {
		return link
	}
	u, err := base.Parse(link)
	if err != nil {
		return link
	}
	return u.String()
}
