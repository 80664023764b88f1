package credentialhelper_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper"
)

const notFound = "credentials not found in native keychain\n"

// The registry's host, however it is written, gets what the endpoint answers.
func TestGet(t *testing.T) {
	t.Parallel()
	env := asked(t, credential("registry.example.com/rise/hello"))
	for _, host := range []string{
		"registry.example.com", "registry.example.com\n", "https://registry.example.com", "https://registry.example.com/v1/", "http://registry.example.com/",
		"registry.example.com/rise/hello", "registry.example.com/rise/other", "REGISTRY.example.com",
	} {
		o := run(t, env, host, "get")
		require.Zero(t, o.code, o.stderr)
		require.Empty(t, o.stderr)
		require.JSONEq(t, `{"ServerURL": "`+trimmed(host)+`", "Username": "AWS", "Secret": "`+password+`"}`, o.out)
	}
}

func trimmed(host string) string {
	if host[len(host)-1] == '\n' {
		return host[:len(host)-1]
	}
	return host
}

// Every other host is not found, exactly as docker wants it, and nobody is asked.
func TestOtherHosts(t *testing.T) {
	t.Parallel()
	env := asked(t, nobody(t))
	file := home(t, map[string]string{".config/rise/credential.yaml": "hosts:\n  registry.example.com: {url: 'https://rise.example.com', project: hello, token_variable: X}\n"})
	for _, env := range [][]string{env, {"HOME=" + file}} {
		for _, host := range []string{
			"https://index.docker.io/v1/", "docker.io", "example.com", "registry.example.com:443", "registry.example.com.evil.example", "evil.example/registry.example.com",
			"https://evil.example/https://registry.example.com", "xregistry.example.com", "registry.example.com@evil.example", "evil.example?registry.example.com",
			"registry.example.com#", "registry.example.com.", "::", "localhost",
			"evil.example/x://registry.example.com", "evil.example/://registry.example.com/v1/", "evil.example?://registry.example.com", "evil.example:443/#://registry.example.com",
			"user:password@evil.example://registry.example.com", "regİstry.example.com", "https://regıſtry.example.com", "registry.example.com\u3002evil.example",
		} {
			require.Equal(t, outcome{1, notFound, ""}, run(t, env, host, "get"), host)
		}
	}
	// What is wrong with our entry is none of theirs.
	require.Equal(t, outcome{1, notFound, ""}, run(t, append(env, "RISE_PROJECT=", "RISE_ACCESS=x", "RISE_TOKEN="), "example.com", "get"))
	require.Equal(t, outcome{1, notFound, ""}, run(t, []string{"HOME=" + file, "RISE_PROJECT=A B"}, "example.com", "get"))
}

// docker login and logout end with these.
func TestStoreAndErase(t *testing.T) {
	t.Parallel()
	env := asked(t, nobody(t))
	const stored = `{"ServerURL":"https://registry.example.com/v1/","Username":"me","Secret":"` + password + `"}`
	o := run(t, env, stored, "store")
	require.Zero(t, o.code)
	require.Empty(t, o.out)
	require.Contains(t, o.stderr, "nothing is kept")
	requireNoSecret(t, o)
	require.Equal(t, outcome{}, run(t, env, "https://registry.example.com/v1/", "erase"))

	o = run(t, env, `{"ServerURL":"example.com","Username":"me","Secret":"`+password+`"}`, "store")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.out, "credHelpers")
	require.Contains(t, o.stderr, "credHelpers")
	requireNoSecret(t, o)
	require.Equal(t, outcome{1, notFound, ""}, run(t, env, "example.com", "erase"))
	requireNoSecret(t, run(t, env, `{"ServerURL":"","Username":"me","Secret":"`+password+`"}`, "store"))
	requireNoSecret(t, run(t, env, password, "store"))
}

func TestList(t *testing.T) {
	t.Parallel()
	dir := home(t, map[string]string{".config/rise/credential.yaml": `
hosts:
  registry.example.com: {url: "https://rise.example.com", project: hello, token_variable: X}
  index.docker.io: {url: "https://rise.example.com", project: hello, token_variable: X}
  "[::1]:5000": {url: "https://rise.example.com", project: hello, token_variable: X}
`})
	o := run(t, []string{"HOME=" + dir}, "unused", "list")
	require.Zero(t, o.code, o.stderr)
	require.JSONEq(t, `{"registry.example.com": "rise", "https://index.docker.io/v1/": "rise", "[::1]:5000": "rise"}`, o.out)
	require.Equal(t, outcome{0, "{}\n", ""}, run(t, []string{"HOME=" + t.TempDir()}, "unused", "list"))
}

// What the endpoint answers and a helper can't hand on.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	ours := func() answer { return credential("registry.example.com/rise/hello") }
	for name, test := range map[string]struct {
		answer      answer
		out, stderr string
	}{
		"another host":      {credential("registry.example.org/rise/hello"), "registry.example.org", "registry.example.com"},
		"another port":      {credential("registry.example.com:5000/rise/hello"), "registry.example.com:5000", ""},
		"a bearer token":    {ours().with("auth_method", "registry_token").with("username", ""), "bearer token", `"registrytoken"`},
		"an identity token": {ours().with("username", "<token>"), "", ""},
		"the user's login": {
			answer{"registry_url": "registry.example.com/rise/hello", "username": "", "password": "", "auth_method": "login_credentials"},
			notFound, "docker login registry.example.com",
		},
		"no password": {ours().with("password", ""), "", ""},
		"expired":     {ours().with("expires_in", 0), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := run(t, asked(t, test.answer), "registry.example.com", "get")
			require.Equal(t, 1, o.code, o.out)
			require.Contains(t, o.out, test.out)
			require.Contains(t, o.stderr, test.stderr)
			requireNoSecret(t, o)
			t.Log(o.stderr)
		})
	}
}

// The access that is asked for is push, unless another one is wished for.
func TestAccess(t *testing.T) {
	t.Parallel()
	env := asked(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credential("registry.example.com/rise/hello").with("username", "may-"+r.URL.Query().Get("access")).ServeHTTP(w, r)
	}))
	for access, want := range map[string]string{"": "may-push", "push": "may-push", "pull": "may-pull"} {
		o := run(t, append(env, "RISE_ACCESS="+access), "registry.example.com", "get")
		require.Zero(t, o.code, o.stderr)
		require.Contains(t, o.out, want)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args        []string
		code        int
		out, stderr string
	}{
		"none":              {nil, 2, "", "Examples:"},
		"help":              {[]string{"--help"}, 0, "Examples:", ""},
		"version":           {[]string{"--version"}, 0, credentialhelper.Name + " ", ""},
		"docker's version":  {[]string{"version"}, 0, credentialhelper.Name + " ", ""},
		"unknown":           {[]string{"gte"}, 2, "", "--help"},
		"too many":          {[]string{"get", "registry.example.com"}, 2, "", "--help"},
		"no host":           {[]string{"get"}, 1, "no credentials server URL", "no credentials server URL"},
		"nothing to set up": {[]string{"configure", "--help"}, 0, "Examples:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := run(t, nil, "", test.args...)
			require.Equal(t, test.code, o.code)
			require.Contains(t, o.out, test.out)
			require.Contains(t, o.stderr, test.stderr)
			require.Equal(t, test.out == "", o.out == "")
			require.Equal(t, test.stderr == "", o.stderr == "")
		})
	}
}
