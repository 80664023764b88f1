//go:build linux

package deploy_test

import (
	"archive/tar"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

var library = regexp.MustCompile(`(?:=> )?(/\S+) \(0x`)

// rootFS is a root file system of this machine's programs, each at a path in it, and of the libraries that they load.
func rootFS(t *testing.T, programs map[string]string) string {
	t.Helper()
	files := map[string]string{}
	for at, path := range programs {
		files[at] = path
		for _, m := range library.FindAllStringSubmatch(realtest.Run(t, nil, realtest.Program(t, "ldd"), path).Text, -1) {
			files[strings.TrimPrefix(m[1], "/")] = m[1]
		}
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, at := range slices.Sorted(mapKeys(files)) {
		content, err := os.ReadFile(files[at])
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: at, Mode: 0o755, Size: int64(len(content))}))
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return write(t, filepath.Join(t.TempDir(), "root.tar"), out.String())
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// The Compose file works as it stands, but for the ports, and that here all is in this machine's network: a push with a credential, and none beside it.
func TestCompose(t *testing.T) {
	t.Parallel()
	compose, docker, crane := realtest.Program(t, "docker-compose"), realtest.Program(t, "docker"), realtest.Program(t, "crane")
	registry, caddy := realtest.Program(t, "registry", "docker-registry"), realtest.Program(t, "caddy")
	variable := realtest.Engine(t)
	host := realtest.FreeAddress(t)
	clone := t.TempDir()
	dir := filepath.Join(clone, "deploy/compose")
	require.NoError(t, os.CopyFS(dir, os.DirFS("compose")))
	here := strings.NewReplacer("127.0.0.1:3000", realtest.FreeAddress(t), "127.0.0.1:5055", realtest.FreeAddress(t),
		"    ports: [\"${RISE_PUBLISH:-127.0.0.1:5000:5000}\"]\n", "    network_mode: host\n", "127.0.0.1:5000", host, "${RISE_SITE:-:5000}", "http://"+host)
	for _, name := range []string{"compose.yaml", "Caddyfile", "registry.yml", "rise/production.yaml"} {
		text, err := os.ReadFile(filepath.Join("compose", name))
		require.NoError(t, err)
		changed := here.Replace(string(text))
		require.NotEqual(t, string(text), changed)
		write(t, filepath.Join(dir, name), changed)
	}
	for _, path := range []string{clone, dir, filepath.Join(dir, "rise")} {
		require.NoError(t, os.Chmod(path, 0o755))
	}

	environ := []string{variable, "DOCKER_CONFIG=" + t.TempDir(), "ARCHIVE=" + serverImage(t)}
	realtest.Must(t, environ, docker, "import", rootFS(t, map[string]string{"bin/registry": registry, "bin/cp": realtest.Program(t, "cp")}), "registry:3")
	realtest.Must(t, environ, docker, "import", rootFS(t, map[string]string{"usr/bin/caddy": caddy}), "caddy:2")
	// The image is made already; Debian's Compose is a program of its own.
	const instead = `go() { :; }
docker() { if [ "$1" = compose ]; then shift; command docker-compose "$@"; else command docker "$@"; fi; }`
	blocks := strings.NewReplacer("127.0.0.1:5000", host, "../rise-image/image-linux-amd64.tar", "$ARCHIVE")
	do := func(dir, first string) realtest.Output {
		t.Helper()
		return paste(t, dir, environ, instead, blocks.Replace(docBlock(t, "sh", first)))
	}
	run := func(args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, environ, compose, append([]string{"--env-file", filepath.Join(dir, ".env"), "-f", filepath.Join(dir, "compose.yaml")}, args...)...)
	}
	t.Cleanup(func() { // t's context has ended
		for _, args := range [][]string{{"logs", "--no-color"}, {"down", "-v", "-t", "10"}} {
			cmd := exec.Command(compose, args...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
			out, err := cmd.CombinedOutput()
			if t.Failed() {
				t.Log(string(out), err)
			}
		}
	})

	out := do(clone, "# needs a clone, and docker or podman")
	require.NoError(t, out.Err, out.Text)
	out = do(clone, "# needs a clone, docker with Compose, and the image of above")
	require.NoError(t, out.Err, out.Text)
	out = do(dir, "# needs the above; still in deploy/compose")
	require.Error(t, out.Err, "the last push of them")
	require.Contains(t, out.Text, "v1: digest: sha256:")
	const denied = "denied: This credential is good for pushing to and pulling from apps/hello, and not for what was asked for."
	require.Empty(t, docBlock(t, "text", denied), "the page shows it alone")
	require.Contains(t, out.Text, denied)
	realtest.Must(t, environ, crane, "copy", host+"/apps/hello:v1", host+"/apps/hello:v2")
	status, _, _ := credential(t, "http://"+host, "a-token-of-nobody", "hello")
	require.Equal(t, http.StatusUnauthorized, status)

	// The registry has no key; and what was made once stays, so that a credential outlives a restart.
	listed := realtest.Run(t, environ, docker, "exec", "compose_registry_1", "cp", "/authority/tls.key", "/dev/null")
	require.Contains(t, listed.Text, "No such file")
	listed = realtest.Run(t, environ, docker, "exec", "compose_registry_1", "cp", "/var/lib/rise/keys/tls.key", "/dev/null")
	require.Contains(t, listed.Text, "No such file")
	stopped := run("down", "-t", "30")
	require.NoError(t, stopped.Err, stopped.Text)
	started := run("up", "-d")
	require.NoError(t, started.Err, started.Text)
	require.Eventually(t, func() bool {
		return realtest.Run(t, environ, crane, "digest", host+"/apps/hello:v2").Err == nil
	}, patience, poll)
}

// What TestCompose has to replace is right as it stands too.
func TestComposeDefaults(t *testing.T) {
	t.Parallel()
	compose, caddy := realtest.Program(t, "docker-compose"), realtest.Program(t, "caddy")
	file := []string{"-f", "compose/compose.yaml", "config"}
	out := realtest.Run(t, nil, compose, file...)
	require.Error(t, out.Err)
	require.Contains(t, out.Text, "the token that CI asks with")
	const token = "RISE_CI_TOKEN=a-token-of-the-ci-job"
	local := realtest.Must(t, []string{token}, compose, file...)
	require.Regexp(t, `127\.0\.0\.1:5000:5000`, local)
	require.Contains(t, local, "REGISTRY_AUTH_TOKEN_REALM: http://127.0.0.1:5000/token\n")
	require.Contains(t, local, "RISE_SITE: :5000\n")

	// The page's own, for a public name.
	public := docBlock(t, "ini", "RISE_HOST=registry.example.com")
	environ := append(strings.Fields(public), token, "RISE_HOST=registry.example.com")
	whole := realtest.Must(t, environ, compose, file...)
	require.Regexp(t, `443:443|published: 443\s+target: 443`, whole)
	require.NotContains(t, whole, "127.0.0.1:5000")
	for site, listens := range map[string]string{":5000": `"listen":[":5000"]`, "registry.example.com": `"listen":[":443"]`} {
		require.Contains(t, realtest.Must(t, []string{"RISE_SITE=" + site}, caddy, "adapt", "--adapter", "caddyfile", "--config", "compose/Caddyfile"), listens)
	}
}
