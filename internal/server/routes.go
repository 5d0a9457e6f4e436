package server

import (
	"log/slog"
	"net/http"
	"strings"

	"idp/internal/forwardauth"
	"idp/internal/forwardauth/sites"
	"idp/internal/oidc/wire"
	"idp/internal/web"
)

// routes is the route table: every path of idp stands here.
func (p *parts) routes(log *slog.Logger) (http.Handler, error) {
	mux := http.NewServeMux()
	page := func(pattern string, h web.Handler) { mux.Handle(pattern, p.pages.Handle(h)) }
	// A GET of these does something; HEAD must not (RFC 9110 §9.2.1), and ServeMux
	// answers it like GET.
	step := func(pattern string, h web.Handler) {
		page(pattern, func(w http.ResponseWriter, r *http.Request) error {
			if r.Method == http.MethodHead {
				return notAllowed(r, http.MethodGet)
			}
			return h(w, r)
		})
	}
	form := http.NewCrossOriginProtection() // forms of ours only: OpenID's own cross-site POSTs must pass
	if err := form.AddTrustedOrigin(p.config.Issuer); err != nil {
		return nil, err
	}
	form.SetDenyHandler(p.pages.Handle(p.pages.ServeCrossOrigin))
	submit := func(pattern string, h web.Handler) { mux.Handle(pattern, form.Handler(p.pages.Handle(h))) }
	api := func(pattern string, h web.Handler) { mux.Handle(pattern, wire.Handle(h)) }

	// OpenID provider
	api("GET /.well-known/openid-configuration", p.oidc.ServeDiscovery)
	api("GET /.well-known/oauth-authorization-server", p.oidc.ServeDiscovery)
	api("GET /jwks", p.oidc.ServeJWKS)
	step("GET /authorize", p.oidc.ServeAuthorize)
	page("POST /authorize", p.oidc.ServeAuthorize)
	step("GET /authorize/resume", p.oidc.ServeResume)
	api("/par", p.oidc.Pushed.ServePAR)
	api("/token", p.oidc.Grants.ServeToken)
	api("/userinfo", p.oidc.ServeUserinfo)
	api("/introspect", p.oidc.ServeIntrospect)
	api("/revoke", p.oidc.ServeRevoke)
	api("/device_authorization", p.oidc.Devices.ServeAuthorization)
	step("GET /device", p.oidc.Devices.ServePage)
	submit("POST /device", p.oidc.Devices.ServeAnswer)
	if p.oidc.Registers() {
		api("/register", p.oidc.ServeRegister)
	}
	step("GET /end_session", p.oidc.SignOut.ServeEndSession)
	page("POST /end_session", p.oidc.SignOut.ServeEndSession)
	step("GET /end_session/done", p.oidc.SignOut.ServeSignedOut)

	// logging in
	step("GET /login", p.login.ServeForm)
	submit("POST /login", p.login.ServeSubmit)
	step("GET /login/negotiate", p.login.ServeNegotiate)
	step("GET /factor", p.login.ServeFactor)
	submit("POST /factor", p.login.ServeFactorSubmit)
	step("GET /invitation", p.login.ServeLink)
	submit("POST /invitation", p.login.ServeLinkSubmit)
	step("GET /upstream/{id}/callback", p.login.ServeUpstreamCallback)
	page("POST /upstream/{id}/logout", p.login.ServeUpstreamLogout)
	step("GET /consent", p.login.ServeConsent)
	submit("POST /consent", p.login.ServeConsentSubmit)

	// does this browser send tickets
	page("GET /setup", p.setup.ServePage)
	step("GET /setup/test", p.setup.ServeTest)
	page("GET /setup/files/{name}", p.setup.ServeFile)

	// a person's own pages
	step("GET /{$}", p.account.ServeHome)
	step("GET /account", p.account.ServeAccount)
	step("GET /account/profile", p.account.ServeProfile)
	step("GET /account/name", p.account.ServeName)
	submit("POST /account/name", p.account.ServeRename)
	step("GET /account/security", p.account.ServeSecurity)
	step("GET /account/sessions", p.account.ServeSessions)
	submit("POST /account/sessions", p.account.ServeEnd)
	step("GET /account/sites", p.account.ServeAllowed)
	step("GET /account/history", p.account.ServeHistory)
	submit("POST /account/consents", p.account.ServeTakeBack)
	step("GET /account/password", p.account.ServePassword)
	submit("POST /account/password", p.account.ServePasswordSubmit)
	page("GET /.well-known/change-password", p.account.ServeChangePassword)
	step("GET /account/logins", p.account.ServeLogins)
	submit("POST /account/logins/link", p.account.ServeLink)
	submit("POST /account/logins/unlink", p.account.ServeUnlink)
	step("GET /account/factors", p.account.ServeFactors)
	step("GET /account/factors/app", p.account.ServeApp)
	submit("POST /account/factors/app", p.account.ServeAppSubmit)
	step("GET /account/factors/passkey", p.account.ServePasskey)
	submit("POST /account/factors/passkey", p.account.ServePasskeySubmit)
	step("GET /account/factors/recovery", p.account.ServeRecovery)
	submit("POST /account/factors/recovery", p.account.ServeRecoverySubmit)
	step("GET /account/factors/change/{id}", p.account.ServeFactor)
	submit("POST /account/factors/change/{id}", p.account.ServeFactorChange)

	// protected sites: what their proxies route to us; what they ask, beforeMux takes
	if p.forward != nil {
		step("GET "+sites.PathStart, p.forward.ServeStart)
		step("GET "+sites.PathCallback, p.forward.ServeCallback)
		step("GET "+sites.PathSignOut, p.forward.ServeSignOut)
		page("GET "+sites.PathDenied, p.forward.ServeDenied)
		mux.Handle("GET "+sites.PathOurs+"static/", http.StripPrefix(strings.TrimSuffix(sites.PathOurs, "/"), p.pages.Static())) // also where nothing else is answered
		page(sites.PathOurs, p.forward.ServeNothing)
	}

	// operating
	page("GET /healthz", p.server.serveHealth)
	page("GET /readyz", p.server.serveReady)
	mux.Handle("GET /static/", p.pages.Static())
	page("/", p.otherwise(mux))

	return web.Chain(p.beforeMux(mux), web.ChainConfig{
		Log: log, Pages: p.pages, TrustedProxies: p.config.TrustedProxies, Issuer: p.config.Issuer,
		Count: count(p.server.metrics),
	}), nil
}

