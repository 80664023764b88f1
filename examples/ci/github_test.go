package ci_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runner is GitHub's, for one job.
type runner struct {
	*machine
	variables map[string]string
	masks     []string
}

func newRunner(t *testing.T, w *world, without ...string) *runner {
	t.Helper()
	r := &runner{machine: newMachine(t, without...)}
	r.variables = map[string]string{
		"GITHUB_ACTIONS": "true", "RUNNER_TEMP": r.temp, "PATH": r.bin,
		"ACTIONS_ID_TOKEN_REQUEST_URL": w.github.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": gitHubRequestToken,
	}
	return r
}

// uses runs the action's steps, as a runner does, and returns what the log shows.
func (r *runner) uses(t *testing.T, with map[string]string) (log string, ok bool) {
	t.Helper()
	a := readAction(t)
	inputs := map[string]string{}
	for name, input := range a.Inputs {
		inputs[name] = input.Default
		if value, given := with[name]; given {
			inputs[name] = value
		} else if input.Required {
			t.Fatalf("input %s is required", name)
		}
	}
	for name := range with {
		require.Contains(t, a.Inputs, name)
	}
	for _, s := range a.Runs.Steps {
		env := map[string]string{}
		for name, value := range s.Env {
			env[name] = evaluate(t, value, inputs)
		}
		var said string
		if said, ok = r.step(t, env, s.Run); !ok {
			return log + said, false
		}
		log += said
	}
	return log, ok
}

var expression = regexp.MustCompile(`\$\{\{ *([^}]*?) *\}\}`)

// evaluate knows "inputs.x", "github.action_ref" and "||".
func evaluate(t *testing.T, value string, inputs map[string]string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(value, func(e string) string {
		for alternative := range strings.SplitSeq(expression.FindStringSubmatch(e)[1], "||") {
			result := "v9.8.7" // the tag that a workflow uses
			if alternative = strings.TrimSpace(alternative); alternative != "github.action_ref" {
				input, isInput := strings.CutPrefix(alternative, "inputs.")
				require.True(t, isInput, alternative)
				require.Contains(t, inputs, input)
				result = inputs[input]
			}
			if result != "" {
				return result
			}
		}
		return ""
	})
}

// step runs one step, and does what it says by files and commands.
func (r *runner) step(t *testing.T, env map[string]string, script string) (log string, ok bool) {
	t.Helper()
	dir := t.TempDir()
	file, environment, path := filepath.Join(dir, "step.sh"), filepath.Join(dir, "env"), filepath.Join(dir, "path")
	write(t, file, script)
	write(t, environment, "")
	write(t, path, "")
	variables := maps.Clone(r.variables)
	maps.Copy(variables, env)
	variables["GITHUB_ENV"], variables["GITHUB_PATH"] = environment, path
	said, ok := r.run(t, variables, "/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", file)
	for line := range strings.Lines(said) {
		if mask, is := strings.CutPrefix(line, "::add-mask::"); is {
			r.masks = append(r.masks, strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(strings.TrimSuffix(mask, "\n")))
			continue
		}
		for _, mask := range r.masks {
			line = strings.ReplaceAll(line, mask, "***")
		}
		log += line
	}
	r.set(t, environment, path)
	return log, ok
}

// set reads the files that a step has written.
func (r *runner) set(t *testing.T, environment, path string) {
	t.Helper()
	content, err := os.ReadFile(environment)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		name, value, is := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		require.True(t, is, line)
		r.variables[name] = value
	}
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		r.variables["PATH"] = strings.TrimSuffix(line, "\n") + ":" + r.variables["PATH"]
	}
}

func (w *world) inputs(more ...string) map[string]string {
	with := map[string]string{"url": w.service.URL, "registry": w.host(), "project": "hello", "audience": audience}
	for i := 0; i+1 < len(more); i += 2 {
		with[more[i]] = more[i+1]
	}
	return with
}

