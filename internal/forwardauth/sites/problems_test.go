package sites

import (
	"net/url"
	"strings"
	"testing"
)

func TestProblemsOfTheSection(t *testing.T) {
	issuer, err := url.Parse("https://sso.example.com")
	if err != nil {
		t.Fatal(err)
	}
	name := func(s string) *string { return &s }
	for _, c := range []struct {
		site Site
		want string // how the one problem begins: field, text; empty: none
	}{
		{Site{Host: "reports.example.com", Rules: []Rule{{Path: "/public/", Allow: "anyone"}}}, ""},
		{Site{Host: "reports.example.com:8443", ACR: "mfa"}, ""},
		{Site{Host: "[2001:db8::1]:8443"}, ""},
		{Site{}, "host is missing"},
		{Site{Host: "Reports.example.com"}, "host "},
		{Site{Host: "https://reports.example.com"}, "host "},
		{Site{Host: "reports.example.com/"}, "host "},
		{Site{Host: "reports.example.com:"}, "host "},
		{Site{Host: "reports.example.com:0"}, "host "},
		{Site{Host: "reports.example.com:443"}, "host \"reports.example.com:443\" has the port"},
		{Site{Host: "[2001:db8::443]"}, ""},
		{Site{Host: "*.example.com"}, "host "},
		{Site{Host: "sso.example.com:8443"}, "host is the issuer's"},
		{Site{Host: "a.example", ACR: "2"}, "acr "},
		{Site{Host: "a.example", Headers: Headers{User: name("Remote_User")}}, "headers.user "},
		{Site{Host: "a.example", Headers: Headers{User: name("Cookie")}}, "headers.user "},
		{Site{Host: "a.example", Headers: Headers{User: name("X-User"), Name: name("x-user")}}, "headers.name "},
		{Site{Host: "a.example", Headers: Headers{User: name("")}}, ""},
		{Site{Host: "a.example", Rules: []Rule{{Path: "public"}}}, "rules[0].path "},
		{Site{Host: "a.example", Rules: []Rule{{Path: "/a/../b"}}}, "rules[0].path "},
		{Site{Host: "a.example", Rules: []Rule{{Path: "/*"}}}, "rules[0].path "},
		{Site{Host: "a.example", Rules: []Rule{{Path: "/%61"}}}, "rules[0].path "},
		{Site{Host: "a.example", Rules: []Rule{{Path: "/a", Allow: "everyone"}}}, "rules[0].allow "},
		{Site{Host: "a.example", Rules: []Rule{{Path: "/a", Allow: "users", Groups: []string{"x"}}}}, "rules[0].allow "},
		{Site{Host: "a.example", Rules: []Rule{{Path: "/a", Allow: "anyone", ACR: "mfa"}}}, "rules[0].acr "},
	} {
		found := Config{c.site}.Problems(issuer)
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%+v: %+v", c.site, found)
		case c.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].Field+" "+found[0].Text, c.want)):
			t.Errorf("%+v: %+v, want %q", c.site, found, c.want)
		}
	}
	if found := (Config{{Host: "a.example:1"}, {Host: "a.example:2"}}).Problems(issuer); len(found) != 1 {
		t.Errorf("two ports of one host: %+v", found)
	}
	if found := (Config{{Host: "a.example", Rules: []Rule{{Path: "/"}, {Path: "/admin"}}}}).Problems(issuer); len(found) != 1 || found[0].Field != "rules[1].path" {
		t.Errorf("a rule that never decides: %+v", found)
	}
	if found := (Config{{Host: "a.example", Headers: Headers{User: name("X-User"), Email: name("")}}, {Host: "b.example"}}).Warnings(); len(found) != 1 || found[0].Field != "headers.user" {
		t.Errorf("a name that shipped proxies pass on: %+v", found)
	}
}
