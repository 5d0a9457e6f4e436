// Package useragent says in plain words what a browser claims to be: good enough to
// order advice, and for somebody to recognise their own devices in a list; proof of
// nothing. Only words that stand here come out of it, nothing that was sent.
package useragent

import (
	"net/http"
	"strings"
)

// What browsers and systems are called; "" is unknown.
const (
	Chrome   = "Chrome"
	Chromium = "Chromium"
	Edge     = "Edge"
	Firefox  = "Firefox"
	Safari   = "Safari"
	Opera    = "Opera"
	Samsung  = "Samsung Internet"

	Windows  = "Windows"
	MacOS    = "macOS"
	Linux    = "Linux"
	ChromeOS = "ChromeOS"
	Android  = "Android"
	IPhone   = "an iPhone"
	IPad     = "an iPad"
)

// maxUserAgent bounds what is looked at of the headers that name a browser.
const maxUserAgent = 512

// Agent is who a browser says it is.
type Agent struct{ Browser, System string }

// IsChromium reports whether the browser obeys Chromium's policies.
func (a Agent) IsChromium() bool {
	return a.Browser == Chrome || a.Browser == Edge || a.Browser == Chromium
}

// IsPhone reports whether it runs on a phone or a tablet.
func (a Agent) IsPhone() bool {
	return a.System == Android || a.System == IPhone || a.System == IPad
}

// String is "Firefox on Windows"; what is not known is said to be so.
func (a Agent) String() string {
	switch {
	case a == Agent{}:
		return "an unknown browser or program"
	case a.System == "":
		return a.Browser
	case a.Browser == "":
		return "an unknown browser on " + a.System
	}
	return a.Browser + " on " + a.System
}

// Identify reads the User Agent Client Hints that Chromium's browsers send by
// default (Sec-CH-UA, Sec-CH-UA-Platform), else the User-Agent.
func Identify(h http.Header) Agent {
	hints, platform := bounded(h.Get("Sec-CH-UA")), bounded(h.Get("Sec-CH-UA-Platform"))
	a, said := Agent{
		Browser: first(hints, "Microsoft Edge", Edge, "Opera", Opera, "Samsung Internet", Samsung, "Google Chrome", Chrome, "Chromium", Chromium),
		System:  first(platform, "Windows", Windows, "macOS", MacOS, "Android", Android, "iOS", IPhone, "Chrome OS", ChromeOS, "Linux", Linux),
	}, Parse(h.Get("User-Agent"))
	if a.Browser == "" {
		a.Browser = said.Browser
	}
	if a.System == "" {
		a.System = said.System
	}
	return a
}

// Parse reads a User-Agent alone, as it is kept of a session. The order matters: each
// browser claims to be those after it.
func Parse(userAgent string) Agent {
	ua := bounded(userAgent)
	return Agent{
		Browser: first(ua, "Edg", Edge, "OPR/", Opera, "SamsungBrowser/", Samsung, "Firefox/", Firefox, "FxiOS/", Firefox,
			"Chromium/", Chromium, "Chrome/", Chrome, "CriOS/", Chrome, "Safari/", Safari),
		System: first(ua, "Android", Android, "iPhone", IPhone, "iPad", IPad, "Windows NT", Windows, "Macintosh", MacOS, "CrOS", ChromeOS, "Linux", Linux),
	}
}

func bounded(s string) string { return s[:min(len(s), maxUserAgent)] }

// first goes through pairs of what is looked for and what that means.
func first(s string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.Contains(s, pairs[i]) {
			return pairs[i+1]
		}
	}
	return ""
}
