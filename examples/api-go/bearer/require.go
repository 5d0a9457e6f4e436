package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
)

type callerKey struct{}

// Of is who sends a request that Require has let through.
func Of(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// Require lets a request through when its token is good and has the scope; else it
// answers as RFC 6750 §3 wants, and writes down why.
func (v *Verifier) Require(scope string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := v.Verify(r)
		switch {
		case errors.Is(err, errNoToken):
			refuse(w, http.StatusUnauthorized, `Bearer`)
		case err != nil:
			slog.InfoContext(r.Context(), "refused", "path", r.URL.Path, "why", err)
			refuse(w, http.StatusUnauthorized, `Bearer error="invalid_token"`)
		case !c.May(scope):
			refuse(w, http.StatusForbidden, fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, scope))
		default:
			next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
		}
	})
}

func refuse(w http.ResponseWriter, status int, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, http.StatusText(status), status)
}
