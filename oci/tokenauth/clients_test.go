package tokenauth_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// client pushes and pulls with the configuration of docker's in a folder.
type client struct {
	push, pull func(t *testing.T, folder, ref string) realtest.Output
}

// clients are those that people use, by whether they can use a bearer token.
var clients = map[string]struct {
	start func(t *testing.T) client
	uses  bool
	// remembers: its engine keeps what it was given for an image, and goes on with it.
	remembers bool
}{
	"docker":   {start: docker, uses: true},
	"BuildKit": {start: buildkit, uses: true, remembers: true},
	"crane":    {start: crane, uses: true},
	"oras":     {start: oras, uses: true},
	"helm":     {start: helm, uses: true},
	"skopeo":   {start: skopeo},
	"podman":   {start: podman},
	"regctl":   {start: regctl},
}

// Clients that take a bearer token from docker's configuration push and pull with it at a real registry, their own project's repository alone; the others are
// refused, and so the guide says.
func TestRealClients(t *testing.T) {
	t.Parallel()
	for name, one := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := one.start(t)
			u := newUpstream(t, "docker-registry")
			p := newProvider(t, u.config())
			folder := func(r provider.Request) string {
				issued, err := provider.Issue(t.Context(), p, r)
				require.NoError(t, err)
				config, err := issued.DockerConfig()
				require.NoError(t, err)
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600))
				return dir
			}
			hello := folder(push("hello"))
			out := c.push(t, hello, u.ref("hello"))
			if !one.uses {
				require.Error(t, out.Err)
				t.Logf("push: %s", out.Text)
				require.False(t, u.has(t, p, "hello"))
				return
			}
			require.NoError(t, out.Err, out.Text)
			require.True(t, u.has(t, p, "hello"))
			before := u.asked.Load()
			out = c.pull(t, hello, u.ref("hello"))
			require.NoError(t, out.Err, out.Text)
			require.Equal(t, before, u.asked.Load(), "nobody asks the token server with it")

			out = c.push(t, hello, u.ref("other"))
			require.Error(t, out.Err)
			t.Logf("push another's: %s", out.Text)
			require.False(t, u.has(t, p, "other"))
			if !one.remembers {
				require.Error(t, c.pull(t, folder(push("other")), u.ref("hello")).Err)
			}
			puller := folder(pull("hello"))
			out = c.pull(t, puller, u.ref("hello"))
			require.NoError(t, out.Err, out.Text)
			require.Error(t, c.push(t, puller, u.ref("hello")).Err)
		})
	}
}

// Both real registries take the tokens, for what they are good for.
func TestRealRegistries(t *testing.T) {
	t.Parallel()
	for registry, program := range realtest.TokenRegistries {
		t.Run(registry, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, program)
			p := newProvider(t, u.config())
			write := func(project string, r provider.Request) error {
				c, err := provider.Issue(t.Context(), p, r)
				require.NoError(t, err)
				auth, err := c.Authenticator()
				require.NoError(t, err)
				tag, err := name.NewTag(u.ref(project))
				require.NoError(t, err)
				return remote.Write(tag, randomImage(t), remote.WithAuth(auth))
			}
			require.NoError(t, write("hello", push("hello")))
			require.True(t, u.has(t, p, "hello"))
			for _, err := range []error{write("other", push("hello")), write("hello", push("other")), write("hello", pull("hello"))} {
				var refused *transport.Error
				require.ErrorAs(t, err, &refused)
				require.Equal(t, http.StatusUnauthorized, refused.StatusCode)
			}
			c, err := provider.Issue(t.Context(), p, forAll) // clients get their own tokens with it
			require.NoError(t, err)
			tag, err := name.NewTag(u.ref("hello"))
			require.NoError(t, err)
			auth, err := c.Authenticator()
			require.NoError(t, err)
			_, err = remote.Image(tag, remote.WithAuth(auth))
			require.NoError(t, err)
			require.Error(t, remote.Write(tag, randomImage(t), remote.WithAuth(auth)))
		})
	}
}

