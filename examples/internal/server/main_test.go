package server_test

import (
	"os"
	"testing"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

func TestMain(m *testing.M) {
	realtest.WithoutAWS()
	realtest.Long("50 s")
	code := m.Run()
	forgetPrograms()
	os.Exit(code)
}
