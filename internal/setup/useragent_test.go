package setup

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
		want                agent
	}{
		"Chrome by hints":   {win + kit + "Chrome/156.0.0.0 Safari/537.36", hint + `, "Google Chrome";v="156"`, `"Windows"`, agent{chrome, windows}},
		"Chromium by hints": {"Mozilla/5.0 (X11; Linux x86_64) " + kit + "Chrome/156.0.0.0 Safari/537.36", hint, `"Linux"`, agent{chromium, linux}},
		"Edge by hints":     {win + kit + "Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", hint + `, "Microsoft Edge";v="156"`, `"Windows"`, agent{edge, windows}},
		"Edge":              {mac + kit + "Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "", "", agent{edge, macOS}},
		"Chrome":            {mac + kit + "Chrome/156.0.0.0 Safari/537.36", "", "", agent{chrome, macOS}},
		"Firefox":           {"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "", "", agent{firefox, linux}},
		"Safari":            {mac + "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15", "", "", agent{safari, macOS}},
		"iPhone":            {"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1", "", "", agent{safari, phone}},
		"Chrome on iPhone":  {"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/156.0 Mobile/15E148 Safari/604.1", "", "", agent{chrome, phone}},
		"Android":           {"Mozilla/5.0 (Linux; Android 16; K) " + kit + "Chrome/156.0.0.0 Mobile Safari/537.36", hint + `, "Google Chrome";v="156"`, `"Android"`, agent{chrome, phone}},
		"curl":              {"curl/8.14.1", "", "", agent{}},
		"behind the bound":  {strings.Repeat("x", maxUserAgent) + "Firefox/153.0 Linux", "", "", agent{}},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"User-Agent": {c.ua}, "Sec-Ch-Ua": {c.hints}, "Sec-Ch-Ua-Platform": {c.platform}}
			if got := identify(h); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
