package web

import (
	"strings"
	"time"
)

// factorStates are the pages of second factors in every state.
func factorStates() []state {
	since := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	step := FactorStep{Action: "/factor", FormToken: "token", LoginID: "id", Site: &Site{Name: "Wiki", Host: "wiki.example.com"}, User: "alice",
		StartURL: "/factor?login=id", OtherURL: "/login?login=id&other=1", Reference: "2026-11-23 08:30:00 UTC, 6nq2TtYvQJ"}
	wrong := step
	wrong.Notice = &Notice{Kind: "error", Title: "The code is wrong", Text: "Check it and try again. Codes of an app change every half minute.",
		Hint: "If codes are wrong again and again, have your phone set its clock by itself."}
	own := step
	own.LoginID, own.Site, own.StartURL = "", nil, "/account/factors"
	setup := FactorSetupPage{FactorStep: step, QR: "M4 4h7v1h-7zM5 6h3v1h-3z", QRSize: 49, Key: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
		URI: "otpauth://totp/Example%20Ltd:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example%20Ltd&algorithm=SHA1&digits=6&period=30"}
	again, mine := setup, setup
	again.FactorStep = wrong
	mine.FactorStep, mine.Name, mine.Own = own, "Authenticator app", true
	codes := strings.Fields(strings.Repeat("0123-4567-89AB-CDEF ", 10))
	app := Factor{URL: "/account/factors/change/a", Name: "Phone", Kind: "Authenticator app", Since: since, Used: since.Add(time.Hour)}
	long := Factor{URL: "/account/factors/change/b", Name: strings.Repeat("Unbreakably", 6), Kind: "Authenticator app", Since: since}
	list := FactorsPage{AccountFrame: AccountFrame{Here: "/account/factors", User: "alice"}, AppURL: "/account/factors/app", RecoveryURL: "/account/factors/recovery"}
	some := list
	some.Factors, some.Recovery, some.Notice = []Factor{app, long}, 9, &Notice{Kind: "info", Title: "Renamed"}
	change := FactorChangePage{FormToken: "token", BackURL: "/account/factors", User: "alice", Factor: app}
	last, needed := change, change
	last.Last, needed.Last, needed.Needed = true, true, true
	return []state{
		{"factor-code", "factor", 200, FactorPage{FactorStep: step, HasCode: true, RecoveryURL: "/factor?login=id&with=recovery"}},
		{"factor-code-wrong", "factor", 200, FactorPage{FactorStep: wrong, HasCode: true}},
		{"factor-recovery", "factor", 200, FactorPage{FactorStep: step, HasCode: true, Recovery: true}},
		{"factor-recovery-wrong", "factor", 200, FactorPage{FactorStep: wrong, HasCode: true, Recovery: true}},
		{"factor-code-first", "factor", 200, FactorPage{FactorStep: step, HasCode: true, NeedsPasskey: true}},
		{"factorsetup", "factorsetup", 200, setup},
		{"factorsetup-wrong", "factorsetup", 200, again},
		{"factorsetup-own", "factorsetup", 200, mine},
		{"recoverycodes", "recoverycodes", 200, RecoveryCodesPage{FactorStep: step, Codes: codes}},
		{"recoverycodes-own", "recoverycodes", 200, RecoveryCodesPage{FactorStep: own, Codes: codes, Own: true}},
		{"securityfactors", "securityfactors", 200, some},
		{"securityfactors-none", "securityfactors", 200, list},
		{"securityfactor", "securityfactor", 200, change},
		{"securityfactor-last", "securityfactor", 200, last},
		{"securityfactor-needed", "securityfactor", 200, needed},
		{"securityrecovery", "securityrecovery", 200, RecoveryPage{FactorStep: own, Left: 2}},
	}
}
