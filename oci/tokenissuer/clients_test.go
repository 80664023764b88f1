package tokenissuer_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// client is a program that users push and pull with, with a login file of the form of docker's.
type client struct {
	push, pull func(t *testing.T, ref, login string) realtest.Output
	// shows says whether the user reads what /token says in a 403.
	shows bool
}

func run(t *testing.T, program string, args ...string) realtest.Output {
	t.Helper()
	return realtest.Run(t, nil, realtest.Program(t, program), args...)
}

// container runs podman or buildah with a storage of its own.
func container(t *testing.T, program string) func(args ...string) realtest.Output {
	t.Helper()
	path := realtest.Program(t, program)
	if os.Geteuid() != 0 {
		realtest.Missing(t, program+" needs root here")
	}
	dir, err := os.MkdirTemp("", program) //nolint:usetesting // short: podman wants it so
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	policy := filepath.Join(dir, "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600))
	return func(args ...string) realtest.Output {
		t.Helper()
		if args[0] == "pull" {
			args = append([]string{"pull", "--signature-policy", policy}, args[1:]...)
		}
		return realtest.Run(t, nil, path, append([]string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}, args...)...)
	}
}

func imageLayout(t *testing.T) string {
	t.Helper()
	image, err := random.Image(1024, 3)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}))
	require.NoError(t, err)
	return dir
}

func clients() map[string]client {
	config := func(login string) []string { return []string{"DOCKER_CONFIG=" + filepath.Dir(login)} }
	crane := func(t *testing.T, login string, args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, config(login), realtest.Program(t, "crane"), args...)
	}
	return map[string]client{
		"docker": {
			push: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				docker := realtest.Docker(t)
				require.NoError(t, docker(nil, "import", realtest.RootFS(t), ref).Err)
				return docker(config(login), "push", ref)
			},
			pull: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return realtest.Docker(t)(config(login), "pull", ref)
			},
			shows: true,
		},
		"podman": {
			push: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				podman := container(t, "podman")
				require.NoError(t, podman("import", realtest.RootFS(t), ref).Err)
				return podman("push", "--tls-verify=false", "--authfile", login, ref)
			},
			pull: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return container(t, "podman")("pull", "--tls-verify=false", "--authfile", login, ref)
			},
		},
		"buildah": {
			push: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				buildah := container(t, "buildah")
				made := buildah("from", "scratch")
				require.NoError(t, made.Err, made.Text)
				require.NoError(t, buildah("commit", strings.TrimSpace(made.Text), ref).Err)
				return buildah("push", "--tls-verify=false", "--authfile", login, ref)
			},
			pull: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return container(t, "buildah")("pull", "--tls-verify=false", "--authfile", login, ref)
			},
		},
		"skopeo": {
			push: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return run(t, "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--authfile", login, "oci:"+imageLayout(t), "docker://"+ref)
			},
			pull: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return run(t, "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--authfile", login, "docker://"+ref, "oci:"+t.TempDir())
			},
		},
		"crane": {
			push: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return crane(t, login, "push", imageLayout(t), ref)
			},
			pull: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return crane(t, login, "pull", "--format=oci", ref, t.TempDir())
			},
			shows: true,
		},
		"oras": {
			push: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return run(t, "oras", "push", "--plain-http", "--registry-config", login, "--disable-path-validation", ref, realtest.RootFS(t)+":application/x-tar")
			},
			pull: func(t *testing.T, ref, login string) realtest.Output {
				t.Helper()
				return run(t, "oras", "manifest", "fetch", "--plain-http", "--registry-config", login, ref)
			},
			shows: true,
		},
	}
}

// serveBoth serves a real registry and p's /token on one host and port, as every client needs it, and returns the provider.
func serveBoth(t *testing.T, c tokenissuer.Config, s signing, opts ...tokenissuer.HandlerOption) *tokenissuer.Provider {
	t.Helper()
	front := httptest.NewUnstartedServer(nil)
	address, behind := front.Listener.Addr().String(), realtest.FreeAddress(t)
	c.RegistryURL = address
	p := newProvider(t, c, s)
	realtest.TokenRegistry(t, behind, "http://"+address+"/token", address, "rise", s.authorityPEM)
	mux := http.NewServeMux()
	mux.Handle("/token", p.Handler(allGood, nil, opts...))
	mux.Handle("/v2/", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind}))
	front.Config.Handler = mux
	front.Start()
	t.Cleanup(front.Close)
	return p
}

// loginFile is what docker login leaves behind.
func loginFile(t *testing.T, p provider.Provider, r provider.Request) string {
	t.Helper()
	c, err := provider.Issue(t.Context(), p, r)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "config.json")
	auth := base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password.Reveal()))
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, c.Target.RegistryStr(), auth), 0o600))
	return file
}

// The programs that users have push and pull with a grant, and are refused another project's repository.
func TestClients(t *testing.T) {
	t.Parallel()
	for name, program := range clients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Program(t, "docker-registry")
			realtest.Program(t, name)
			p := serveBoth(t, tokenissuer.Config{Namespace: "rise-apps"}, newSigning(t), silent())
			login := loginFile(t, p, push("hello"))
			ref := func(project string) string {
				repository, err := p.Repository(project, provider.Client)
				require.NoError(t, err)
				return repository.String() + ":v1"
			}
			out := program.push(t, ref("hello"), login)
			require.NoError(t, out.Err, out.Text)
			out = program.pull(t, ref("hello"), login)
			require.NoError(t, out.Err, out.Text)
			for _, refused := range []realtest.Output{
				program.push(t, ref("other"), login),
				program.pull(t, ref("hello"), loginFile(t, p, push("other"))),
				program.push(t, ref("hello"), loginFile(t, p, provider.Request{Project: "hello", Access: provider.Pull})),
			} {
				require.Error(t, refused.Err)
			}
			if out := program.push(t, ref("other"), login); program.shows {
				require.Contains(t, out.Text, "This credential is good for pushing to and pulling from rise-apps/hello, and not for what was asked for.")
			}
		})
	}
}

// Each client's own login command.
func TestClientsLogIn(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"docker": {"login"}, "podman": {"login", "--tls-verify=false"}, "skopeo": {"login", "--tls-verify=false"}, "buildah": {"login", "--tls-verify=false"},
		"oras": {"login", "--plain-http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Program(t, "docker-registry")
			program := realtest.Program(t, name)
			p := serveBoth(t, tokenissuer.Config{}, newSigning(t), silent())
			c, err := provider.Issue(t.Context(), p, push("hello"))
			require.NoError(t, err)
			login := func(password string) realtest.Output {
				return realtest.Run(t, nil, program, append(args, "-u", "rise", "-p", password, c.Target.RegistryStr())...)
			}
			out := login(c.Password.Reveal())
			require.NoError(t, out.Err, out.Text)
			out = login(c.Password.Reveal() + "x")
			require.Error(t, out.Err, out.Text)
			require.NotContains(t, out.Text, c.Password.Reveal())
		})
	}
}
