package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// pasted runs lines in a shell, one after the other, as somebody would who has nothing else, and returns what it printed with each line's exit code.
func pasted(t *testing.T, env []string, lines ...string) string {
	t.Helper()
	var script strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&script, "%s\necho \"exit $?\"\n", line)
	}
	file := filepath.Join(t.TempDir(), "pasted.sh")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o600))
	return realtest.Must(t, append(env, "NO_PROXY=127.0.0.1"), realtest.Program(t, "bash"), file)
}

// The commands that the server prints show all of it to who pastes them: with each client, and with none.
func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*testing.T) []string
		// refused is what is printed at last, in each mode.
		development, ecrLocal string
		// code is the last line's.
		code int
	}{
		"docker": {func(t *testing.T) []string { t.Helper(); return []string{realtest.Engine(t)} }, goodForHello, deniedOther, 1},
		"podman": {func(t *testing.T) []string { t.Helper(); return []string{realtest.Storage(t)} }, refusals["podman"], "403 (Forbidden)", 125},
		"skopeo": {func(*testing.T) []string { return nil }, refusals["skopeo"], "403 (Forbidden)", 1},
		"":       {func(*testing.T) []string { return nil }, goodForHello, deniedOther, 0},
	} {
		for mode, refused := range map[string]string{"development": tt.development, "ecr-local": tt.ecrLocal} {
			t.Run(fmt.Sprint(mode, ", ", name), func(t *testing.T) {
				t.Parallel()
				realtest.Program(t, "curl")
				if name != "" {
					realtest.Program(t, name)
				}
				environ := append(tt.prepare(t), "DOCKER_CONFIG="+t.TempDir())
				s := startInstalled(t, configload.Loader{LookupEnv: env(map[string]string{
					"RISE_CONFIG_RUN_MODE": mode, "RISE_LISTEN": "127.0.0.1:0", "RISE_REGISTRY_LISTEN": realtest.FreeAddress(t),
				})}, name)
				require.Eventually(t, func() bool { // the rest of it comes after start has seen where it serves
					_, last, ok := strings.Cut(s.printed.String(), "is refused:\n\n")
					return ok && strings.HasSuffix(last, "\n\n")
				}, 30*time.Second, time.Millisecond)
				walk, _, _ := strings.Cut(s.printed.String(), operatorLine)
				lines := indented(walk)
				require.GreaterOrEqual(t, len(lines), 5)
				require.NotContains(t, strings.Join(lines, "\n"), "/tmp", "a name that others can foresee may be theirs")
				out := pasted(t, environ, lines...)
				require.Contains(t, out, `"repository":"hello"`)
				if name == "" {
					require.Contains(t, out, "\n201\nexit 0\n201\nexit 0\n")
				} else {
					require.Contains(t, out, "Login Succeeded")
				}
				require.Equal(t, len(lines)-1, strings.Count(strings.TrimSuffix(out, "exit 0\n"), "exit 0\n"), out)
				require.True(t, strings.HasSuffix(out, fmt.Sprintf("exit %d\n", tt.code)), out)
				require.Contains(t, out, refused)
			})
		}
	}
}

// indented are the lines that are to be pasted.
func indented(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	return lines
}
