//go:build interop

package interop_test

import "testing"

func TestOAuth4WebAPI(t *testing.T) { everyMethod(t, node("oauth4webapi.mjs")) }

func TestOAuth4WebAPIRefusals(t *testing.T) { refusals(t, node("oauth4webapi.mjs"), register) }

func TestOAuth4WebAPIWantsIss(t *testing.T) { wantsIss(t, node("oauth4webapi.mjs")) }

func TestOAuth4WebAPIRevokes(t *testing.T) { revokes(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIAsItself(t *testing.T) { itself(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIAsksAgain(t *testing.T) { asksAgain(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIFAPI2(t *testing.T) { fapi(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIAsksOtherwise(t *testing.T) { asksOtherwise(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIByItsKey(t *testing.T) { byItsKey(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIConsents(t *testing.T) { consents(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIRegistersItself(t *testing.T) { registersItself(t, "oauth4webapi.mjs") }

func TestOAuth4WebAPIOnADevice(t *testing.T) { onADevice(t, node("oauth4webapi.mjs")) }

func TestOAuth4WebAPIBringsAJWT(t *testing.T) { bringsAJWT(t, "oauth4webapi.mjs") }
