package realtest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

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
	RegistryAt(t, address, auth)
	return address
}

// RegistryAt starts it at an address, with more of its configuration: a text in YAML.
func RegistryAt(t *testing.T, address, more string) {
	t.Helper()
	program := Program(t, "docker-registry")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yml"), fmt.Sprintf(
		"version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %s}\n",
		filepath.Join(dir, "data"), address)+more)
	Serve(t, address, exec.Command(program, "serve", filepath.Join(dir, "config.yml"))) //nolint:gosec // see above
}

// Serve starts a program that ends with the test, and waits until it listens at an address.
func Serve(t *testing.T, address string, cmd *exec.Cmd) {
	t.Helper()
	start(t, cmd)
	err := wait(t, 30*time.Second, func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatalf("%s doesn't listen: %v", filepath.Base(cmd.Path), err)
	}
}

// Docker starts a Docker engine of its own for the length of the test and returns a function that runs its client.
func Docker(t *testing.T) func(env []string, args ...string) Output {
	t.Helper()
	client, engine := Program(t, "docker"), Engine(t)
	return func(env []string, args ...string) Output {
		t.Helper()
		return Run(t, append([]string{engine}, env...), client, args...)
	}
}

// Engine starts a Docker engine of its own for the length of the test and returns the variable that docker finds it by.
// Engines need root and much of the kernel: where one doesn't start, the test is skipped like for a missing program.
func Engine(t *testing.T) (variable string) {
	t.Helper()
	client, engine := Program(t, "docker"), Program(t, "dockerd")
	if os.Geteuid() != 0 {
		missing(t, "a Docker engine needs root")
	}
	dir, err := os.MkdirTemp("", "rise-docker") //nolint:usetesting // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	host := "unix://" + filepath.Join(dir, "sock")
	start(t, exec.Command(engine, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs", //nolint:gosec // see above
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "-H", host))
	variable = "DOCKER_HOST=" + host
	var out Output
	if wait(t, time.Minute, func(context.Context) error { out = Run(t, []string{variable}, client, "version"); return out.Err }) != nil {
		missing(t, "the Docker engine doesn't start here: "+out.Text)
	}
	return variable
}

// Containerd starts a containerd of its own for the length of the test, as Engine does a Docker engine, and returns a function that runs ctr.
func Containerd(t *testing.T) func(args ...string) Output {
	t.Helper()
	client, engine := Program(t, "ctr"), Program(t, "containerd")
	if os.Geteuid() != 0 {
		missing(t, "containerd needs root")
	}
	dir, err := os.MkdirTemp("", "rise-containerd") //nolint:usetesting // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, config := filepath.Join(dir, "sock"), filepath.Join(dir, "config.toml")
	write(t, config, "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")
	start(t, exec.Command(engine, "--config", config, "--root", filepath.Join(dir, "root"), "--state", filepath.Join(dir, "state"), "--address", socket)) //nolint:gosec // see above
	run := func(args ...string) Output {
		t.Helper()
		return Run(t, nil, client, append([]string{"--address", socket}, args...)...)
	}
	var out Output
	if wait(t, time.Minute, func(context.Context) error { out = run("version"); return out.Err }) != nil {
		missing(t, "containerd doesn't start here: "+out.Text)
	}
	return run
}

// Storage returns the variable that podman and buildah find a folder for their images by, for the length of the test.
func Storage(t *testing.T) (variable string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rise") //nolint:usetesting // short: podman demands it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "storage.conf")
	write(t, file, fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "root"), filepath.Join(dir, "run")))
	return "CONTAINERS_STORAGE_CONF=" + file
}

// RootFS writes a root file system with one file, as docker import takes it, and returns its path.
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
func wait(t *testing.T, patience time.Duration, ready func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
