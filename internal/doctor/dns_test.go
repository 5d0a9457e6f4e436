package doctor_test

import (
	"net"
	"testing"

	"idp/internal/doctor/dnstest"
)

type zone = dnstest.Zone

func resolver(t *testing.T, z zone) *net.Resolver { return dnstest.Resolver(t, z) }
