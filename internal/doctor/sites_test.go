package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"idp/internal/doctor/site"
)

// TestSites: proxies that serve a protected site rightly and wrongly. What idp answers
// to them is tested where it is made (package forwardauth).
func TestSites(t *testing.T) {
	in := newInstallation(t)
	say := func(start func(w http.ResponseWriter), location string, status int, open bool) []string {
		t.Helper()
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") == "c=1; c=2" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			if r.URL.Path == "/.idp/start" {
				start(w)
				return
			}
			w.Header().Set("Location", strings.Replace(location, "SITE", "http://"+r.Host, 1))
			w.WriteHeader(status)
		}))
		defer front.Close()
		in.Sites = []site.Site{{Origin: front.URL, Start: "/.idp/start", Header: "Idp-Reason", Twice: "c=1; c=2", Open: open}}
		return in.say("sites")
	}
	back := "SITE"
	good := func(w http.ResponseWriter) {
		w.Header().Set("Location", in.Issuer+"/authorize?redirect_uri="+url.QueryEscape(strings.Replace(back, "SITE", in.Sites[0].Origin, 1)+"/.idp/callback"))
		w.WriteHeader(http.StatusSeeOther)
	}
	refused := func(reason string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Idp-Reason", reason)
			w.WriteHeader(http.StatusForbidden)
		}
	}
	wants(t, say(good, "SITE/.idp/start?to=%2F", 303, false), "ok http://127.0.0.1:")
	wants(t, say(good, "", 200, true), "ok http://127.0.0.1:")
	wants(t, say(good, "", 200, false), "failed lets strangers in")
	wants(t, say(good, "", 401, false), "warning does not lead people to the login")
	wants(t, say(good, "https://other.example/.idp/start?to=%2F", 303, false), "failed leads strangers to https://other.example")
	wants(t, say(good, "", 500, false), "failed answers 500")
	wants(t, say(refused("PROXY_NOT_TRUSTED"), "", 303, false), "failed idp does not know the proxy")
	wants(t, say(refused("UNKNOWN_SITE"), "", 303, false), "failed a host that is not 127.0.0.1:")
	wants(t, say(refused("NOT_ROUTED"), "", 303, false), "failed does not lead there: nobody can log in")
	wants(t, say(refused("LOGIN_REQUIRED"), "", 303, false), "failed does not lead there: nobody can log in")
	wants(t, say(func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, "", 200, false), "failed lets strangers in", "failed is not answered by idp (200)")
	wants(t, say(refused("INSECURE"), "", 200, false), "failed lets strangers in", "failed does not tell idp that browsers come by http (INSECURE): nobody can log in")
	wants(t, say(refused("INSECURE"), "", 200, true), "failed (INSECURE): nobody can log in")
	wants(t, say(good, "", 404, false), "failed answers 404 to a stranger, which is not idp's word")
	wants(t, say(good, "/app/", 302, false), "failed leads strangers to /app/, which is not idp's word")
	for back = range map[string]bool{"https://127.0.0.1": true, "http://other.example": true, "://": true} {
		wants(t, say(good, "SITE/.idp/start?to=%2F", 303, false), "failed nobody comes back")
	}
	in.Sites = []site.Site{{Origin: "http://127.0.0.1:1"}}
	wants(t, in.say("sites"), "warning does not answer")
}