// beforeMux takes what proxies ask out before ServeMux sees it: it would answer Envoy by
// a redirect to the cleaned path, and there is one question for every request of a site.
func (p *parts) beforeMux(mux http.Handler) http.Handler {
	if p.forward == nil {
		return mux
	}
	ask := p.pages.Handle(p.forward.ServeAsk)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case forwardauth.Wraps(r):
			r.Pattern = forwardauth.PathAsk + "/"
		case r.URL.Path == forwardauth.PathAsk:
			r.Pattern = forwardauth.PathAsk
		default:
			mux.ServeHTTP(w, r)
			return
		}
		ask.ServeHTTP(w, r)
	})
}

// otherwise answers what no pattern matched. Because it has a pattern itself,
// ServeMux does not answer 405 by itself where another method would do.
func (p *parts) otherwise(mux *http.ServeMux) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allow []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			other := *r
			other.Method = method
			if _, pattern := mux.Handler(&other); pattern != "/" {
				allow = append(allow, method)
			}
		}
		if len(allow) == 0 {
			return p.pages.ServeNotFound(w, r)
		}
		return notAllowed(r, allow...)
	}
}

func notAllowed(r *http.Request, allow ...string) error {
	return &web.Error{
		Status: http.StatusMethodNotAllowed, Code: "METHOD_NOT_ALLOWED", Title: "This cannot be done here",
		Message: "The address is right, but not what was asked of it (" + web.Loggable(r.Method) + ").",
		Header:  http.Header{"Allow": {strings.Join(allow, ", ")}},
	}
}
