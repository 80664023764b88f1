package ecr_test

import (
	"os"
	"testing"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("RISE_LIVE_ECR") == "" { // the live tests run as whom the environment says
		realtest.WithoutAWS()
	}
	realtest.Long("100 s")
	os.Exit(m.Run())
}
