package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

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
		Missing(t, "a Docker engine needs root")
	}
	dir := shortDir(t)
	t.Cleanup(func() { // what containers in the machine's network leave
		_ = exec.Command("umount", "-l", filepath.Join(dir, "exec", "netns", "default")).Run() //nolint:gosec // see above
	})
	host := "unix://" + filepath.Join(dir, "sock")
	cmd := exec.Command(engine, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs", //nolint:gosec // see above
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "-H", host)
	start(t, cmd)
	variable = "DOCKER_HOST=" + host
	answers(t, "the Docker engine", func() Output { return Run(t, []string{variable}, client, "version") })
	return variable
}

// Containerd starts a containerd of its own for the length of the test, as Docker does an engine, and returns a function that runs ctr.
func Containerd(t *testing.T) func(args ...string) Output {
	t.Helper()
	client, engine := Program(t, "ctr"), Program(t, "containerd")
	if os.Geteuid() != 0 {
		Missing(t, "containerd needs root")
	}
	dir := shortDir(t)
	socket := filepath.Join(dir, "sock")
	write(t, filepath.Join(dir, "config.toml"), "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")
	start(t, exec.Command(engine, "--config", filepath.Join(dir, "config.toml"), "--root", filepath.Join(dir, "root"), //nolint:gosec // see above
		"--state", filepath.Join(dir, "state"), "--address", socket))
	run := func(args ...string) Output {
		t.Helper()
		return Run(t, nil, client, append([]string{"--address", socket}, args...)...)
	}
	answers(t, "containerd", func() Output { return run("version") })
	return run
}

// BuildKit starts a BuildKit of its own for the length of the test, as Docker does an engine, and returns a function that runs buildctl.
func BuildKit(t *testing.T) func(env []string, args ...string) Output {
	t.Helper()
	client, engine := Program(t, "buildctl"), Program(t, "buildkitd")
	Program(t, "runc")
	if os.Geteuid() != 0 {
		Missing(t, "BuildKit needs root")
	}
	dir := shortDir(t)
	socket := "unix://" + filepath.Join(dir, "sock")
	start(t, exec.Command(engine, "--root", filepath.Join(dir, "root"), "--addr", socket, "--oci-worker-snapshotter", "native", //nolint:gosec // see above
		"--containerd-worker=false", "--oci-worker-net", "host"))
	run := func(env []string, args ...string) Output {
		t.Helper()
		return Run(t, env, client, append([]string{"--addr", socket}, args...)...)
	}
	answers(t, "BuildKit", func() Output { return run(nil, "debug", "workers") })
	return run
}

// answers waits for an engine that may need more of the kernel than there is.
func answers(t *testing.T, what string, ask func() Output) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for out := ask(); out.Err != nil; out = ask() {
		if time.Now().After(deadline) {
			Missing(t, what+" doesn't start here: "+out.Text)
		}
		pause(t)
	}
}

// shortDir is a folder for a socket, whose path has a limit.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rise-engine") //nolint:usetesting // short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
