package setup

import (
	"net/http"
	"strings"
)

// What browsers and systems are called on the set-up page; "" is unknown.
const (
	chrome   = "Chrome"
	chromium = "Chromium"
	edge     = "Edge"
	firefox  = "Firefox"
	safari   = "Safari"

	windows = "Windows"
	macOS   = "macOS"
	linux   = "Linux"
	phone   = "a phone or tablet"
)

// maxUserAgent bounds what is looked at of the headers that name a browser.
const maxUserAgent = 512

// agent is who a browser says it is: good enough to order advice, and for
// nothing else. Only the words above come out of it, nothing that was sent.
type agent struct{ browser, system string }

func (a agent) chromium() bool {
	return a.browser == chrome || a.browser == edge || a.browser == chromium
}

// identify reads the User Agent Client Hints that Chromium's browsers send by
// default (Sec-CH-UA, Sec-CH-UA-Platform), else the User-Agent.
func identify(h http.Header) agent {
	ua, hints, platform := bounded(h, "User-Agent"), bounded(h, "Sec-CH-UA"), bounded(h, "Sec-CH-UA-Platform")
	a := agent{
		browser: first(hints, "Microsoft Edge", edge, "Google Chrome", chrome, "Chromium", chromium),
		system:  first(platform, "Windows", windows, "macOS", macOS, "Android", phone, "iOS", phone, "Linux", linux),
	}
	if a.browser == "" { // the order matters: each of these claims to be those after it
		a.browser = first(ua, "Edg", edge, "Firefox/", firefox, "FxiOS/", firefox, "Chromium/", chromium, "Chrome/", chrome, "CriOS/", chrome, "Safari/", safari)
	}
	if a.system == "" {
		a.system = first(ua, "Android", phone, "iPhone", phone, "iPad", phone, "Windows NT", windows, "Macintosh", macOS, "Linux", linux)
	}
	return a
}

func bounded(h http.Header, name string) string {
	s := h.Get(name)
	return s[:min(len(s), maxUserAgent)]
}

// first goes through pairs of what is looked for and what that means.
func first(s string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.Contains(s, pairs[i]) {
			return pairs[i+1]
		}
	}
	return ""
}
