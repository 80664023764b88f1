package credentialhelper_test

import (
	"fmt"
	"io/fs"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

// program is what is known of a client.
type program struct {
	start func(t *testing.T) func(u user) client
	// asksAgain: where a credential ends during a push, it asks the helper for another one, if that long ago it asked for the last. 0: never.
	asksAgain time.Duration
	flags     []string // of configure, to have it in a file of the client's own
}

// atOnce is soon enough for every credential.
const atOnce = time.Nanosecond

var ownFile = []string{"--podman", "--no-docker"}

// programs are the clients of README's table.
var programs = map[string]program{
	"docker": {start: docker}, "podman": {start: podman, flags: ownFile}, "buildah": {start: buildah, flags: ownFile}, "skopeo": {start: skopeo, flags: ownFile},
	"crane": {start: crane}, "oras": {start: oras, asksAgain: atOnce}, "BuildKit": {start: buildkit, asksAgain: 290 * time.Second}, "regctl": {start: regctl},
}

// With each client that people use. Each starts its engine once.
func TestRealClients(t *testing.T) {
	t.Parallel()
	other, image := otherRegistry(t)
	servers := map[string]struct {
		service
		prefix string
	}{"development": {serve(t, "development"), "/"}, "ecr-local": {serve(t, "ecr-local"), "/rise/"}}
	shared, ending := sharing(t), newMortal(t)
	var turn sync.Mutex // of what counts requests
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newClient, tag := p.start(t), strings.ToLower(name)
			for mode, s := range servers {
				t.Run(mode, func(t *testing.T) {
					u := newUser(t, s.service, other)
					testClient(t, newClient(u), u, s.registry, s.prefix, image, tag)
				})
			}
			t.Run("shared base", func(t *testing.T) {
				c := newClient(newUser(t, shared, other, p.flags...))
				testSharedBase(t, c, shared.registry, tag)
			})
			if p.asksAgain <= atOnce { // who would ask, but later, may wait long before it gives up
				t.Run("outlives its credential", func(t *testing.T) {
					turn.Lock()
					defer turn.Unlock()
					testOutlives(t, newClient(newUser(t, ending.service, other)), ending, tag, p.asksAgain > 0)
				})
			}
		})
	}
}

// testClient pushes and pulls by the helper alone, together with another registry's image, whose login is the client's own and stays as it was.
func testClient(t *testing.T, c client, u user, registry, prefix, image, tag string) {
	repository := registry + prefix + "hello"
	must(t, c.push(t, repository+":"+tag, 2, 1024))
	must(t, c.pull(t, repository+":"+tag))
	must(t, c.take(t, image, repository+":taken-"+tag))
	out := c.push(t, registry+prefix+"other:v1", 1, 64)
	require.Error(t, out.Err, "another project's repository\n%s", out.Text)
	if c.login != nil {
		must(t, c.login(t, registry))
		must(t, c.push(t, repository+":again-"+tag, 1, 64))
	}
	require.Equal(t, u.config, read(t, filepath.Join(u.home, ".docker/config.json")))
	requireNothingKept(t, u)
}

// requireNothingKept looks through all that the client and the helper have left in the user's folders.
func requireNothingKept(t *testing.T, u user) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(u.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "token" {
			return err
		}
		text := read(t, path)
		require.NotContains(t, text, "rise-dev-token", path)
		require.NotContains(t, text, "eyJ", path) // a JWT
		if !strings.HasSuffix(path, ".docker/config.json") {
			require.NotContains(t, text, `"auth"`, path)
		}
		return nil
	}))
}

// testSharedBase takes an image that is shared with all projects as the base, with the one credential that there is for the registry.
func testSharedBase(t *testing.T, c client, registry, tag string) {
	ref := registry + "/apps/hello:" + tag
	must(t, c.take(t, registry+"/base:v1", ref))
	must(t, c.pull(t, ref))
	require.Error(t, c.push(t, registry+"/base:v2", 1, 64).Err)
}

