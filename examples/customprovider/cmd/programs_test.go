//go:build unix

package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const key = "0123456789abcdef0123456789abcdef"

// program builds one of the commands.
func program(t *testing.T, name string) (path string) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(name, "main.go"))
	require.NoError(t, err)
	require.LessOrEqual(t, bytes.Count(source, []byte("\n")), 20, "lines of %s", name)
	path = filepath.Join(t.TempDir(), name)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./"+name).CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

func environment(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "production.yaml"), []byte(`
server: {listen: "127.0.0.1:0"}
auth: {tokens: [{token: ci-token-of-hello, subject: ci, projects: [hello], access: push}]}
registry: {type: signed-login, host: registry.example.com, key: "${KEY}"}
`), 0o600))
	return []string{"RISE_CONFIG_DIR=" + dir, "RISE_CONFIG_RUN_MODE=production", "KEY=" + key}
}

// requireLogin: the answer holds a login that the gate takes for hello.
func requireLogin(t *testing.T, answer []byte, access provider.Access) {
	t.Helper()
	var got struct {
		Credentials struct {
			RegistryURL string `json:"registry_url"`
			Username    string `json:"username"`
			Password    string `json:"password"`
		} `json:"credentials"`
	}
	require.NoError(t, json.Unmarshal(answer, &got), string(answer))
	require.Equal(t, "registry.example.com/hello", got.Credentials.RegistryURL)
	project, can, ok := customprovider.Check(provider.NewSecret(key), got.Credentials.Username, got.Credentials.Password, time.Now())
	require.True(t, ok)
	require.Equal(t, "hello", project)
	require.Equal(t, access, can)
}

func TestServer(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program(t, "customprovider-server"))
	cmd.Env = environment(t)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stop := func() error { _ = cmd.Process.Signal(syscall.SIGTERM); return cmd.Wait() }
	t.Cleanup(func() { _ = stop() })
	url := ""
	for lines := bufio.NewScanner(stdout); url == "" && lines.Scan(); {
		url = regexp.MustCompile(`http://[^']+`).FindString(lines.Text())
	}
	require.NotEmpty(t, url)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer ci-token-of-hello")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // read
	require.Equal(t, http.StatusOK, response.StatusCode)
	var answer bytes.Buffer
	_, err = answer.ReadFrom(response.Body)
	require.NoError(t, err)
	requireLogin(t, answer.Bytes(), provider.Push)
	require.NoError(t, stop())
	require.Contains(t, log.String(), "provider=signed-login")
	require.NotContains(t, log.String(), key)
}

func TestOperator(t *testing.T) {
	t.Parallel()
	operator, env := program(t, "customprovider-operator"), environment(t)
	run := func(args ...string) (stdout, stderr string, err error) {
		var out, errs strings.Builder
		cmd := exec.CommandContext(t.Context(), operator, args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	answer, stderr, err := run("credentials", "hello", "--access", "pull")
	require.NoError(t, err, stderr)
	requireLogin(t, []byte(answer), provider.Pull)
	text, stderr, err := run("check-config")
	require.NoError(t, err, stderr)
	require.Contains(t, text, "  type: signed-login\n")
	require.NotContains(t, text, key)
	text, _, err = run("--help")
	require.NoError(t, err)
	require.Contains(t, text, "Usage: customprovider-operator <command>")
	_, stderr, err = run("diagnose")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, stderr, "has no diagnosis")
}
