package operator_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

func TestReconcile(t *testing.T) {
	server := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(server.Close)
	d := server.Setup(ecrtest.SetupOptions{AutoRemove: true})
	t.Setenv("AWS_ENDPOINT_URL", server.URL) // which the SDK reads; hence not parallel
	files := map[string]string{"development.yaml": managedConfig}
	variables := map[string]string{"PUSH_ROLE": d.PushRoleARN, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	projects := filepath.Join(t.TempDir(), "projects.txt")
	write := func(text string) { require.NoError(t, os.WriteFile(projects, []byte(text), 0o600)) }
	reconcile := func(args ...string) (int, string, string) {
		return operator(t, files, variables, append([]string{"reconcile", "--projects", projects}, args...)...)
	}
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"one", "gone"} {
		r := d.Repository(name)
		r.CreatedAt, r.ScanOnPush = old, true
		server.CreateRepository(r)
	}
	server.CreateRepository(ecrtest.Repository{Name: "rise/foreign", CreatedAt: old})
	write("# all of them\none p-1\ntwo   p-2 # new\n\n")

	code, _, stderr := reconcile("--max-orphaned-percent", "0")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "--max-orphaned-percent must be 1 to 100")

	code, planned, stderr := reconcile("--dry-run")
	require.Zero(t, code, stderr)
	require.Contains(t, planned, "rise/gone: release\n")
	require.Contains(t, planned, "rise/two: create\n")
	require.Contains(t, planned, "left alone: foreign: ")
	require.Contains(t, planned, "3 repositories, 2 projects: 1 to create, 0 to restore, 1 to mend, 1 to release, 0 to purge (planned; nothing was changed)")
	require.Contains(t, planned, "guard: 1 wanted repositories, 1 read, 0 of them orphaned, so up to 0; 0 orphaned within 24 hours, 0 unread, 1 to release: 1, of 1 allowed at once (runs that overlap")
	require.Len(t, server.Repositories(), 3)
	require.Contains(t, stderr, "create: 1\n", "plain lines where there is no terminal")

	code, done, stderr := reconcile()
	require.Zero(t, code, stderr)
	require.Contains(t, done, "rise/gone: release\n")
	require.Contains(t, done, "(done)")
	gone, _ := server.Repository("rise/gone")
	require.Equal(t, "true", gone.Tags["rise:orphaned"])
	two, _ := server.Repository("rise/two")
	require.Equal(t, "p-2", two.Tags["rise:project-id"])
	foreign, _ := server.Repository("rise/foreign")
	require.Empty(t, foreign.Tags)

	write("")
	code, _, stderr = reconcile()
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "there are none, which is taken for a failure")
	for text, message := range map[string]string{
		"one\nTwo\n": "projects.txt:2: check project name: invalid request", "a b c\n": "projects.txt:1: a line is a project's name, and its id",
	} {
		write(text)
		code, _, stderr = reconcile()
		require.Equal(t, 1, code)
		require.Contains(t, stderr, message)
	}
	require.NoError(t, os.Remove(projects))
	code, _, stderr = reconcile()
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "no such file")
	require.Len(t, server.Repositories(), 4)
}

// Runs with one lock file don't overlap: the second does nothing, whoever has the file, and however the first ended.
func TestReconcileLock(t *testing.T) {
	server := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(server.Close)
	d := server.Setup(ecrtest.SetupOptions{AutoRemove: true})
	t.Setenv("AWS_ENDPOINT_URL", server.URL) // which the SDK reads; hence not parallel
	files := map[string]string{"development.yaml": managedConfig}
	variables := map[string]string{"PUSH_ROLE": d.PushRoleARN, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	dir := t.TempDir()
	projects, lock := filepath.Join(dir, "projects.txt"), filepath.Join(dir, "lock")
	require.NoError(t, os.WriteFile(projects, []byte("one\n"), 0o600))
	reconcile := func(args ...string) (int, string, string) {
		return operator(t, files, variables, append([]string{"reconcile", "--projects", projects, "--lock", lock}, args...)...)
	}
	other := exec.CommandContext(t.Context(), realtest.Program(t, "flock"), lock, "sh", "-c", "echo locked; exec cat")
	stdin, err := other.StdinPipe()
	require.NoError(t, err)
	stdout, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	said := make([]byte, len("locked\n"))
	_, err = io.ReadFull(stdout, said)
	require.NoError(t, err)
	for _, args := range [][]string{nil, {"--dry-run"}} {
		code, _, stderr := reconcile(args...)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "--lock: another process has locked "+lock)
	}
	require.Empty(t, server.Calls(), "nothing was asked")

	require.NoError(t, os.Remove(lock)) // a new file is another lock: who has the old one has none of it
	code, _, stderr := reconcile()
	require.Zero(t, code, stderr)
	require.NoError(t, stdin.Close())
	require.NoError(t, other.Wait())
	for range 2 {
		code, _, stderr = reconcile()
		require.Zero(t, code, stderr)
	}
	require.FileExists(t, lock)
	require.Len(t, server.Repositories(), 1)

	lock = filepath.Join(dir, "nowhere", "lock")
	code, _, stderr = reconcile()
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "no such file")
}
