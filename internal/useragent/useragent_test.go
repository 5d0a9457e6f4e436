package useragent

import (
	"net/http"
	"strings"
	"testing"
)

func TestBrowsersAreToldApart(t *testing.T) {
	const (
		mac  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
		win  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
		kit  = "AppleWebKit/537.36 (KHTML, like Gecko) "
		hint = `"Not=A?Brand";v="24", "Chromium";v="156"`
	)
	for name, c := range map[string]struct {
		ua, hints, platform string
		want                Agent
	}{
		"Chrome by hints":   {win + kit + "Chrome/156.0.0.0 Safari/537.36", hint + `, "Google Chrome";v="156"`, `"Windows"`, Agent{Chrome, Windows}},
		"Chromium by hints": {"Mozilla/5.0 (X11; Linux x86_64) " + kit + "Chrome/156.0.0.0 Safari/537.36", hint, `"Linux"`, Agent{Chromium, Linux}},
		"Edge by hints":     {win + kit + "Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", hint + `, "Microsoft Edge";v="156"`, `"Windows"`, Agent{Edge, Windows}},
		"Edge":              {mac + kit + "Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "", "", Agent{Edge, MacOS}},
		"Chrome":            {mac + kit + "Chrome/156.0.0.0 Safari/537.36", "", "", Agent{Chrome, MacOS}},
		"Firefox":           {"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "", "", Agent{Firefox, Linux}},
		"Safari":            {mac + "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15", "", "", Agent{Safari, MacOS}},
		"iPhone":            {"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1", "", "", Agent{Safari, IPhone}},
		"Chrome on iPhone":  {"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/156.0 Mobile/15E148 Safari/604.1", "", "", Agent{Chrome, IPhone}},
		"Android":           {"Mozilla/5.0 (Linux; Android 16; K) " + kit + "Chrome/156.0.0.0 Mobile Safari/537.36", hint + `, "Google Chrome";v="156"`, `"Android"`, Agent{Chrome, Android}},
		"curl":              {"curl/8.14.1", "", "", Agent{}},
		"behind the bound":  {strings.Repeat("x", maxUserAgent) + "Firefox/153.0 Linux", "", "", Agent{}},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"User-Agent": {c.ua}, "Sec-Ch-Ua": {c.hints}, "Sec-Ch-Ua-Platform": {c.platform}}
			if got := Identify(h); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// What a list of devices says: of what is not known, that it is not.
func TestAnAgentInWords(t *testing.T) {
	for ua, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0":                                                    "Firefox on Windows",
		"Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1":                          "Safari on an iPad",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                      "Chrome on ChromeOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 OPR/122.0.0.0":       "Opera on Windows",
		"Mozilla/5.0 (Linux; Android 16; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/30.0 Chrome/150.0 Mobile Safari/537": "Samsung Internet on Android",
		"Something/1.0 (X11; Linux x86_64)": "an unknown browser on Linux",
		"Firefox/153.0":                     "Firefox",
		"curl/8.14.1":                       "an unknown browser or program",
		"":                                  "an unknown browser or program",
		"<script>alert(1)</script>":         "an unknown browser or program",
	} {
		if got := Parse(ua).String(); got != want {
			t.Errorf("%s: %q, want %q", ua, got, want)
		}
	}
}
