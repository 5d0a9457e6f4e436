package web

import (
	"net/http"
	"strings"
)

// Is it a browser that asks, or a program? A program sends what was put into it. A
// browser sends what it has, a ticket, a password, cookies, in the name of whatever page
// made it ask. Nothing in a request proves that it is a program's, so there are three
// questions, and each is for where its mistakes do no harm:
//
//   - FromBrowser: it says so. Wrong of old browsers, so nothing that a page must not
//     get at may hang on it alone.
//   - FromPage: a page may have made a browser send it. Right of every POST.
//   - Program: it has no sign of a browser, not of an old one either. Right of every
//     method, and wrong of programs that are called Mozilla.

// FromBrowser reports whether a request carries Fetch metadata, as those of all
// browsers since 2023 do.
func FromBrowser(r *http.Request) bool {
	h := r.Header
	return h.Get("Sec-Fetch-Mode") != "" || h.Get("Sec-Fetch-Dest") != "" || h.Get("Sec-Fetch-Site") != ""
}

// FromPage reports whether a request has what only browsers add: an Origin, which every
// POST of theirs has (Fetch §3.1), or a header that no script can set (Fetch Metadata
// Request Headers §2). Programs send neither.
func FromPage(r *http.Request) bool {
	if len(r.Header["Origin"]) > 0 {
		return true
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "Sec-") {
			return true
		}
	}
	return false
}

// Program reports whether a request is no browser's: what it shows of itself
// (Authorization) was meant for where it was sent, and sent on purpose. Old browsers are
// known by their name only, which begins alike in all of them; PowerShell has taken it
// over.
func Program(r *http.Request) bool {
	h := r.Header
	agent := h.Get("User-Agent")
	named := strings.HasPrefix(agent, "Mozilla/") && !strings.Contains(agent, "PowerShell/")
	return !named && !FromBrowser(r) && h.Get("Origin") == "" && h.Get("X-Requested-With") == "" && h.Get("Referer") == ""
}

// Navigation reports whether somebody opens a page, or a program that sends no
// Fetch metadata asks plainly. What a script, a picture or a frame of another
// site asks for is not challenged for a ticket and starts no login.
func Navigation(r *http.Request) bool {
	if !FromBrowser(r) {
		return r.Method == http.MethodGet && r.Header.Get("X-Requested-With") == ""
	}
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// ShowsPages reports whether somebody is there to read a page: in a browser, which says so
// by Fetch metadata and, before these were there, by wanting HTML, which programs do not.
func ShowsPages(r *http.Request) bool {
	return FromBrowser(r) || strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("Origin") == ""
}

// NotANavigation refuses to start a login for what is no page.
func NotANavigation() error {
	return &Error{
		Status: http.StatusForbidden, Code: "NOT_A_NAVIGATION", Title: "Log in by opening the page",
		Message: "This address logs people in when they open it as a page, not when a script, a picture or a frame asks for it.",
	}
}
