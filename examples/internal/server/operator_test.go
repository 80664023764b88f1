//go:build unix

package server_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// operatorLine begins what is printed for the operator.
const operatorLine = "The operator works on the same account"

// The line that the server prints in mode ecr-local makes the operator work on its double of AWS, as long as it runs; the key is in a file of its
// user's alone.
func TestOperatorOfECRLocal(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	s := startECRLocal(t)
	var line string
	require.Eventually(t, func() bool {
		_, after, _ := strings.Cut(s.printed.String(), operatorLine)
		if lines := indented(after); len(lines) == 1 && strings.HasSuffix(after, "\n\n") {
			line = lines[0]
		}
		return line != ""
	}, 30*time.Second, time.Millisecond)
	require.NotContains(t, s.printed.String()+s.output.String(), "secret")
	file := regexp.MustCompile(`RISE_ECR_LOCAL_FILE='([^']+)'`).FindStringSubmatch(line)
	require.NotNil(t, file, line)
	for path, mode := range map[string]os.FileMode{file[1]: 0o600, filepath.Dir(file[1]): 0o700} {
		about, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, about.Mode().Perm(), path)
	}

	status, body, _ := s.ask(t, "rise-dev-token", "project=brand-new") // the endpoint makes its repository
	require.Equal(t, http.StatusOK, status, body)
	environ := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_USE_FIPS_ENDPOINT=true"}
	out := pasted(t, environ, "cd "+t.TempDir(), line, "operator repo list", "operator credentials hello > credential; grep -o AWS credential", "operator diagnose hello --write-probe",
		"operator check-config > /dev/null", "operator repo suspend hello")
	require.Equal(t, 7, strings.Count(out, "exit 0\n"), out)
	for _, want := range []string{
		"brand-new\trise/brand-new\t", "hello\trise/hello\t", "\nAWS\nexit 0\n", "✓ repository_access  the credential can push", "\ngood: ", "\nok: the configuration is valid, of type ecr\n",
	} {
		require.Contains(t, out, want)
	}
	status, body, _ = s.ask(t, "rise-dev-token", "project=hello")
	require.Equal(t, http.StatusConflict, status, "what the operator suspends is suspended for the endpoint: %s", body)

	require.NoError(t, s.stop())
	require.NoFileExists(t, file[1])
	require.NoDirExists(t, filepath.Dir(file[1]))
	out = pasted(t, environ, "cd "+t.TempDir(), line, "operator repo list")
	require.True(t, strings.HasSuffix(out, "exit 1\n"), out)
	require.Contains(t, out, "RISE_ECR_LOCAL_FILE: "+file[1]+" isn't there")
}

// A real bash completes what is typed, by what the programs print for it.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	bin, terminal := programs(t), realtest.Program(t, "script")
	bash := realtest.Program(t, "bash")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "only-file.txt"), []byte("hello\n"), 0o600))
	typed := strings.Join([]string{
		"PS1='' && cd " + dir + " && PATH=" + bin + ":$PATH",
		"source <(operator completion bash) && source <(server completion bash)",
		"operator check\t > one",                        // a command
		"operator credentials hello --acc\tpul\t > two", // a flag and its value: refused, as the built-in keys are the server's
		"operator reconcile --pro\tonl\t > three",       // a file
		"server -vers\t > four",
		"complete -p operator server > five",
		"exit", "",
	}, "\n")
	cmd := exec.CommandContext(t.Context(), terminal, "-qec", bash+" --norc --noprofile -i", os.DevNull)
	cmd.Env = []string{"HOME=" + dir, "TERM=dumb", "PATH=" + os.Getenv("PATH"), "HISTFILE="}
	cmd.Stdin = strings.NewReader(typed)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	wrote := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err, string(out))
		return string(text)
	}
	require.Contains(t, wrote("one"), "registry:\n  type: oci-token-issuer\n", string(out))
	require.Empty(t, wrote("two"))
	require.Contains(t, string(out), "keys are made by the server", "--access pull was a call that it takes")
	require.Empty(t, wrote("three"))
	require.NotContains(t, string(out), "no such file")
	require.Regexp(t, `^server `, wrote("four"))
	require.Equal(t, 2, strings.Count(wrote("five"), "complete -o bashdefault -o default -C "), wrote("five"))
}
