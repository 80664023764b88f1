package setup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func lookup(env []string) setup.Lookup {
	return func(name string) (string, bool) {
		for i := len(env) - 1; i >= 0; i-- {
			if value, ok := strings.CutPrefix(env[i], name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

// file is a home with a credential.yaml.
func file(t *testing.T, text string) (env []string, path string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, ".config", "rise", "credential.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return []string{"HOME=" + dir}, path
}

const (
	two = `
hosts:
  registry.example.com: {url: "https://rise.example.com", project: hello, token_file: /run/token}
  localhost:5001:
    url: http://localhost:3000
    project: other
    access: pull
    token_command: [print-token, "--for me"]
`
	one = `
hosts:
  registry.example.com: {url: "https://rise.example.com", project: hello, token_variable: RISE_TOKEN}
`
)

// For each set-up, what is asked for registry.example.com.
func TestEntries(t *testing.T) {
	t.Parallel()
	whole := []string{"RISE_URL=https://rise.example.com", "RISE_REGISTRY=registry.example.com", "RISE_PROJECT=hello"}
	fromFile := setup.Entry{URL: "https://rise.example.com", Project: "hello", TokenFile: "/run/token"}
	named := setup.Entry{URL: "https://rise.example.com", Project: "hello", TokenVariable: "RISE_TOKEN"}
	for name, test := range map[string]struct {
		file string
		env  []string
		want setup.Entry
		err  string // part of it; want is nothing then
	}{
		"environment": {env: append(whole, "RISE_TOKEN=a-token-of-0815"), want: setup.Entry{
			URL: "https://rise.example.com", Project: "hello", Token: provider.NewSecret("a-token-of-0815"),
		}},
		"all of it": {
			env: append(whole, "RISE_URL=http://rise:3000", "RISE_INSECURE=true", "RISE_ACCESS=pull", "RISE_CA_FILE=/ca", "RISE_TOKEN_FILE=/run/token"),
			want: setup.Entry{
				URL: "http://rise:3000", Project: "hello", Access: provider.Pull, CAFile: "/ca", Insecure: true, TokenFile: "/run/token",
			},
		},
		"over a file that is broken": {
			file: "{", env: append(whole, "RISE_AUDIENCE=rise.example.com"),
			want: setup.Entry{URL: "https://rise.example.com", Project: "hello", GitHubAudience: "rise.example.com"},
		},
		"file":                       {file: two, want: fromFile},
		"file, another project":      {file: one, env: []string{"RISE_PROJECT=shop", "RISE_ACCESS=pull"}, want: setup.Entry{URL: named.URL, Project: "shop", Access: provider.Pull, TokenVariable: "RISE_TOKEN"}},
		"file and its own variable":  {file: one, env: []string{"RISE_TOKEN=a-token-of-0815"}, want: named},
		"one of several":             {file: two, env: []string{"RISE_PROJECT=shop", "RISE_REGISTRY=registry.example.com"}, want: setup.Entry{URL: fromFile.URL, Project: "shop", TokenFile: "/run/token"}},
		"the other one":              {file: two, env: []string{"RISE_PROJECT=shop", "RISE_REGISTRY=localhost:5001"}, want: fromFile},
		"a variable of the file":     {file: strings.ReplaceAll(one, "hello", "'${PROJECT:-shop}'"), want: setup.Entry{URL: named.URL, Project: "shop", TokenVariable: "RISE_TOKEN"}},
		"several, and no registry":   {file: two, env: []string{"RISE_PROJECT=shop"}, err: "set RISE_REGISTRY to the one that it is for"},
		"a registry not in the file": {file: two, env: []string{"RISE_REGISTRY=example.com"}, err: "names a registry that"},

		"half: no project":     {env: append(whole, "RISE_PROJECT=", "RISE_TOKEN=a-token-of-0815"), err: "RISE_PROJECT is missing"},
		"half: no registry":    {env: append(whole, "RISE_REGISTRY=", "RISE_TOKEN=a-token-of-0815"), err: "RISE_REGISTRY, the registry's host, is empty"},
		"half: no token":       {env: whole, err: "there is no token: set RISE_TOKEN_FILE"},
		"half: on GitHub":      {env: append(whole, "ACTIONS_ID_TOKEN_REQUEST_URL=https://x"), err: "RISE_AUDIENCE is missing"},
		"half: rights missing": {env: append(whole, "GITHUB_ACTIONS=true"), err: "id-token: write"},
		"half: on GitLab":      {env: append(whole, "GITLAB_CI=true"), err: "id_tokens"},
		"half: no URL":         {env: append(whole, "RISE_URL=", "RISE_TOKEN=a-token-of-0815"), err: "but not RISE_URL"},
		"half: a token alone":  {env: []string{"RISE_TOKEN=a-token-of-0815"}, err: "RISE_TOKEN is set, but not RISE_URL"},
		"mixed: two tokens":    {env: append(whole, "RISE_TOKEN=a-token-of-0815", "RISE_TOKEN_FILE=/run/token"), err: "several tokens, RISE_TOKEN and RISE_TOKEN_FILE; keep one"},
		"mixed with a file":    {file: two, env: []string{"RISE_TOKEN=a-token-of-0815"}, err: "RISE_TOKEN is set without RISE_URL"},
		"mixed: an audience":   {file: one, env: []string{"RISE_AUDIENCE=x", "RISE_CA_FILE=/x"}, err: "RISE_AUDIENCE and RISE_CA_FILE are set without RISE_URL"},

		"bad access":    {env: append(whole, "RISE_TOKEN=a-token-of-0815", "RISE_ACCESS=all"), err: "RISE_ACCESS must be push or pull"},
		"bad project":   {file: one, env: []string{"RISE_PROJECT=A"}, err: "RISE_PROJECT isn't a project's name"},
		"bad insecure":  {env: append(whole, "RISE_TOKEN=a-token-of-0815", "RISE_INSECURE=1"), err: "RISE_INSECURE must be true or false"},
		"bad token":     {env: append(whole, "RISE_TOKEN=$CI_TOKEN"), err: "RISE_TOKEN"},
		"bad URL":       {env: append(whole, "RISE_TOKEN=a-token-of-0815", "RISE_URL=rise.example.com"), err: "RISE_URL"},
		"plain HTTP":    {env: append(whole, "RISE_TOKEN=a-token-of-0815", "RISE_URL=http://rise.example.com"), err: "http://"},
		"URL with both": {env: append(whole, "RISE_TOKEN=a-token-of-0815", "RISE_URL=https://me:secret@rise.example.com"), err: "RISE_URL"},
		"relative path": {env: append(whole, "RISE_TOKEN_FILE=token"), err: "RISE_TOKEN_FILE must be an absolute path"},
		"bad registry":  {env: append(whole, "RISE_REGISTRY=https://registry.example.com", "RISE_TOKEN=a-token-of-0815"), err: "no scheme, no path"},

		"file: unknown key":  {file: strings.ReplaceAll(one, "project", "projekt"), err: `did you mean "project"`},
		"file: no token":     {file: strings.ReplaceAll(one, "token_variable: RISE_TOKEN", ""), err: "token_file: there is no token: set token_file"},
		"file: two tokens":   {file: strings.ReplaceAll(one, "token_variable", "token_file: /x, token_variable"), err: "several tokens, token_file and token_variable"},
		"file: bad host":     {file: strings.ReplaceAll(one, "registry.example.com:", `"https://registry.example.com":`), err: "no scheme, no path"},
		"file: on the Hub":   {file: strings.ReplaceAll(one, "registry.example.com:", "registry:"), err: "neither a dot nor a port"},
		"file: upper case":   {file: strings.ReplaceAll(one, "registry.example.com:", "Registry.example.com:"), err: "lower case"},
		"file: twice":        {file: one + "  docker.io: {url: 'https://x.example', project: a, token_variable: X}\n  index.docker.io: {url: 'https://x.example', project: a, token_variable: X}\n", err: "two entries are for index.docker.io"},
		"file: bad access":   {file: strings.ReplaceAll(one, "project", "access: all, project"), err: "access"},
		"file: relative":     {file: strings.ReplaceAll(one, "token_variable: RISE_TOKEN", "token_file: t"), err: "must be an absolute path"},
		"file: no program":   {file: strings.ReplaceAll(one, "token_variable: RISE_TOKEN", "token_command: ['']"), err: "has no program"},
		"file: bad variable": {file: strings.ReplaceAll(one, "hello", "'${NOT_SET}'"), err: "NOT_SET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{"HOME=" + t.TempDir()}
			if test.file != "" {
				env, _ = file(t, test.file)
			}
			s, err := setup.Load(lookup(append(env, test.env...)))
			var got setup.Entry
			if err == nil {
				var ours bool
				got, ours, err = s.For("registry.example.com")
				require.True(t, ours)
			}
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				require.NotContains(t, err.Error(), "a-token-of-0815")
				require.NotContains(t, err.Error(), "secret")
				return
			}
			require.NoError(t, err)
			require.True(t, test.want.Equal(got), "%+v", got)
		})
	}
}

// Nothing at all is a set-up without registries.
func TestNothing(t *testing.T) {
	t.Parallel()
	s, err := setup.Load(lookup([]string{"HOME=" + t.TempDir()}))
	require.ErrorIs(t, err, setup.ErrNone)
	require.Empty(t, s.Hosts())
	_, err = setup.Load(lookup(nil))
	require.ErrorIs(t, err, setup.ErrNone)
	require.ErrorContains(t, err, "neither HOME nor XDG_CONFIG_HOME")
}

// Errors of a file say where.
func TestPositions(t *testing.T) {
	t.Parallel()
	env, path := file(t, "hosts:\n  registry.example.com:\n    url: https://rise.example.com\n    project: Hello\n    token_variable: X\n")
	_, err := setup.Load(lookup(env))
	require.ErrorContains(t, err, path+`:4: hosts["registry.example.com"].project: isn't a project's name`)
}

// The file is one: what else is in its folder isn't read, and XDG_CONFIG_HOME moves it.
func TestPlace(t *testing.T) {
	t.Parallel()
	env, path := file(t, one)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "local.yaml"), []byte("hosts: {example.com: {}}"), 0o600))
	s, err := setup.Load(lookup(env))
	require.NoError(t, err)
	require.Equal(t, []string{"registry.example.com"}, s.Hosts())
	require.Equal(t, path, s.Where)

	s, err = setup.Load(lookup([]string{"HOME=/nonexistent", "XDG_CONFIG_HOME=" + filepath.Dir(filepath.Dir(path))}))
	require.NoError(t, err)
	require.Equal(t, path, s.Where)
	_, err = setup.Load(lookup(append(env, "XDG_CONFIG_HOME=not/absolute")))
	require.NoError(t, err)

	require.NoError(t, os.Rename(path, strings.TrimSuffix(path, "aml")+"ml"))
	s, err = setup.Load(lookup(env))
	require.NoError(t, err)
	require.Len(t, s.Hosts(), 1)
}

