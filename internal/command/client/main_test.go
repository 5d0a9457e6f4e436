package client

import (
	"testing"

	"idp/internal/command/commandtest"
)

func TestMain(m *testing.M) { commandtest.Main(m) }
