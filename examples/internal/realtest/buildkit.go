package realtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BuildKit starts a BuildKit engine of its own for the length of the test and returns a function that runs its client.
func BuildKit(t *testing.T) func(env []string, args ...string) Output {
	t.Helper()
	client, engine := Program(t, "buildctl"), Program(t, "buildkitd")
	Program(t, "runc")
	if os.Geteuid() != 0 {
		missing(t, "BuildKit needs root")
	}
	dir, err := os.MkdirTemp("", "rise-engine") //nolint:usetesting // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := "unix://" + filepath.Join(dir, "sock")
	start(t, exec.Command(engine, "--root", filepath.Join(dir, "root"), "--addr", socket, "--oci-worker-snapshotter", "native", //nolint:gosec // see above
		"--containerd-worker=false", "--oci-worker-net", "host"))
	run := func(env []string, args ...string) Output {
		t.Helper()
		return Run(t, env, client, append([]string{"--addr", socket}, args...)...)
	}
	var out Output
	if wait(t, time.Minute, func(context.Context) error { out = run(nil, "debug", "workers"); return out.Err }) != nil {
		missing(t, "BuildKit doesn't start here: "+out.Text)
	}
	return run
}
