package ci_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// shells are what GitLab's runner finds in images.
var shells = map[string][]string{"bash": {"bash"}, "dash": {"dash"}, "busybox": {"busybox", "sh"}}

// extends runs a job that extends the template, as GitLab's runner does: before_script and script in one shell that ends with the first command that fails.
func (m *machine) extends(t *testing.T, shell []string, variables map[string]string, script string) (log string, ok bool) {
	t.Helper()
	before, aud := readTemplate(t)
	all := map[string]string{"GITLAB_CI": "true", "RISE_TOKEN_VARIABLE": "RISE_ID_TOKEN"}
	maps.Copy(all, variables)
	if audience, set := all[strings.TrimPrefix(aud, "$")]; set {
		all["RISE_ID_TOKEN"] = gitLabTokenStart + audience
	}
	options := "set -e\n"
	if shell[0] == "bash" {
		options = "set -eo pipefail\nset +o noclobber\n"
	}
	file := filepath.Join(t.TempDir(), "job.sh")
	write(t, file, options+before+"\n"+script+"\n")
	path, err := exec.LookPath(shell[0])
	require.NoError(t, err)
	return m.run(t, all, append(append([]string{path}, shell[1:]...), file)...)
}

func (w *world) variables(more ...string) map[string]string {
	all := map[string]string{"RISE_URL": w.service.URL, "RISE_REGISTRY": w.host(), "RISE_PROJECT": "hello", "RISE_TOKEN_AUDIENCE": audience}
	for i := 0; i+1 < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// A job that extends the template pushes, whatever its shell, and with the helper from anywhere.
func TestGitLab(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, shell := range shells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Program(t, shell[0])
			m := newMachine(t)
			m.install(t, "docker-credential-rise", w.program)
			log, ok := m.extends(t, shell, w.variables(), pushes(t, w.host()+"/rise/hello:"+name))
			require.True(t, ok, log)
			m.noSecrets(t, log)
			config, err := os.ReadFile(filepath.Join(m.home, ".docker", "config.json"))
			require.NoError(t, err)
			require.JSONEq(t, `{"credHelpers": {"`+w.host()+`": "rise"}}`, string(config))

			downloads := newMachine(t)
			log, ok = downloads.extends(t, shell, w.variables("RISE_HELPER_URL", w.downloads.URL, "RISE_HELPER_SHA256", w.sum, "CURL_CA_BUNDLE", w.authority),
				pushes(t, w.host()+"/rise/hello:"+name))
			require.True(t, ok, log)
			downloads.noSecrets(t, log)
		})
	}
}

// What is wrong ends the job before its script, in words.
func TestGitLabFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		variables []string
		says      string
	}{
		"audience":        {[]string{"RISE_TOKEN_AUDIENCE", "another.example.com"}, "doesn't accept the token"},
		"project":         {[]string{"RISE_PROJECT", "unknown"}, "knows no such project"},
		"unset":           {[]string{"RISE_PROJECT", "", "RISE_URL", ""}, "aren't set: RISE_URL RISE_PROJECT"},
		"a name":          {[]string{"RISE_PROJECT", "$(touch injected)"}, "project name"},
		"access":          {[]string{"RISE_ACCESS", "delete"}, "push or pull"},
		"no service":      {[]string{"RISE_URL", w.registry.URL}, "no credentials endpoint"},
		"another program": {[]string{"RISE_HELPER_URL", w.downloads.URL, "RISE_HELPER_SHA256", "00", "CURL_CA_BUNDLE", w.authority}, "SHA-256"},
		"CA file":         {[]string{"RISE_CA_FILE", "/nowhere.pem"}, "nowhere.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for shell, command := range shells {
				if shell == "busybox" {
					continue // dash has seen it
				}
				m := newMachine(t)
				m.install(t, "docker-credential-rise", w.program)
				log, ok := m.extends(t, command, w.variables(tt.variables...), "echo the script runs")
				require.False(t, ok, log)
				require.Contains(t, log, tt.says)
				require.NotContains(t, log, "the script runs")
				require.NoFileExists(t, filepath.Join(m.home, "injected"))
			}
		})
	}
	m := newMachine(t)
	m.install(t, "docker-credential-rise", w.program)
	log, ok := m.extends(t, shells["bash"], w.variables("RISE_PROJECT", "unknown", "RISE_CHECK", "false"), "echo the script runs")
	require.True(t, ok, log)
	require.Contains(t, log, "the script runs")
}