// After the step, a client pushes and pulls the project's images, and its other logins are what they were.
func TestGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newRunner(t, w)
	r.install(t, "docker-credential-rise", w.program)
	config := filepath.Join(r.home, ".docker", "config.json")
	write(t, config, `{"auths": {"other.example.com": {"auth": "b3RoZXI6bG9naW4="}}, "credHelpers": {"gcr.io": "gcloud"}}`)

	log, ok := r.uses(t, w.inputs())
	require.True(t, ok, log)
	require.Len(t, r.masks, 1)
	require.Equal(t, passwordStart+"1"+passwordEnd, r.masks[0])
	r.noSecrets(t, log)
	written, err := os.ReadFile(config)
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"auths": {"other.example.com": {"auth": "b3RoZXI6bG9naW4="}}, "credHelpers": {"gcr.io": "gcloud", %q: "rise"}}`, w.host()), string(written))

	log, ok = r.step(t, nil, pushes(t, w.host()+"/rise/hello:v1"))
	require.True(t, ok, log)
	r.noSecrets(t, log)
	log, ok = r.step(t, nil, pushes(t, w.host()+"/rise/other:v1"))
	require.False(t, ok, "another project's repository")
	require.Contains(t, log, "403 Forbidden")

	// Another job on the same machine has another project: each asks for its own.
	other := newRunner(t, w)
	other.machine = r.machine
	other.variables["PATH"] = r.bin
	log, ok = other.uses(t, w.inputs("project", "unknown", "check", "false"))
	require.True(t, ok, log)
	log, ok = r.step(t, nil, pushes(t, w.host()+"/rise/hello:v2"))
	require.True(t, ok, log)
	log, ok = other.step(t, nil, pushes(t, w.host()+"/rise/hello:v3"))
	require.False(t, ok)
	require.Contains(t, log, "knows no such project")
}

// The helper comes from where the inputs say, and isn't run if it is another one.
func TestGitHubHelper(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		without []string
		prepare func(*testing.T, *runner)
		with    []string
		fails   string
	}{
		"curl":            {nil, nil, []string{"helper-url", w.downloads.URL, "helper-sha256", w.sum}, ""},
		"wget":            {[]string{"curl"}, nil, []string{"helper-url", w.downloads.URL, "helper-sha256", w.sum}, ""},
		"another program": {nil, nil, []string{"helper-url", w.downloads.URL, "helper-sha256", strings.Repeat("0", 64)}, "SHA-256"},
		"no sum":          {nil, nil, []string{"helper-url", w.downloads.URL}, "RISE_HELPER_SHA256 is missing"},
		"without TLS":     {nil, nil, []string{"helper-url", w.service.URL, "helper-sha256", w.sum}, "begin with https://"},
		"nothing":         {nil, nil, nil, "isn't on PATH"},
		"Go": {nil, func(t *testing.T, r *runner) {
			t.Helper()
			fake, err := filepath.Abs("testdata/go.sh")
			require.NoError(t, err)
			r.install(t, "go", fake)
			r.variables["TEST_HELPER"] = w.program
		}, nil, ""},
		"on PATH": {nil, func(t *testing.T, r *runner) { t.Helper(); r.install(t, "docker-credential-rise", w.program) }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, w, tt.without...)
			wgetrc := filepath.Join(r.home, "wgetrc")
			write(t, wgetrc, "ca_certificate = "+w.authority+"\n")
			r.variables["CURL_CA_BUNDLE"], r.variables["WGETRC"] = w.authority, wgetrc
			if tt.prepare != nil {
				tt.prepare(t, r)
			}
			log, ok := r.uses(t, w.inputs(tt.with...))
			if tt.fails != "" {
				require.False(t, ok)
				require.Contains(t, log, tt.fails)
				require.Contains(t, log, "::error")
				require.NotContains(t, r.variables["PATH"], "rise")
				require.NoFileExists(t, filepath.Join(r.home, ".docker", "config.json"), "it wasn't run")
				return
			}
			require.True(t, ok, log)
			log, ok = r.step(t, nil, pushes(t, w.host()+"/rise/hello:v1"))
			require.True(t, ok, log)
			r.noSecrets(t, log)
		})
	}
}

// What is wrong is said by the step, as an error that the workflow shows, and leaves nothing for later ones.
func TestGitHubFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		with    []string
		prepare func(*runner)
		says    []string
	}{
		"audience":      {[]string{"audience", "another.example.com"}, nil, []string{"::error", "doesn't accept the token"}},
		"project":       {[]string{"project", "unknown"}, nil, []string{"::error", "knows no such project"}},
		"no project":    {[]string{"project", ""}, nil, []string{"::error", "--project"}},
		"a name":        {[]string{"project", "$(touch injected)"}, nil, []string{"::error", "project name"}},
		"lines":         {[]string{"project", "hello\nPATH=/evil"}, nil, []string{"::error", "RISE_PROJECT has more than one line"}},
		"access":        {[]string{"access", "delete"}, nil, []string{"::error", "push or pull"}},
		"registry":      {[]string{"registry", "registry.example.com"}, nil, []string{"::error", "registry.example.com"}},
		"no service":    {[]string{"url", w.registry.URL}, nil, []string{"::error", "no credentials endpoint"}},
		"a login page":  {[]string{"url", w.github.URL}, nil, []string{"::error", "401", "text/plain"}},
		"plain http":    {[]string{"url", "http://deploy.example.com"}, nil, []string{"::error", "https://"}},
		"permission":    {nil, func(r *runner) { delete(r.variables, "ACTIONS_ID_TOKEN_REQUEST_URL") }, []string{"::error", "id-token: write"}},
		"request token": {nil, func(r *runner) { r.variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "expired-4669" }, []string{"::error", "GitHub"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, w)
			r.install(t, "docker-credential-rise", w.program)
			if tt.prepare != nil {
				tt.prepare(r)
			}
			before := maps.Clone(r.variables)
			log, ok := r.uses(t, w.inputs(tt.with...))
			require.False(t, ok, log)
			for _, says := range tt.says {
				require.Contains(t, log, says)
			}
			require.Equal(t, before, r.variables)
			require.NoFileExists(t, filepath.Join(r.home, "injected"))
			if name != "lines" && name != "permission" {
				r.noSecrets(t, log)
			}
		})
	}
}
