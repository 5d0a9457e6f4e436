package authreq

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	requestURINotSupported   = "request_uri_not_supported"  // OIDC Core §3.1.2.6
	registrationNotSupported = "registration_not_supported" // OIDC Core §3.1.2.6
)

// checkRequestObject: OIDC Core §6 and §7.2.1; we take neither request nor
// request_uri nor registration. Our own request_uri was replaced by its
// parameters before.
func checkRequestObject(a *Request) error {
	switch {
	case a.Params["request"] != "":
		return &protocol.Error{ErrorType: protocol.RequestNotSupported, Description: "request objects are not supported: send the parameters themselves"}
	case a.Params["request_uri"] != "":
		return &protocol.Error{ErrorType: requestURINotSupported, Description: "a request_uri counts only when it is one of the pushed authorization request endpoint"}
	case a.Params["registration"] != "":
		return &protocol.Error{ErrorType: registrationNotSupported, Description: "the parameter registration is not supported"}
	}
	return nil
}

// objectParams are what a request object says about the way of the answer.
type objectParams struct {
	ResponseMode string `json:"response_mode"`
	State        string `json:"state"`
}

// readRequestObject looks into the object of a request that checkRequestObject is
// about to refuse, unverified, only to refuse it where the client listens: its
// response_mode and state may stand in there and nowhere else (OIDC Core §6.1).
// The address is not taken from it. Nothing of an object that cannot be read.
func readRequestObject(object string) (o objectParams) {
	parts := strings.Split(object, ".")
	if len(parts) != 3 {
		return o
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &o) != nil {
		return objectParams{}
	}
	return o
}
