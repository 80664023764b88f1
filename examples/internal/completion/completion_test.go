package completion_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/completion"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// Whatever the program's folder is called, the shell runs the program, and nothing else. Package server's tests complete with it.
func TestScriptQuotes(t *testing.T) {
	t.Parallel()
	bash := realtest.Program(t, "bash")
	dir := filepath.Join(t.TempDir(), `it's "a" folder; $(touch oops) \ `)
	require.NoError(t, os.Mkdir(dir, 0o700))
	program := filepath.Join(dir, "operator")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho asked\n"), 0o700))
	for _, shell := range []string{"bash", "zsh"} {
		script, err := completion.Script(shell, "operator", program)
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), bash, "-c", "autoload() { :; }; bashcompinit() { :; }\ncomplete() { eval \"$6\"; }\n"+script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", shell, out)
		require.Equal(t, "asked\n", string(out), shell)
	}
	require.NoFileExists(t, filepath.Join(dir, "oops"))

	script, err := completion.Script("fish", "acme-registry", `/it's\here`)
	require.NoError(t, err)
	require.Contains(t, script, "function __complete_acme_registry\n")
	require.Contains(t, script, `'/it\'s\\here'`)
	require.Contains(t, script, `complete -f -c acme-registry -a "(__complete_acme_registry)"`)
}

func TestScriptRefuses(t *testing.T) {
	t.Parallel()
	_, err := completion.Script("tcsh", "operator", "/operator")
	require.EqualError(t, err, "the shell must be bash, zsh or fish")
	_, err = completion.Script("bash", "acme registry", "/acme")
	require.ErrorContains(t, err, `completion is for a program of its own: "acme registry" is none`)
}
