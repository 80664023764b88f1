package credentialhelper_test

import (
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper"
)

// The program itself is one static file, small, without what it doesn't need, and speaks with a client.
func TestProgram(t *testing.T) {
	t.Parallel()
	path := helperPath(t)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(20<<20))
	if runtime.GOOS == "linux" {
		file, err := elf.Open(path)
		require.NoError(t, err)
		libraries, err := file.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
		for _, p := range file.Progs {
			require.NotEqual(t, elf.PT_INTERP, p.Type)
		}
		require.NoError(t, file.Close())
	}
	built, err := buildinfo.ReadFile(path)
	require.NoError(t, err)
	for _, m := range built.Deps {
		for _, heavy := range []string{"aws", "k8s.io", "prometheus", "go-oidc", "kong"} {
			require.NotContains(t, m.Path, heavy)
		}
	}

	cmd := exec.CommandContext(t.Context(), path, "get")
	cmd.Env, cmd.Stdin = environment("https://127.0.0.1:1"), strings.NewReader("https://index.docker.io/v1/")
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Empty(t, exit.Stderr)
	require.Equal(t, notFound, string(out))
	version, err := exec.CommandContext(t.Context(), path, "--version").Output()
	require.NoError(t, err)
	require.Regexp(t, "^"+credentialhelper.Name+` \S+\n$`, string(version))
}
