// Package realtest is what the tests of the example programs need to run real ones: a registry, and the clients that users have. A test
// is skipped where a program isn't installed, and fails there when RISE_TEST_REQUIRE_REAL is 1.
package realtest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// WithoutAWS keeps the machine's own AWS configuration out of a test program. TestMain calls it.
func WithoutAWS() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		_ = os.Setenv(name, value)
	}
}

// Long says at once that all of a package's tests take over half a minute. It is for TestMain.
func Long(took string) {
	flag.Parse()
	if flag.Lookup("test.run").Value.String() == "" {
		fmt.Printf("these tests take %s on two idle cores; -run chooses some\n", took)
	}
}

// Program returns the path of an installed program.
func Program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed")
	}
	return path
}

// missing skips the test for the lack of something real, or fails it.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("RISE_TEST_REQUIRE_REAL") == "1" {
		t.Fatalf("%s, and RISE_TEST_REQUIRE_REAL=1", why)
	}
	t.Skip(why)
}

// Output is what a program printed, on both channels.
type Output struct {
	Text string
	Err  error
}

// Run runs a program with env added to an environment in which no login of the machine's user is found.
func Run(t *testing.T, env []string, path string, args ...string) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the test says which
	home := t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "TMPDIR=" + home}, env...)
	out, err := cmd.CombinedOutput()
	return Output{string(out), err}
}

// Must is Run for a program that has to succeed.
func Must(t *testing.T, env []string, path string, args ...string) string {
	t.Helper()
	out := Run(t, env, path, args...)
	if out.Err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(path), args[0], out.Err, out.Text)
	}
	return out.Text
}

// The ports of FreeAddress: systems give others to who asks for any, from 32768 (Linux) or 49152 (RFC 6335) on.
const firstPort, ports = 10000, 22768

var (
	ownPort  = rand.Uint32N(ports) //nolint:gosec // where this process begins, unlike others; no secret
	nextPort atomic.Uint32
)

// FreeAddress returns an address on loopback that nobody listens on. It stays so until the test listens there: this process gives it to
// nobody else for a long time, and the system to nobody who doesn't ask for that very port.
func FreeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+int((ownPort+nextPort.Add(1))%ports)))
		var listener net.Listener
		if listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			_ = listener.Close() // it only had to be free
			return address
		}
	}
	t.Fatal(err)
	return ""
}
