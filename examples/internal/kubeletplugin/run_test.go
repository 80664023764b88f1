package kubeletplugin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

// A pod's image is answered with the pull credential for its repository, for half of that credential's life; all others with nothing.
func TestAnswer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	token := podToken(t, time.Hour)
	url, caFile := served(t, -time.Hour, time.Hour, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+token || r.URL.Path != "/api/v1/registry/credentials" || r.URL.Query().Encode() != "access=pull&consumer=cluster&project=hello" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		says(http.StatusOK, response("registry.example.com/rise-apps/hello", time.Hour))(w, r)
	})
	env := map[string]string{"RISE_URL": url, "RISE_REGISTRY": "registry.example.com", "RISE_NAMESPACE": "rise-apps", "RISE_CA_FILE": caFile}

	out := run(t, env, request(t, "registry.example.com/rise-apps/hello", token)+"\n")
	require.Zero(t, out.code, out.stderr)
	require.Empty(t, out.stderr)
	var answer kubeletplugin.Response
	require.NoError(t, json.Unmarshal([]byte(out.stdout), &answer))
	kept, err := time.ParseDuration(answer.CacheDuration)
	require.NoError(t, err)
	require.LessOrEqual(t, kept, 30*time.Minute)
	require.Greater(t, kept, 25*time.Minute)
	require.Equal(t, kubeletplugin.Response{
		Kind: "CredentialProviderResponse", APIVersion: v1, CacheKeyType: "Image", CacheDuration: answer.CacheDuration,
		Auth: map[string]kubeletplugin.AuthConfig{"registry.example.com/rise-apps/hello": {Username: "rise", Password: password}},
	}, answer)
	require.EqualValues(t, 1, asked.Load())

	for _, image := range []string{"registry.example.com/rise-apps/hello/web", "registry.example.com/rise-apps-2/hello", "docker.io/library/nginx"} {
		require.Equal(t, outcome{0, `{"kind":"CredentialProviderResponse","apiVersion":"` + v1 + `","cacheKeyType":"Image","cacheDuration":"0s"}` + "\n", ""},
			run(t, env, request(t, image, token)))
	}
	require.EqualValues(t, 1, asked.Load(), "nobody learns of other images, nor gets the token")

	env["RISE_SUB_REPOSITORIES"] = "true"
	out = run(t, env, request(t, "registry.example.com/rise-apps/hello/web", token))
	require.Zero(t, out.code, out.stderr)
	require.Contains(t, out.stdout, `"auth":{"registry.example.com/rise-apps/hello/web":`)
}

// How long a kubelet keeps an answer: never beyond half of what is left.
func TestCacheDuration(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]time.Duration{
		response("registry.example.com/hello", 12*time.Hour): 6 * time.Hour,
		response("registry.example.com/hello", time.Minute):  30 * time.Second,
		response("registry.example.com/hello", time.Second):  0,
		`{"credentials":{"registry_url":"registry.example.com/hello","username":"u","password":"` + password + `","auth_method":"login_credentials"},"repository":"hello"}`: 5 * time.Minute,
	} {
		url := endpoint(t, says(http.StatusOK, body))
		out := run(t, nil, request(t, "registry.example.com/hello", podToken(t, time.Hour)), "--url", url, "--registry", "registry.example.com")
		if out.code == 1 && want == 0 { // the second is over
			continue
		}
		require.Zero(t, out.code, out.stderr)
		var answer kubeletplugin.Response
		require.NoError(t, json.Unmarshal([]byte(out.stdout), &answer))
		kept, err := time.ParseDuration(answer.CacheDuration)
		require.NoError(t, err)
		require.LessOrEqual(t, kept, want)
		require.GreaterOrEqual(t, kept, want-want/4)
	}
}

// A busy service is asked again when it says so.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	url := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			refuses(http.StatusServiceUnavailable, "unavailable", "Retry-After", "1")(w, r)
			return
		}
		says(http.StatusOK, response("registry.example.com/hello", time.Hour))(w, r)
	})
	out := run(t, nil, request(t, "registry.example.com/hello", podToken(t, time.Hour)), "--url", url, "--registry", "registry.example.com")
	require.Zero(t, out.code, out.stderr)
	require.EqualValues(t, 2, asked.Load())
}

// What isn't a kubelet's request is refused, whatever it is, and never quoted at length.
func TestRequests(t *testing.T) {
	t.Parallel()
	const none = `{"kind":"CredentialProviderRequest","apiVersion":"` + v1 + `","image":"registry.example.com/hello"}`
	for input, says := range map[string]string{
		"":                                     "no request",
		"{":                                    "isn't the JSON",
		"null":                                 "CredentialProviderRequest",
		`"hello"`:                              "isn't the JSON",
		none + none:                            "isn't the JSON",
		none + "junk":                          "isn't the JSON",
		`{"kind":"Pod","apiVersion":"v1"}`:     `"Pod"`,
		strings.Replace(none, "/v1", "/v2", 1): "v1beta1",
		strings.Replace(none, `"registry.example.com/hello"`, `""`, 1):    "no image",
		strings.Replace(none, `"registry.example.com/hello"`, `"a b"`, 1): "not an image's name",
		strings.Replace(none, `"registry.example.com/hello"`, `["a"]`, 1): "isn't the JSON",
		none: "tokenAttributes",
		strings.Replace(none, "/v1", "/v1beta1", 1):                            "apiVersion " + v1,
		strings.Replace(none, "/v1", "/v1alpha1", 1):                           "apiVersion " + v1,
		`{"image":"` + strings.Repeat("x", 1<<20) + `"}`:                       "larger than",
		strings.Replace(none, "/hello", "/"+strings.Repeat("x/", 2000)+"y", 1): "longer than",
	} {
		out := run(t, nil, input, "--url", "https://127.0.0.1:1", "--registry", "registry.example.com")
		require.Equal(t, 1, out.code, "%.80s", input)
		require.Empty(t, out.stdout)
		require.Contains(t, out.stderr, says)
		require.Less(t, len(out.stderr), 900)
	}
	const token = "a-token-in-the-wrong-place"
	for _, input := range []string{`{"serviceAccountToken":"` + token, `{"serviceAccountToken":["` + token + `"]}`, `{"serviceAccountToken":"` + token + `","kind":"x"}`} {
		require.NotContains(t, run(t, nil, input, "--url", "https://127.0.0.1:1", "--registry", "registry.example.com").stderr, token)
	}
}

