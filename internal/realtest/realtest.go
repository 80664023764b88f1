// Package realtest runs real programs in tests: registries and the clients that users have. A test is skipped where a
// program isn't installed, and fails there when RISE_TEST_REQUIRE_REAL is 1.
package realtest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Program returns the path of an installed program, by the first of names that there is.
func Program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, strings.Join(names, " or ")+" is not installed")
	return ""
}

// Missing skips the test for the lack of something real, or fails it.
func Missing(t *testing.T, why string) {
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
	limit := 2 * time.Minute
	if long() {
		limit = 15 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
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

// ClosedAddress returns an address on loopback that nobody listens on while the test runs: it is the near end of a connection.
func ClosedAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	// To be given a port of its own, not one that connections share, it asks for an address.
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}

// The login of a Registry with authentication.
const (
	User     = "someone"
	Password = "correct-horse"
	// htpasswd is "htpasswd -nbB -C 5" of both.
	htpasswd = "someone:$2y$05$29pNN13QPcP9Af6mffq3duj7Tb84cEDxXbwV5TnT0ky/1Grciu/SG\n"
)

// Registry starts Debian's docker-registry for the length of the test and returns its address.
func Registry(t *testing.T, authentication bool) string {
	t.Helper()
	address, auth := FreeAddress(t), ""
	if authentication {
		file := filepath.Join(t.TempDir(), "htpasswd")
		write(t, file, htpasswd)
		auth = fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", file)
	}
	registry(t, "docker-registry", address, auth)
	return address
}

func registry(t *testing.T, name, address, auth string) {
	t.Helper()
	program := Program(t, name)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yml"), fmt.Sprintf(
		"version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp: {addr: %s}\n",
		filepath.Join(dir, "data"), address)+auth)
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml")) //nolint:gosec // see above
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")             // distribution's tells a collector by itself
	start(t, cmd)
	wait(t, name, func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// RootFS writes a root file system with one file, as docker import and podman import take it, and returns its path.
func RootFS(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	const text = "hello\n"
	err := w.WriteHeader(&tar.Header{Name: "hello.txt", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "root.tar")
	write(t, file, out.String())
	return file
}

// Serve starts a program that ends with the test, and waits until it listens at an address.
func Serve(t *testing.T, address string, cmd *exec.Cmd) {
	t.Helper()
	start(t, cmd)
	wait(t, filepath.Base(cmd.Path), func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// start starts a program that ends with the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
}

// wait polls until ready succeeds: another process has no way to tell us.
func wait(t *testing.T, what string, ready func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s doesn't answer: %v", what, errors.Join(err, ctx.Err()))
		}
		pause(t)
	}
}

func pause(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(50 * time.Millisecond):
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
