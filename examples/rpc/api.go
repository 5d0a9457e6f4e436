package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"idp/examples/api-go/bearer"
)

// The API between the three, version 1. Within a version fields are only added, each
// with a default that means what its absence meant; what somebody does not know they
// ignore. So either side of a call may be the newer one. What cannot be done so is /v2/.

// spendV1 is POST /v1/spend at the front end, and POST /v1/entries at the ledger.
type spendV1 struct {
	Amount   int    `json:"amount"`
	Currency string `json:"currency,omitempty"` // default EUR
	Text     string `json:"text,omitempty"`     // default none
}

// entryV1 answers it.
type entryV1 struct {
	spendV1
	Owner  string   `json:"owner"`  // whose: the proof says so, never the caller
	By     []string `json:"by"`     // who acted, the last one first
	Record *string  `json:"record"` // where the archive has it; null: nowhere
}

// statementV1 is POST /v1/statement at the ledger.
type statementV1 struct {
	Owner string `json:"owner,omitempty"` // default, and all that is allowed: whoever the proof is about
	Last  int    `json:"last,omitempty"`  // default 10
}

// recordV1 is POST /v1/records at the archive, and what answers it.
type recordV1 struct {
	ID    string   `json:"id,omitempty"`
	Owner string   `json:"owner,omitempty"`
	By    []string `json:"by,omitempty"`
	Text  string   `json:"text"`
}

// largest is how many bytes a request or an answer may have.
const largest = 64 << 10

// read reads a request into what already has the defaults. Unknown fields are ignored.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largest)).Decode(into); err != nil {
		return problem{http.StatusBadRequest, "malformed", "the request is no JSON object of this version"}
	}
	return nil
}

// problem is what a caller is told of what went wrong.
type problem struct {
	status        int
	Code, Message string
}

func (p problem) Error() string { return fmt.Sprintf("%d %s: %s", p.status, p.Code, p.Message) }

// serve answers with what a handler returns; an error that is no problem is ours, and
// the caller is not told.
func serve(handle func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		out, err := handle(w, r)
		if err != nil {
			p := problem{http.StatusBadGateway, "unavailable", "try again later"}
			_ = errors.As(err, &p)
			status, out = p.status, map[string]string{"error": p.Code, "message": p.Message}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(out) // a caller who has gone is told nothing
	}
}

// acts is who acts in somebody's name in a token (RFC 8693 §4.1).
type acts struct {
	Subject string `json:"sub"`
	Act     *acts  `json:"act"`
}

// throughWhom are those who act, the last one first; none: nobody acts for somebody.
func throughWhom(c *bearer.Caller) (out []string) {
	var claims struct {
		Act *acts `json:"act"`
	}
	if c.Claims(&claims) != nil {
		return nil
	}
	for a := claims.Act; a != nil; a = a.Act {
		out = append(out, a.Subject)
	}
	return out
}

// actsFor refuses whoever is not the client that may call here for a person: its own
// token, which is about nobody, is not enough.
func actsFor(client string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if by := throughWhom(bearer.Of(r.Context())); len(by) == 0 || by[0] != client {
			serve(func(http.ResponseWriter, *http.Request) (any, error) {
				return nil, problem{http.StatusForbidden, "no_proof", "want a token of a person, exchanged by " + client}
			})(w, r)
			return
		}
		next(w, r)
	}
}

// token is the caller's, which bearer has verified.
func token(r *http.Request) string {
	_, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return text
}

// call posts JSON with a proof, and reads the answer.
func call(ctx context.Context, client *http.Client, address, proof string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if proof != "" {
		req.Header.Set("Authorization", "Bearer "+proof)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, largest))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		p := problem{status: resp.StatusCode, Code: resp.Header.Get("WWW-Authenticate")}
		var told struct{ Error, Message string }
		if json.Unmarshal(text, &told) == nil {
			p.Code, p.Message = told.Error, told.Message
		}
		return p
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
