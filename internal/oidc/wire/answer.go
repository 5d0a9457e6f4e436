package wire

import (
	"encoding/json"
	"net/http"

	"idp/internal/web"
)

// Handle makes a handler of an endpoint for programs: its errors are answered as
// JSON (RFC 6749 §5.2).
func Handle(h web.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		f := AsFailure(err)
		Note(r, f.Err)
		for _, challenge := range f.Challenges {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		if f.Allow != "" {
			w.Header().Set("Allow", f.Allow)
		}
		body, err := json.Marshal(f.Err)
		switch {
		case f.Silent:
			body = []byte("{}")
		case err != nil:
			body = []byte(`{"error":"server_error"}`)
		}
		WriteJSON(w, f.Status, body)
	})
}

var (
	// JSONType is the Content-Type of an object of JSON, as a header has it.
	JSONType = []string{"application/json"}

	jwtType = []string{"application/jwt"}
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
)

// WriteJSON answers with ready bytes that nobody may keep (RFC 6749 §5.1).
func WriteJSON(w http.ResponseWriter, status int, body []byte) { write(w, status, JSONType, body) }

// WriteJWT answers with a signed JWT (OIDC Core §5.3.2).
func WriteJWT(w http.ResponseWriter, status int, token string) {
	write(w, status, jwtType, []byte(token))
}

func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["Pragma"] = contentType, noStore, noCache
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone; nothing is left to do then
}

// NextNonce says which nonce the client's next DPoP proof has to hold (RFC 9449 §8);
// empty: it needs none.
func NextNonce(w http.ResponseWriter, nonce string) {
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
}

// AnyOrigin lets scripts of every site read an answer, and never with the
// visitor's cookies: Allow-Credentials is not sent. It answers a preflight, and
// reports whether the request was one (Fetch §3.2).
func AnyOrigin(w http.ResponseWriter, r *http.Request, methods string) (done bool) {
	h := w.Header()
	if r.Method != http.MethodOptions {
		if r.Header.Get("Origin") != "" {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce")
		}
		return false
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	h.Set("Access-Control-Max-Age", "3600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
