package web

// passkeyStates are the pages that ask for passkeys, in every state.
func passkeyStates() []state {
	wiki := &Site{Name: "Wiki", Host: "wiki.example.com"}
	const get = `{"challenge":"AAAA","rpId":"sso.example.com","userVerification":"required"}`
	const create = `{"challenge":"AAAA","rp":{"id":"sso.example.com","name":"Example"},"user":{"id":"AAAA","name":"alice","displayName":"Alice"},"pubKeyCredParams":[{"type":"public-key","alg":-7}]}`
	form := func(change func(*PasskeyForm)) *PasskeyForm {
		f := &PasskeyForm{Action: "/factor", FormToken: "token", LoginID: "id", Options: get, First: true}
		change(f)
		return f
	}
	refused := &Notice{Kind: "error", Title: "Your passkey was not accepted", Text: "It may have been removed from your account, or belong to another one.",
		Hint: "Log in in another way. If it happens again, read the reference below to your support."}
	login := func(notice *Notice, methods ...MethodKind) LoginPage {
		p := LoginPage{Action: "/login", FormToken: "token", LoginID: "id", Site: wiki, Reference: "2026-11-23 08:30:00 UTC, 6nq2TtYvQJ", Notice: notice,
			Passkey: &PasskeyForm{Action: "/login", FormToken: "token", LoginID: "id", Options: get, Fills: true}}
		for _, kind := range methods {
			p.Methods = append(p.Methods, Method{Kind: kind, ID: "partner", Name: "Partner Incorporated"})
		}
		for i := range p.Methods {
			if p.Methods[i].Kind != MethodUpstream {
				p.Methods[i].ID, p.Methods[i].Name = "", ""
			}
		}
		p.Passkey.Stand(p.Methods)
		return p
	}
	step := FactorStep{Action: "/factor", FormToken: "token", LoginID: "id", Site: wiki, User: "alice", StartURL: "/factor?login=id", OtherURL: "/login?login=id&other=1",
		Reference: "2026-11-23 08:30:00 UTC, 6nq2TtYvQJ"}
	wrong := step
	wrong.Notice = refused
	own := FactorStep{User: "alice", StartURL: "/account/factors"}
	return []state{
		{"passkey-login", "login", 200, login(nil, MethodForm, MethodPasskey)},
		{"passkey-login-upstream", "login", 200, login(nil, MethodForm, MethodUpstream, MethodPasskey)},
		{"passkey-login-first", "login", 200, login(nil, MethodPasskey, MethodForm, MethodUpstream)},
		{"passkey-login-refused", "login", 200, login(refused, MethodForm, MethodPasskey)},
		{"passkey-second", "factor", 200, FactorPage{FactorStep: step, HasPasskey: true, RecoveryURL: "/factor?login=id&with=recovery",
			Passkey: form(func(f *PasskeyForm) { f.Needed = true })}},
		{"passkey-second-code", "factor", 200, FactorPage{FactorStep: step, HasPasskey: true, HasCode: true, RecoveryURL: "/factor?login=id&with=recovery", Passkey: form(func(f *PasskeyForm) { f.Or = "below" })}},
		{"passkey-second-refused", "factor", 200, FactorPage{FactorStep: wrong, HasPasskey: true, Passkey: form(func(f *PasskeyForm) { f.Needed = true })}},
		{"passkey-on-the-way", "factor", 200, FactorPage{FactorStep: step, NeedsPasskey: true, Passkey: form(func(f *PasskeyForm) { f.New, f.Needed, f.Options = true, true, create })}},
		{"passkey-make", "securitypasskey", 200, NewPasskeyPage{FactorStep: own,
			Passkey: form(func(f *PasskeyForm) {
				f.New, f.Needed, f.Names, f.Name, f.Options, f.LoginID = true, true, true, "Passkey", create, ""
			})}},
		{"passkey-make-refused", "securitypasskey", 200, NewPasskeyPage{
			FactorStep: FactorStep{User: "alice", StartURL: "/account/factors", Reference: step.Reference, Notice: &Notice{Kind: "error", Title: "This passkey is in use already", Text: "It is set up for an account here.", Hint: "Use another device, or another security key."}},
			Passkey:    form(func(f *PasskeyForm) { f.New, f.Needed, f.Names, f.Name, f.Options = true, true, true, "Phone", create })}},
	}
}
