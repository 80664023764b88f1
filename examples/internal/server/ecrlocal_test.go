package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

func startECRLocal(t *testing.T) *running {
	t.Helper()
	return start(t, configload.Loader{LookupEnv: env(map[string]string{
		"RISE_CONFIG_RUN_MODE": "ecr-local", "RISE_LISTEN": "127.0.0.1:0", "RISE_REGISTRY_LISTEN": realtest.FreeAddress(t),
	})})
}

// client pushes and pulls with a credential, as a user of that program would.
type client struct {
	push, pull func(t *testing.T, c credentials, repository string) realtest.Output
	// asksByHead says that the program asks for a layer before it uploads one: of that denial it sees the status only.
	asksByHead bool
}

// A real client with hello's credential: it pushes and pulls hello, and is denied other, in the mode that a newcomer starts.
func TestRealClientsAreScoped(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) client{"docker": dockerClient, "skopeo": skopeoClient, "crane": craneClient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := start(t)
			s := startECRLocal(t)
			issue := func(query string) (credentials, string) {
				t.Helper()
				status, body, c := s.ask(t, "rise-dev-token", query)
				require.Equal(t, http.StatusOK, status, body)
				require.Equal(t, "AWS", c.Username)
				host, _, _ := strings.Cut(c.RegistryURL, "/")
				return c, host
			}
			pushing, host := issue("project=hello")
			require.Equal(t, host+"/rise/hello", pushing.RegistryURL)
			pulling, _ := issue("project=hello&access=pull")

			out := program.push(t, pushing, host+"/rise/hello:v1")
			require.NoError(t, out.Err, out.Text)
			for _, c := range []credentials{pushing, pulling} {
				out = program.pull(t, c, host+"/rise/hello:v1")
				require.NoError(t, out.Err, out.Text)
				out = program.pull(t, c, host+"/rise/other:v1")
				requireDenied(t, out, "BatchGetImage", "rise/other")
			}
			if out = program.push(t, pushing, host+"/rise/other:v1"); program.asksByHead {
				require.Error(t, out.Err)
				require.Regexp(t, `403 \(?Forbidden`, out.Text)
			} else {
				requireDenied(t, out, "InitiateLayerUpload", "rise/other")
			}
			requireDenied(t, program.push(t, pulling, host+"/rise/hello:v2"), "InitiateLayerUpload", "rise/hello")

			others, _ := issue("project=other")
			out = program.push(t, others, host+"/rise/other:v1")
			require.NoError(t, out.Err, out.Text)
			requireDenied(t, program.pull(t, pushing, host+"/rise/other:v1"), "BatchGetImage", "rise/other")
			require.NotContains(t, s.output.String(), pushing.Password)
		})
	}
}

// requireDenied: the program failed, and shows ECR's own message. Another project's repository is closed by the push role's own
// policy too.
func requireDenied(t *testing.T, out realtest.Output, action, repository string) {
	t.Helper()
	by := "a session policy"
	if repository == "rise/other" {
		by = "an identity-based policy"
	}
	require.Error(t, out.Err, out.Text)
	require.Contains(t, out.Text, "is not authorized to perform: ecr:"+action+" on resource: arn:aws:ecr:eu-west-1:123456789012:repository/"+repository+
		" with an explicit deny in "+by)
}

func dockerClient(t *testing.T) client {
	t.Helper()
	docker := realtest.Docker(t)
	run := func(t *testing.T, c credentials, args func(env []string) realtest.Output) realtest.Output {
		t.Helper()
		env := []string{"DOCKER_CONFIG=" + t.TempDir()}
		host, _, _ := strings.Cut(c.RegistryURL, "/")
		login := docker(env, "login", "--username", c.Username, "--password", c.Password, host)
		require.NoError(t, login.Err, "docker login")
		return args(env)
	}
	root := realtest.RootFS(t)
	return client{
		push: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return run(t, c, func(env []string) realtest.Output {
				imported := docker(env, "import", root, reference)
				require.NoError(t, imported.Err, imported.Text)
				return docker(env, "push", reference)
			})
		},
		pull: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return run(t, c, func(env []string) realtest.Output { return docker(env, "pull", reference) })
		},
	}
}

func skopeoClient(t *testing.T) client {
	t.Helper()
	skopeo := realtest.Program(t, "skopeo")
	return client{
		asksByHead: true,
		push: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			dir := t.TempDir()
			image, err := random.Image(1024, 2)
			require.NoError(t, err)
			images, err := layout.Write(dir, empty.Index)
			require.NoError(t, err)
			require.NoError(t, images.AppendImage(image))
			return realtest.Run(t, nil, skopeo, "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", c.Username+":"+c.Password,
				"oci:"+dir, "docker://"+reference)
		},
		pull: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return realtest.Run(t, nil, skopeo, "copy", "--insecure-policy", "--src-tls-verify=false", "--src-creds", c.Username+":"+c.Password,
				"docker://"+reference, "dir:"+t.TempDir())
		},
	}
}

func craneClient(t *testing.T) client {
	t.Helper()
	crane := realtest.Program(t, "crane")
	run := func(t *testing.T, c credentials, args ...string) realtest.Output {
		t.Helper()
		config := t.TempDir()
		env := []string{"DOCKER_CONFIG=" + config}
		host, _, _ := strings.Cut(c.RegistryURL, "/")
		login := exec.CommandContext(t.Context(), crane, "auth", "login", host, "--username", c.Username, "--password-stdin")
		login.Env = append(os.Environ(), env...)
		login.Stdin = bytes.NewBufferString(c.Password)
		out, err := login.CombinedOutput()
		require.NoError(t, err, string(out))
		return realtest.Run(t, env, crane, args...)
	}
	return client{
		asksByHead: true,
		push: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			file := filepath.Join(t.TempDir(), "image.tar")
			image, err := random.Image(1024, 2)
			require.NoError(t, err)
			tag, err := name.NewTag("example.com/any:v1")
			require.NoError(t, err)
			require.NoError(t, tarball.WriteToFile(file, tag, image))
			return run(t, c, "push", file, reference)
		},
		pull: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return run(t, c, "pull", reference, filepath.Join(t.TempDir(), fmt.Sprint("pulled", ".tar")))
		},
	}
}

// Any other project's repository is made before its first credential.
func TestECRLocalMakesRepositories(t *testing.T) {
	t.Parallel()
	program := craneClient(t)
	s := startECRLocal(t)
	status, body, c := s.ask(t, "rise-dev-token", "project=brand-new")
	require.Equal(t, http.StatusOK, status, body)
	out := program.push(t, c, c.RegistryURL+":v1")
	require.NoError(t, out.Err, out.Text)
	out = program.push(t, c, strings.Replace(c.RegistryURL, "brand-new", "hello", 1)+":v1")
	require.Error(t, out.Err)
	require.Contains(t, out.Text, "403 Forbidden")
}

// What a newcomer's environment chooses for AWS itself doesn't keep the double from being reached.
func TestECRLocalIgnoresEndpointSettings(t *testing.T) { //nolint:paralleltest // sets the environment
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	s := startECRLocal(t)
	status, body, _ := s.ask(t, "rise-dev-token", "project=hello")
	require.Equal(t, http.StatusOK, status, body)
}
