package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
)

// What isn't serving is done without a configuration.
func TestArguments(t *testing.T) {
	t.Parallel()
	nowhere := configload.Loader{Dir: t.TempDir(), LookupEnv: env(nil)}
	for _, flag := range []string{"-version", "--version"} {
		out, err := refused(t, nowhere, flag)
		require.NoError(t, err)
		require.Regexp(t, `^server \S+ \(.*go1\..*\)\n$`, out)
	}
	for shell, want := range map[string]string{"bash": "complete -o default", "zsh": "bashcompinit", "fish": "complete -f -c server"} {
		out, err := refused(t, nowhere, "completion", shell)
		require.NoError(t, err)
		require.Contains(t, out, want)
	}
	_, err := refused(t, nowhere, "completion", "tcsh")
	require.ErrorContains(t, err, "the shell must be bash, zsh or fish")
	out, err := refused(t, nowhere, "serve")
	require.EqualError(t, err, `"serve" is no argument of server`)
	require.Contains(t, out, "Usage of server")
	_, err = refused(t, nowhere, "-log-format", "xml")
	require.ErrorContains(t, err, "must be text or json")
}

// -config is where the files are, and -log-format json makes the log that, line by line.
func TestConfigAndLogFormat(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"development.yaml": ociConfig("registry.example.com")}).Dir
	s := startProgram(t, configload.Loader{LookupEnv: env(map[string]string{"RISE_CONFIG_DIR": "/nowhere"})}, service.Own{},
		server.Process{Args: []string{"--config", dir, "-log-format", "json"}})
	status, body, _ := s.ask(t, "ci-token-of-hello", "project=hello")
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, s.stop())
	lines := strings.Split(strings.TrimSpace(s.output.String()), "\n")
	require.Greater(t, len(lines), 2)
	for _, line := range lines {
		var record struct{ Time, Level, Msg string }
		require.NoError(t, json.Unmarshal([]byte(line), &record), line)
		require.NotEmpty(t, record.Msg, line)
	}
}
