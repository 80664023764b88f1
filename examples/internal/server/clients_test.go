package server_test

import (
	"bytes"
	"fmt"
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

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// client pushes and pulls with a credential, as a user of that program would.
type client struct {
	push, pull func(t *testing.T, c credentials, repository string) realtest.Output
	// asksByHead says that the program asks for a layer before it uploads one: of that denial it sees the status only.
	asksByHead bool
}

func dockerClient(t *testing.T) client {
	t.Helper()
	docker := realtest.Docker(t)
	run := func(t *testing.T, c credentials, args func(env []string) realtest.Output) realtest.Output {
		t.Helper()
		env := []string{"DOCKER_CONFIG=" + t.TempDir()}
		host, _, _ := strings.Cut(c.RegistryURL, "/")
		if login := docker(env, "login", "--username", c.Username, "--password", c.Password, host); login.Err != nil {
			return login
		}
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

func podmanClient(t *testing.T) client {
	t.Helper()
	podman, root := realtest.Program(t, "podman"), realtest.RootFS(t)
	run := func(t *testing.T, images string, args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, []string{images}, podman, args...)
	}
	return client{
		push: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			images := realtest.Storage(t)
			imported := run(t, images, "import", root, reference)
			require.NoError(t, imported.Err, imported.Text)
			return run(t, images, "push", "--tls-verify=false", "--creds", c.Username+":"+c.Password, reference)
		},
		pull: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return run(t, realtest.Storage(t), "pull", "--tls-verify=false", "--creds", c.Username+":"+c.Password, reference)
		},
	}
}

func buildahClient(t *testing.T) client {
	t.Helper()
	buildah := realtest.Program(t, "buildah")
	run := func(t *testing.T, images string, args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, []string{images}, buildah, args...)
	}
	return client{
		push: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			images := realtest.Storage(t)
			for _, args := range [][]string{{"from", "--name", "built", "scratch"}, {"config", "--label", "hello=world", "built"}, {"commit", "built", reference}} {
				made := run(t, images, args...)
				require.NoError(t, made.Err, made.Text)
			}
			return run(t, images, "push", "--tls-verify=false", "--creds", c.Username+":"+c.Password, reference)
		},
		pull: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return run(t, realtest.Storage(t), "pull", "--tls-verify=false", "--creds", c.Username+":"+c.Password, reference)
		},
	}
}

func orasClient(t *testing.T) client {
	t.Helper()
	oras := realtest.Program(t, "oras")
	return client{
		push: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			file := filepath.Join(t.TempDir(), "hello.txt")
			require.NoError(t, os.WriteFile(file, []byte(reference), 0o600))
			return realtest.Run(t, nil, oras, "push", "--plain-http", "--disable-path-validation", "-u", c.Username, "-p", c.Password, reference, file)
		},
		pull: func(t *testing.T, c credentials, reference string) realtest.Output {
			t.Helper()
			return realtest.Run(t, nil, oras, "pull", "--plain-http", "-u", c.Username, "-p", c.Password, "--allow-path-traversal", "-o", t.TempDir(), reference)
		},
	}
}
