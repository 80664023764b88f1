package config_test

import (
	"os"
	"testing"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

func TestMain(m *testing.M) {
	realtest.WithoutAWS()
	os.Exit(m.Run())
}
