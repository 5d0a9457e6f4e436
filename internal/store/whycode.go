package store

// codeRefused is ErrNotFound that says why a code gives nothing. The client is not
// told, for it may have the code of another; the log is.
type codeRefused string

// Error implements error; the text is for logs.
func (c codeRefused) Error() string { return string(c) }

// Is makes it ErrNotFound.
func (codeRefused) Is(target error) bool { return target == ErrNotFound }

// whyCode is why useCode did not find a row that is there and was not used. It reads
// what that statement demanded in turn, so nothing is left but what it looked up
// elsewhere.
func whyCode(c Code, r Redeem) error {
	switch {
	case c.ClientID != r.ClientID:
		return codeRefused("it is another client's")
	case c.ExpiresAt <= r.Now:
		return codeRefused("it has expired")
	case c.RedirectURI != r.RedirectURI:
		return codeRefused("it was given to another redirect_uri")
	case c.CodeChallenge == "" && r.CodeChallenge != "":
		return codeRefused("a code_verifier came, and the request had no code_challenge")
	case c.CodeChallenge != "" && r.CodeChallenge == "":
		return codeRefused("the code_verifier is missing")
	case c.CodeChallenge != r.CodeChallenge:
		return codeRefused("the code_verifier is not the one of the code_challenge")
	case c.JKT != "" && r.JKT == "":
		return codeRefused("the DPoP proof is missing")
	case c.JKT != "" && c.JKT != r.JKT:
		return codeRefused("the DPoP proof is by another key")
	}
	return codeRefused("its session has ended, or its user is disabled")
}
