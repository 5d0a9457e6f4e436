package sites

import (
	"slices"
	"strings"
	"testing"
)

func TestReadings(t *testing.T) {
	for raw, also := range map[string][]string{
		"/public/report.html":          nil,
		"/public/../admin/":            {"/admin/"},
		"/public/%2e%2e/admin/":        {"/admin/"},
		"/public/%252e%252e/admin/":    {"/admin/"},
		"/public%2f..%2fadmin":         {"/admin"},
		"//admin/":                     {"/admin/"},
		"/./admin/":                    {"/admin/"},
		"/admin;x=1/":                  {"/admin/"},
		"/public/..;/admin/":           {"/admin/"},
		"/public/%2e%2e;/admin/":       {"/admin/"},
		"/public/%2e%2e%3b/admin/":     {"/admin/"},
		"/admin#x":                     {"/admin"},
		"/admin%23x":                   {"/admin"},
		"/admin%253fx":                 {"/admin"},
		"/%61dmin/":                    {"/admin/"},
		"/%2561dmin/":                  {"/admin/"},
		`/public\..\admin\`:            {"/admin/"},
		"/public%5c..%5cadmin":         {"/admin"},
		"/ａｄｍｉｎ/":                      {"/admin/"},
		"/%ef%bd%81dmin/":              {"/admin/"},
		"/api/v4/projects/a%2fb/files": {"/api/v4/projects/a/b/files"},
		"/a/..":                        {"/"},
		"//h/admin":                    {"/h/admin", "/admin"},
		"///h":                         {"/h", "/"},
		"/x/../admin//../y":            {"/y", "/admin/y"},
		"/x/.//../y/.":                 {"/y/", "/x/y/"},
		"/x/%2e%2e/admin/%2e%2e%2fy":   {"/y", "/admin/..%2fy"},
		"/x/../admin;/../y":            {"/y", "/admin"},
		"/\u2025/x":                    {"/../x", "/x"},
	} {
		list, ok := readings(raw)
		if !ok || list[0] != raw {
			t.Errorf("readings(%q) = %q, %v", raw, list, ok)
		}
		for _, want := range also {
			if !slices.Contains(list, want) {
				t.Errorf("readings(%q) = %q, without %q", raw, list, want)
			}
		}
		if also == nil && len(list) > 1 {
			t.Errorf("readings(%q) = %q, want one", raw, list)
		}
	}
}

func TestPathsThatCannotBeTold(t *testing.T) {
	for _, raw := range []string{"", "admin", "*", "/%00", "/admin%00.html", "/%c0%af", "/%e9", "/a\x01", "/%u002fadmin", strings.Repeat("/%2525252525252525252e%2e;A\\", 20), "/" + strings.Repeat("A;%2525252541\\/./", 1000)} {
		if list, ok := readings(raw); ok {
			t.Errorf("readings(%q) = %q, want none", raw, list)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		path, rule string
		want       bool
	}{
		{"/admin/", "/admin/", true}, {"/admin", "/admin/", true}, {"/admin/x", "/admin", true}, {"/administrator", "/admin", false},
		{"/x", "/", true}, {"/", "/", true}, {"/public", "/public/a", false},
	} {
		if got := below(c.path, c.rule); got != c.want {
			t.Errorf("below(%q, %q) = %v", c.path, c.rule, got)
		}
	}
}

func FuzzReadings(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2e/", "/;/x", "//", "/A%41", "/\\", "/%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		list, ok := readings(raw)
		if !ok {
			return
		}
		for _, p := range list { // every reading's readings are among them
			for _, other := range respell(p) {
				if !slices.Contains(list, other) {
					t.Errorf("%q has the reading %q, and not %q", raw, p, other)
				}
			}
		}
	})
}
