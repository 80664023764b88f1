package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// passwordClient logs in with a password from its standard input, as a job does, and pushes with what it kept of that in a folder's config.json.
type passwordClient struct {
	login func(t *testing.T, folder, registry, password string) realtest.Output
	push  func(t *testing.T, folder, reference string) realtest.Output
	// asks says that a login asks the registry whether the password is good.
	asks bool
}

// withPassword runs a program with the password in its standard input.
func withPassword(t *testing.T, env []string, password, path string, args ...string) realtest.Output {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(password), 0o600))
	return realtest.Run(t, env, realtest.Program(t, "sh"), append([]string{"-c", `exec "$@" < "$0"`, file, path}, args...)...)
}

var passwordClients = map[string]func(t *testing.T) passwordClient{
	"docker": func(t *testing.T) passwordClient {
		t.Helper()
		engine, docker, root := realtest.Engine(t), realtest.Program(t, "docker"), realtest.RootFS(t)
		return passwordClient{
			asks: true,
			login: func(t *testing.T, folder, registry, password string) realtest.Output {
				t.Helper()
				return withPassword(t, []string{engine, "DOCKER_CONFIG=" + folder}, password, docker, "login", "-u", "rise", "--password-stdin", registry)
			},
			push: func(t *testing.T, folder, reference string) realtest.Output {
				t.Helper()
				realtest.Must(t, []string{engine}, docker, "import", root, reference)
				return realtest.Run(t, []string{engine, "DOCKER_CONFIG=" + folder}, docker, "push", reference)
			},
		}
	},
	"podman": func(t *testing.T) passwordClient {
		t.Helper()
		images, podman, root := realtest.Storage(t), realtest.Program(t, "podman"), realtest.RootFS(t)
		kept := func(folder string) string { return "--authfile=" + filepath.Join(folder, "config.json") }
		return passwordClient{
			asks: true,
			login: func(t *testing.T, folder, registry, password string) realtest.Output {
				t.Helper()
				return withPassword(t, []string{images}, password, podman, "login", "--tls-verify=false", kept(folder), "-u", "rise", "--password-stdin", registry)
			},
			push: func(t *testing.T, folder, reference string) realtest.Output {
				t.Helper()
				realtest.Must(t, []string{images}, podman, "import", root, reference)
				return realtest.Run(t, []string{images}, podman, "push", "--tls-verify=false", kept(folder), reference)
			},
		}
	},
	"crane": func(t *testing.T) passwordClient {
		t.Helper()
		crane, file := realtest.Program(t, "crane"), filepath.Join(t.TempDir(), "image.tar")
		image, err := random.Image(1024, 2)
		require.NoError(t, err)
		tag, err := name.NewTag("example.com/any:v1")
		require.NoError(t, err)
		require.NoError(t, tarball.WriteToFile(file, tag, image))
		return passwordClient{
			login: func(t *testing.T, folder, registry, password string) realtest.Output {
				t.Helper()
				return withPassword(t, []string{"DOCKER_CONFIG=" + folder}, password, crane, "auth", "login", registry, "-u", "rise", "--password-stdin")
			},
			push: func(t *testing.T, folder, reference string) realtest.Output {
				t.Helper()
				return realtest.Run(t, []string{"DOCKER_CONFIG=" + folder}, crane, "push", file, reference)
			},
		}
	},
}

// A job logs in with its ID token and pushes its project, with the clients that people have: neither another project, nor once the token has ended.
func TestLoginWithIDToken(t *testing.T) {
	t.Parallel()
	for program, newClient := range passwordClients {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			client, issuer, registry := newClient(t), startOIDCIssuer(t), realtest.FreeAddress(t)
			s := start(t, files(t, map[string]string{"development.yaml": fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
embedded_registry: {listen: "%[1]s"}
registry: {type: oci-token-issuer, registry_url: "%[1]s"}
auth:
  oidc:
    - name: ci
      issuer: %[2]s
      audience: %[3]s
      rules: [{claims: {repository_owner_id: "1234", ref: refs/heads/main}, projects: ["{repository}"], access: push}]
`, registry, issuer.url, oidcAudience)}))
			token := func(owner string, ends time.Duration) string {
				return issuer.token(t, owner, "hello", "refs/heads/main", ends)
			}

			job := t.TempDir()
			in := client.login(t, job, registry, token("1234", time.Hour))
			require.NoError(t, in.Err, in.Text)
			out := client.push(t, job, registry+"/hello:v1")
			require.NoError(t, out.Err, out.Text)
			out = client.push(t, job, registry+"/other:v1")
			require.Error(t, out.Err)
			require.Regexp(t, `(?i)denied|403`, out.Text)

			for bad, password := range map[string]string{"ended": token("1234", -2*time.Minute), "another owner's": token("5678", time.Hour)} {
				folder := t.TempDir()
				in = client.login(t, folder, registry, password)
				if client.asks {
					require.Error(t, in.Err, bad)
					require.Regexp(t, `(?i)unauthorized|invalid username/password`, in.Text, bad)
				}
				// As if it had been good when the job logged in.
				require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), configJSON(t, registry, password), 0o600))
				out = client.push(t, folder, registry+"/hello:v2")
				require.Error(t, out.Err, bad)
				require.Regexp(t, `(?i)unauthorized|authentication required|invalid username/password`, out.Text, bad)
			}
			require.Contains(t, s.output.String(), "it has expired")
		})
	}
}

func configJSON(t *testing.T, registry, password string) []byte {
	t.Helper()
	type auth struct {
		Auth []byte `json:"auth"` // in base64, as encoding/json writes it
	}
	text, err := json.Marshal(map[string]map[string]auth{"auths": {registry: {[]byte("rise:" + password)}}})
	require.NoError(t, err)
	return text
}
