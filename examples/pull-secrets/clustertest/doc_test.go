// Package clustertest runs the program pull-secrets, as processes, against a real Kubernetes API server with its shipped manifests applied. There is no
// controller manager: what is deleted slowly, as namespaces, stays.
//
// RISE_TEST_LONG=1 runs it with 500 namespaces in place of 50.
package clustertest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installed finds a program, or skips the test.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("RISE_TEST_REQUIRE_REAL") != "" {
			t.Fatalf("%s isn't installed; .ci/run install builds it", name)
		}
		t.Skipf("%s isn't installed; .ci/run install builds it", name)
	}
	return path
}

// freeAddress is below the ports that the system gives to who asks for any.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err == nil {
			require.NoError(t, listener.Close())
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// eventually is for what processes do.
func eventually(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	defer func(began time.Time) {
		t.Logf(time.Now().UTC().Format("05.000")+" %6.2f s: %s", time.Since(began).Seconds(), what)
	}(time.Now())
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", within, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
