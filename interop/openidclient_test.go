//go:build interop

package interop_test

import "testing"

func TestOpenIDClient(t *testing.T) { everyMethod(t, node("openid-client.mjs")) }

func TestOpenIDClientRefusals(t *testing.T) { refusals(t, node("openid-client.mjs"), register) }

func TestOpenIDClientWantsIss(t *testing.T) { wantsIss(t, node("openid-client.mjs")) }

func TestOpenIDClientRevokes(t *testing.T) { revokes(t, "openid-client.mjs") }

func TestOpenIDClientAsItself(t *testing.T) { itself(t, "openid-client.mjs") }

func TestOpenIDClientAsksAgain(t *testing.T) { asksAgain(t, "openid-client.mjs") }

func TestOpenIDClientFAPI2(t *testing.T) { fapi(t, "openid-client.mjs") }

func TestOpenIDClientAsksOtherwise(t *testing.T) { asksOtherwise(t, "openid-client.mjs") }

func TestOpenIDClientByItsKey(t *testing.T) { byItsKey(t, "openid-client.mjs") }

func TestOpenIDClientConsents(t *testing.T) { consents(t, "openid-client.mjs") }

func TestOpenIDClientRegistersItself(t *testing.T) { registersItself(t, "openid-client.mjs") }

func TestOpenIDClientOnADevice(t *testing.T) { onADevice(t, node("openid-client.mjs")) }

func TestOpenIDClientBringsAJWT(t *testing.T) { bringsAJWT(t, "openid-client.mjs") }
