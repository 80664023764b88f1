//go:build linux

package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// docBlock is the one block of docs/deploying.md that begins with a line, without that line.
func docBlock(t *testing.T, language, first string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/deploying.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?m)^```"+language+"\n"+regexp.QuoteMeta(first)+"\n((?s:.*?))^```$").FindAllStringSubmatch(string(page), -1)
	require.Len(t, found, 1, first)
	return found[0][1]
}

// paste pastes a block of commands into a shell in a folder, all of which have to succeed, and returns what they printed. before are functions that stand for
// what can't be run here.
func paste(t *testing.T, dir string, environ []string, before, block string) realtest.Output {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), realtest.Program(t, "bash"), "-euo", "pipefail", "-c", before+"\n"+block)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	return realtest.Output{Text: string(out), Err: err}
}

// mustPaste is paste for what has to succeed.
func mustPaste(t *testing.T, dir string, environ []string, before, block string) string {
	t.Helper()
	out := paste(t, dir, environ, before, block)
	require.NoError(t, out.Err, out.Text)
	return out.Text
}

// Every block of the page is one that a test runs, or says here why none does.
func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/deploying.md")
	require.NoError(t, err)
	tests, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var run strings.Builder
	for _, name := range tests {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		run.Write(text)
	}
	unrun := []string{"# needs a clone, a registry, and a login to it"} // TestImage pushes
	blocks := regexp.MustCompile("(?m)^```sh\n(.*)\n").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 7)
	for _, b := range blocks {
		require.Contains(t, run.String()+strings.Join(unrun, "\n"), b[1])
	}
}