// testOutlives ends all credentials and tokens in the middle of a push.
func testOutlives(t *testing.T, c client, m *mortal, tag string, asksAgain bool) {
	ref := m.registry + "/hello:" + tag
	m.watch(5, 0)
	out := c.push(t, ref, 6, 4096)
	logins, refused := m.result()
	t.Logf("%d credentials, %d requests refused", logins, refused)
	require.Positive(t, refused, "nothing was asked for after the end\n%s", out.Text)
	if !asksAgain {
		require.Error(t, out.Err, out.Text)
		require.Equal(t, 1, logins)
		m.watch(0, 0)
		must(t, c.push(t, ref, 1, 64)) // the next one has a new credential
		return
	}
	must(t, out)
	require.Equal(t, 2, logins)
	must(t, c.pull(t, ref))
}

// By the clock: RISE_TEST_LONG=1 go test -run Long -v -parallel 32 ./examples/internal/credentialhelper. A session of a minute ends in the middle of a push, whose
// next write arrives when it is dead for every registry, or when the client asks for another one.
func TestLongPushes(t *testing.T) {
	t.Parallel()
	realtest.OnlyLong(t, "six minutes, with -parallel 32")
	other, _ := otherRegistry(t)
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMortal(t)
			c := p.start(t)(newUser(t, m.service, other))
			hold := max(130*time.Second, p.asksAgain+10*time.Second)
			m.watch(5, hold)
			start, ref := time.Now(), m.registry+"/hello:"+strings.ToLower(name)
			out := c.push(t, ref, 6, 4096)
			logins, _ := m.result()
			t.Logf("%v, %d credentials: %v", time.Since(start).Round(time.Second), logins, out.Err)
			require.Greater(t, time.Since(start), hold)
			if p.asksAgain == 0 {
				require.Error(t, out.Err)
				return
			}
			must(t, out)
			require.Equal(t, 2, logins)
			must(t, c.pull(t, ref))
		})
	}
}

// sharing is a service of type oci-token-issuer before a real registry, in which an operator has put a base image.
func sharing(t *testing.T) service {
	t.Helper()
	path := realtest.Program(t, "docker-registry")
	dir := t.TempDir()
	start := func(address, auth string) {
		file := filepath.Join(t.TempDir(), "config.yml")
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil,
			"version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\n%s",
			filepath.Join(dir, "data"), address, auth), 0o600))
		realtest.Serve(t, address, exec.Command(path, "serve", file)) //nolint:noctx // ends with the test
	}
	open := realtest.FreeAddress(t)
	start(open, "")
	seed(t, open+"/base:v1", authn.Anonymous)

	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(24 * time.Hour)
	require.NoError(t, err)
	files := home(t, map[string]string{"ca.crt": string(authority.CertificatePEM()), "tls.key": string(key), "tls.crt": string(certificate)})

	endpoint, images := realtest.FreeAddress(t), realtest.FreeAddress(t)
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		to := images
		if r.In.URL.Path == "/token" {
			to = endpoint
		}
		r.SetURL(&url.URL{Scheme: "http", Host: to})
		r.Out.Host = r.In.Host // which the registry's locations name
	}})
	t.Cleanup(front.Close)
	address := strings.TrimPrefix(front.URL, "http://")
	start(images, fmt.Sprintf("auth: {token: {realm: 'http://%s/token', service: %q, issuer: rise, rootcertbundle: %s}}\n",
		address, address, filepath.Join(files, "ca.crt")))
	return serveOn(t, endpoint, address, configload.Loader{Dir: home(t, map[string]string{"development.yaml": fmt.Sprintf(`
server: {listen: %q}
auth: {tokens: [{token: %s, subject: developer, projects: ["*"], access: push}]}
registry:
  type: oci-token-issuer
  registry_url: %q
  namespace: apps
  shared_repositories: [base]
  signing_key_file: %s
  signing_cert_file: %s
`, endpoint, longToken, address, filepath.Join(files, "tls.key"), filepath.Join(files, "tls.crt"))}), LookupEnv: lookup(nil)})
}