// A token in a file that others may read is refused.
func TestOthersCanRead(t *testing.T) {
	t.Parallel()
	env, path := file(t, strings.ReplaceAll(one, "token_variable: RISE_TOKEN", "token: a-token-of-0815"))
	_, err := setup.Load(lookup(env))
	require.NoError(t, err)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o602} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := setup.Load(lookup(env))
		require.ErrorContains(t, err, "chmod 600 "+path)
		require.NotContains(t, err.Error(), "a-token-of-0815")
	}
	env, path = file(t, one)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = setup.Load(lookup(env))
	require.NoError(t, err, "there is no token in it")
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"https://index.docker.io/v1/": "index.docker.io", "docker.io": "index.docker.io", "registry-1.docker.io": "index.docker.io",
		"https://registry.example.com:5000/v2/": "registry.example.com:5000", "Registry.example.com/a/b": "registry.example.com", "": "",
		"HTTP://registry.example.com": "registry.example.com", "evil.example/x://registry.example.com": "evil.example", "evil.example?://registry.example.com": "evil.example?:",
		"ftp://registry.example.com": "ftp:", "https://http://registry.example.com": "http:", "\u0130.example.com": "\u0130.example.com", "\u212a.example.com": "\u212a.example.com",
	} {
		require.Equal(t, want, setup.HostOf(asked))
	}
}