// What the kubelet's configuration has wrong is said before anything is read, with what to write.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, says string
	}{
		{"", "RISE_REGISTRY"},
		{"--registry registry.example.com", "RISE_URL"},
		{"--registry registry --url https://rise.example.com", "isn't a host"},
		{"--registry registry.example.com --url rise.example.com", "https://"},
		{"--registry registry.example.com --url http://rise.example.com", "https"},
		{"--registry registry.example.com --url https://user:hunter2@rise.example.com", "password"},
		{"--registry registry.example.com --url https://rise.example.com --timeout 2m", "55s"},
		{"--registry registry.example.com --url https://rise.example.com --timeout 10", "45s"},
		{"--registry registry.example.com --url https://rise.example.com --timeout 0s", "1s"},
		{"--registry registry.example.com --url https://rise.example.com --namespace A", "namespace"},
		{"--registry registry.example.com --url https://rise.example.com --ca-file /nonexistent/ca.pem", "/nonexistent/ca.pem"},
		{"--registry registry.example.com --url https://rise.example.com --sub-repositories=maybe", "sub-repositories"},
		{"--tokn", "unknown flag"},
		{"get", "unexpected argument"},
	} {
		out := run(t, nil, request(t, "registry.example.com/hello", "x.y.z"), strings.Fields(tt.args)...)
		require.Equal(t, 2, out.code, tt.args)
		require.Empty(t, out.stdout)
		require.Contains(t, out.stderr, tt.says, tt.args)
		require.NotContains(t, out.stderr, "hunter2")
	}
	// A flag wins over its variable, and an empty variable is none.
	env := map[string]string{"RISE_REGISTRY": "registry", "RISE_NAMESPACE": "", "RISE_TIMEOUT": "", "RISE_SUB_REPOSITORIES": "", "RISE_CA_FILE": "", "RISE_URL": "https://rise.example.com"}
	require.Equal(t, 2, run(t, env, request(t, "docker.io/library/nginx", "")).code)
	out := run(t, env, request(t, "docker.io/library/nginx", ""), "--registry", "registry.example.com")
	require.Zero(t, out.code, out.stderr)
}

func TestInstall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin, config, to := filepath.Join(dir, "bin"), filepath.Join(dir, "config.yaml"), filepath.Join(dir, "etc", "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte("one"), 0o600))
	install := func() outcome {
		return run(t, nil, "", "install", "--bin-dir", bin, "--config", config, "--config-to", to)
	}
	out := install()
	require.Zero(t, out.code, out.stderr)
	program := filepath.Join(bin, kubeletplugin.Name)
	require.Equal(t, fmt.Sprintf("installed: %s\ninstalled: %s\n", program, to), out.stdout)
	for path, mode := range map[string]os.FileMode{program: 0o755, to: 0o644} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode())
	}
	self, err := os.Executable()
	require.NoError(t, err)
	want, err := os.ReadFile(self)
	require.NoError(t, err)
	got, err := os.ReadFile(program)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.Equal(t, fmt.Sprintf("unchanged: %s\nunchanged: %s\n", program, to), install().stdout)

	// What is there already goes, without what reads it meanwhile, or what a link leads to, being touched.
	elsewhere := filepath.Join(dir, "elsewhere")
	require.NoError(t, os.WriteFile(elsewhere, []byte("theirs"), 0o600))
	require.NoError(t, os.Remove(to))
	require.NoError(t, os.Symlink(elsewhere, to))
	require.NoError(t, os.WriteFile(program, []byte("older"), 0o600))
	old, err := os.Open(program)
	require.NoError(t, err)
	defer old.Close() //nolint:errcheck // read
	require.Equal(t, fmt.Sprintf("installed: %s\ninstalled: %s\n", program, to), install().stdout)
	still := make([]byte, 16)
	n, err := old.Read(still)
	require.NoError(t, err)
	require.Equal(t, "older", string(still[:n]))
	text, err := os.ReadFile(elsewhere)
	require.NoError(t, err)
	require.Equal(t, "theirs", string(text))
	entries, err := os.ReadDir(bin)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left behind")

	for _, args := range [][]string{
		{"install", "--bin-dir", bin, "--config", config},
		{"install", "--bin-dir", filepath.Join(config, "bin")},
		{"install", "--bin-dir", bin, "--config", filepath.Join(dir, "none"), "--config-to", to},
	} {
		out := run(t, nil, "", args...)
		require.Equal(t, 1, out.code)
		require.NotEmpty(t, out.stderr)
	}
	require.Equal(t, 2, run(t, nil, "", "install").code)
}