// What clusters use is told by whoever makes a pull secret of it.
func TestPullSecret(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, "docker-registry")
	p := newProvider(t, u.config())
	c, err := provider.Issue(t.Context(), p, pull("hello"))
	require.NoError(t, err)
	_, err = c.PullSecret()
	require.ErrorIs(t, err, provider.ErrUnsupported)
	require.ErrorContains(t, err, "a kubelet takes a user name and a password only, and this is a bearer token: docker, BuildKit, crane, kaniko, oras and helm can use it")
	c, err = provider.Issue(t.Context(), p, forAll)
	require.NoError(t, err)
	_, err = c.PullSecret()
	require.NoError(t, err)
}

// has reports whether a project's image is there.
func (u *upstream) has(t *testing.T, p provider.Provider, project string) bool {
	t.Helper()
	c, err := provider.Issue(t.Context(), p, pull(project))
	require.NoError(t, err)
	auth, err := c.Authenticator()
	require.NoError(t, err)
	tag, err := name.NewTag(u.ref(project))
	require.NoError(t, err)
	_, err = remote.Head(tag, remote.WithAuth(auth))
	return err == nil
}

func docker(t *testing.T) client {
	engine := realtest.Docker(t)
	run := func(folder string, args ...string) realtest.Output {
		return engine([]string{"DOCKER_CONFIG=" + folder, "DOCKER_BUILDKIT=0"}, args...)
	}
	return client{
		push: func(t *testing.T, folder, ref string) realtest.Output {
			out := run(folder, "load", "-i", archive(t, ref))
			require.NoError(t, out.Err, out.Text)
			return run(folder, "push", ref)
		},
		pull: func(_ *testing.T, folder, ref string) realtest.Output {
			run(folder, "rmi", ref)
			return run(folder, "pull", ref)
		},
	}
}

func buildkit(t *testing.T) client {
	engine := realtest.BuildKit(t)
	build := func(t *testing.T, folder, base, output string) realtest.Output {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+base+"\nCOPY Dockerfile /own\n"), 0o600))
		return engine([]string{"DOCKER_CONFIG=" + folder}, "build", "--progress", "plain", "--no-cache", "--frontend", "dockerfile.v0",
			"--local", "context="+dir, "--local", "dockerfile="+dir, "--output", output)
	}
	return client{
		push: func(t *testing.T, folder, ref string) realtest.Output {
			return build(t, folder, "scratch", "type=image,push=true,name="+ref)
		},
		pull: func(t *testing.T, folder, ref string) realtest.Output {
			engine(nil, "prune", "--all")
			return build(t, folder, ref, "type=local,dest="+t.TempDir())
		},
	}
}

// commands is a program that is run with that environment.
func commands(t *testing.T, program string, env func(folder string) []string, push, pull func(t *testing.T, folder, ref string) []string) client {
	t.Helper()
	path := realtest.Program(t, program)
	run := func(args func(t *testing.T, folder, ref string) []string) func(*testing.T, string, string) realtest.Output {
		return func(t *testing.T, folder, ref string) realtest.Output {
			t.Helper()
			return realtest.Run(t, env(folder), path, args(t, folder, ref)...)
		}
	}
	return client{push: run(push), pull: run(pull)}
}

func dockerConfig(folder string) []string { return []string{"DOCKER_CONFIG=" + folder} }

func crane(t *testing.T) client {
	return commands(t, "crane", dockerConfig,
		func(t *testing.T, _, ref string) []string { return []string{"push", archive(t, ref), ref} },
		func(t *testing.T, _, ref string) []string {
			return []string{"pull", ref, filepath.Join(t.TempDir(), "image.tar")}
		})
}

func oras(t *testing.T) client {
	options := func(folder string, args ...string) []string {
		return append(args, "--plain-http", "--registry-config", filepath.Join(folder, "config.json"))
	}
	return commands(t, "oras", func(string) []string { return nil },
		func(t *testing.T, folder, ref string) []string {
			return options(folder, "push", "--disable-path-validation", ref, archive(t, ref)+":application/octet-stream")
		},
		func(t *testing.T, folder, ref string) []string {
			return options(folder, "pull", "--allow-path-traversal", "--output", t.TempDir(), ref)
		})
}

