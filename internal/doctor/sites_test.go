package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"idp/internal/doctor"
)

// TestSites: proxies that serve a protected site rightly and wrongly. What idp answers
// to them is tested where it is made (package forwardauth).
func TestSites(t *testing.T) {
	in := newInstallation(t)
	say := func(reason, location string, status int, open bool) []string {
		t.Helper()
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/.idp/denied" {
				w.Header().Set("Idp-Reason", reason)
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}))
		defer site.Close()
		in.Sites = []doctor.Site{{Origin: site.URL, Ours: "/.idp/denied", Start: "/.idp/start", Header: "Idp-Reason", Open: open}}
		return in.say("sites")
	}
	wants(t, say("NOT_ALLOWED", "/.idp/start?to=%2F", 303, false), "ok http://127.0.0.1:")
	wants(t, say("NOT_ALLOWED", "", 200, true), "ok http://127.0.0.1:")
	wants(t, say("NOT_ALLOWED", "", 200, false), "failed lets strangers in")
	wants(t, say("NOT_ALLOWED", "", 401, false), "warning does not lead people to the login")
	wants(t, say("NOT_ALLOWED", "", 500, false), "failed answers 500")
	wants(t, say("PROXY_NOT_TRUSTED", "", 303, false), "failed idp does not know the proxy")
	wants(t, say("UNKNOWN_SITE", "", 303, false), "failed another address (UNKNOWN_SITE)")
	wants(t, say("", "", 200, false), "failed is not answered by idp (403)")
	in.Sites = []doctor.Site{{Origin: "http://127.0.0.1:1"}}
	wants(t, in.say("sites"), "warning does not answer")
}
