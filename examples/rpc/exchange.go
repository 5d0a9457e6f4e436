package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// exchanger gets proofs for back ends in exchange for those that came (RFC 8693). It
// may be used concurrently. This is the part to copy.
type exchanger struct {
	http            *http.Client
	tokenEndpoint   string // as discovery has it
	clientID        string
	secret          string
	audience, scope string // of the back end, and what is to be done there
}

// proof is a token for the back end about whoever the token is about, which was made
// for us. It is good for minutes, and for nobody else.
func (e *exchanger) proof(ctx context.Context, token string) (string, error) {
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"audience":           {e.audience},
		"scope":              {e.scope},
	}
	return e.ask(ctx, form)
}

// own is a token for the back end about ourselves (RFC 6749 §4.4).
func (e *exchanger) own(ctx context.Context) (string, error) {
	return e.ask(ctx, url.Values{"grant_type": {"client_credentials"}, "resource": {e.audience}, "scope": {e.scope}})
}

func (e *exchanger) ask(ctx context.Context, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.tokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(e.clientID), url.QueryEscape(e.secret)) // RFC 6749 §2.3.1
	resp, err := e.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<20)).Decode(&answer); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", answer.Error, answer.Description)
	}
	return answer.AccessToken, nil
}