func helm(t *testing.T) client {
	program := realtest.Program(t, "helm")
	options := func(folder string) []string {
		return []string{"--plain-http", "--registry-config", filepath.Join(folder, "config.json")}
	}
	split := func(ref string) (repository, version string) {
		end := strings.LastIndex(ref, ":")
		return ref[:end], ref[end+1:]
	}
	return client{
		push: func(t *testing.T, folder, ref string) realtest.Output {
			repository, version := split(ref)
			parent, chart := filepath.Split(repository)
			dir := t.TempDir()
			made := realtest.Run(t, nil, program, "create", filepath.Join(dir, chart))
			require.NoError(t, made.Err, made.Text)
			packed := realtest.Run(t, nil, program, "package", filepath.Join(dir, chart), "--version", version, "--destination", dir)
			require.NoError(t, packed.Err, packed.Text)
			return realtest.Run(t, nil, program, append([]string{"push", filepath.Join(dir, chart+"-"+version+".tgz"), "oci://" + strings.TrimSuffix(parent, "/")}, options(folder)...)...)
		},
		pull: func(t *testing.T, folder, ref string) realtest.Output {
			repository, version := split(ref)
			return realtest.Run(t, nil, program, append([]string{"pull", "oci://" + repository, "--version", version, "--destination", t.TempDir()}, options(folder)...)...)
		},
	}
}

func skopeo(t *testing.T) client {
	return commands(t, "skopeo", func(string) []string { return nil },
		func(t *testing.T, folder, ref string) []string {
			return []string{"copy", "--insecure-policy", "--dest-tls-verify=false", "--authfile", filepath.Join(folder, "config.json"), "docker-archive:" + archive(t, ref), "docker://" + ref}
		},
		func(t *testing.T, folder, ref string) []string {
			return []string{"copy", "--insecure-policy", "--src-tls-verify=false", "--authfile", filepath.Join(folder, "config.json"), "docker://" + ref, "dir:" + t.TempDir()}
		})
}

func podman(t *testing.T) client {
	path := realtest.Program(t, "podman")
	if os.Geteuid() != 0 {
		realtest.Missing(t, "podman needs root here")
	}
	dir, err := os.MkdirTemp("", "podman") //nolint:usetesting // short: podman wants it so
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	policy := filepath.Join(dir, "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600))
	run := func(t *testing.T, args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, nil, path, append([]string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}, args...)...)
	}
	return client{
		push: func(t *testing.T, folder, ref string) realtest.Output {
			out := run(t, "load", "--signature-policy", policy, "-i", archive(t, ref))
			require.NoError(t, out.Err, out.Text)
			return run(t, "push", "--tls-verify=false", "--authfile", filepath.Join(folder, "config.json"), ref)
		},
		pull: func(t *testing.T, folder, ref string) realtest.Output {
			return run(t, "pull", "--signature-policy", policy, "--tls-verify=false", "--authfile", filepath.Join(folder, "config.json"), ref)
		},
	}
}

func regctl(t *testing.T) client {
	path := realtest.Program(t, "regctl")
	run := func(t *testing.T, folder, ref string, args ...string) realtest.Output {
		t.Helper()
		env := []string{"DOCKER_CONFIG=" + folder, "REGCTL_CONFIG=" + filepath.Join(folder, "regctl.json")}
		host, _, _ := strings.Cut(ref, "/")
		out := realtest.Run(t, env, path, "registry", "set", "--tls", "disabled", "--skip-check", host)
		require.NoError(t, out.Err, out.Text)
		return realtest.Run(t, env, path, args...)
	}
	return client{
		push: func(t *testing.T, folder, ref string) realtest.Output {
			return run(t, folder, ref, "image", "import", ref, archive(t, ref))
		},
		pull: func(t *testing.T, folder, ref string) realtest.Output {
			return run(t, folder, ref, "image", "export", ref, filepath.Join(t.TempDir(), "image.tar"))
		},
	}
}

// randomImage is one that engines take.
func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1024, 2)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	image, err = mutate.ConfigFile(image, config)
	require.NoError(t, err)
	return image
}

// archive is a random image as docker would have saved it by the name of ref.
func archive(t *testing.T, ref string) string {
	t.Helper()
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, tarball.WriteToFile(file, tag, randomImage(t)))
	return file
}
