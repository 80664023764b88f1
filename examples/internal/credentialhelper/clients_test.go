package credentialhelper_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// user is somebody who has configured the helper, and has a login at another registry.
type user struct {
	home   string
	env    []string
	config string // docker's, as it is after that
}

// newUser runs the program as a user does.
func newUser(t *testing.T, s service, other string, flags ...string) user {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(realtest.User + ":" + realtest.Password))
	u := user{home: home(t, map[string]string{
		".docker/config.json": fmt.Sprintf("{\n\t\"auths\": {\n\t\t%q: {\n\t\t\t\"auth\": %q\n\t\t}\n\t}\n}", other, auth),
		"token":               s.token,
	})}
	u.env = []string{"HOME=" + u.home, "XDG_RUNTIME_DIR=" + u.home, "DOCKER_BUILDKIT=0", "PATH=" + filepath.Dir(helperPath(t)) + ":" + os.Getenv("PATH")}
	realtest.Must(t, u.env, helperPath(t), append([]string{
		"configure", "--registry", s.registry, "--url", s.url, "--project", "hello", "--token-file", filepath.Join(u.home, "token"),
	}, flags...)...)
	u.config = read(t, filepath.Join(u.home, ".docker/config.json"))
	return u
}

// client is a program that people use, for one user.
type client struct {
	// push makes an image of so many layers of so many bytes each, and pushes it.
	push func(t *testing.T, ref string, layers int, size int64) realtest.Output
	// pull gets an image, with nothing left of the push.
	pull func(t *testing.T, ref string) realtest.Output
	// take brings another registry's image to ours: by a build FROM it, or as a copy. nil for what can't.
	take func(t *testing.T, from, ref string) realtest.Output
	// login logs in without naming anybody, and out; nil for what keeps no logins.
	login func(t *testing.T, host string) realtest.Output
}

func docker(t *testing.T) func(u user) client {
	engine := realtest.Docker(t)
	return func(u user) client {
		run := func(args ...string) realtest.Output { return engine(u.env, args...) }
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				return then(run("load", "-i", saved(t, ref, layers, size)), func() realtest.Output { return run("push", ref) })
			},
			pull: func(_ *testing.T, ref string) realtest.Output {
				run("rmi", ref)
				return run("pull", ref)
			},
			take: func(t *testing.T, from, ref string) realtest.Output {
				run("rmi", from)
				return then(run("build", "-t", ref, buildContext(t, from)), func() realtest.Output { return run("push", ref) })
			},
			login: func(_ *testing.T, host string) realtest.Output {
				return then(run("login", host), func() realtest.Output { return run("logout", host) })
			},
		}
	}
}

func podman(t *testing.T) func(u user) client {
	return containers(t, "podman", func(run runner) client {
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				return then(run("load", "-i", saved(t, ref, layers, size)), func() realtest.Output { return run("push", ref) })
			},
			take: func(t *testing.T, from, ref string) realtest.Output {
				return then(run("build", "-t", ref, buildContext(t, from)), func() realtest.Output { return run("push", ref) })
			},
			login: func(_ *testing.T, host string) realtest.Output { return run("login", host) },
		}
	})
}

func buildah(t *testing.T) func(u user) client {
	return containers(t, "buildah", func(run runner) client {
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				return then(run("pull", "docker-archive:"+saved(t, ref, layers, size)), func() realtest.Output { return run("push", ref) })
			},
			take: func(t *testing.T, from, ref string) realtest.Output {
				return then(run("build", "-t", ref, buildContext(t, from)), func() realtest.Output { return run("push", ref) })
			},
			login: func(_ *testing.T, host string) realtest.Output { return run("login", host) },
		}
	})
}

type runner func(command string, args ...string) realtest.Output

// containers is podman's and buildah's clients, with a storage of their own.
func containers(t *testing.T, name string, of func(runner) client) func(u user) client {
	path, storage := realtest.Program(t, name), realtest.Storage(t)
	return func(u user) client {
		run := func(command string, args ...string) realtest.Output {
			all := []string{command}
			switch command {
			case "push", "pull", "build", "login":
				all = append(all, "--tls-verify=false")
			}
			return realtest.Run(t, append([]string{storage}, u.env...), path, append(all, args...)...)
		}
		c := of(run)
		c.pull = func(_ *testing.T, ref string) realtest.Output {
			run("rmi", ref)
			return run("pull", ref)
		}
		return c
	}
}

func skopeo(t *testing.T) func(u user) client {
	path := realtest.Program(t, "skopeo")
	return func(u user) client {
		copied := func(from, to string) realtest.Output {
			return realtest.Run(t, u.env, path, "copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", from, to)
		}
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				return copied("docker-archive:"+saved(t, ref, layers, size), "docker://"+ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output { return copied("docker://"+ref, "dir:"+t.TempDir()) },
			take: func(_ *testing.T, from, ref string) realtest.Output { return copied("docker://"+from, "docker://"+ref) },
			login: func(_ *testing.T, host string) realtest.Output {
				return realtest.Run(t, u.env, path, "login", "--tls-verify=false", host)
			},
		}
	}
}

func crane(t *testing.T) func(u user) client {
	path := realtest.Program(t, "crane")
	return func(u user) client {
		run := func(args ...string) realtest.Output { return realtest.Run(t, u.env, path, args...) }
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				return run("push", saved(t, ref, layers, size), ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return run("pull", ref, filepath.Join(t.TempDir(), "image.tar"))
			},
			take: func(_ *testing.T, from, ref string) realtest.Output { return run("copy", from, ref) },
		}
	}
}

func oras(t *testing.T) func(u user) client {
	path := realtest.Program(t, "oras")
	return func(u user) client {
		run := func(args ...string) realtest.Output { return realtest.Run(t, u.env, path, args...) }
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				args := []string{"push", "--plain-http", "--disable-path-validation", "--concurrency", "1", ref}
				for _, file := range randomFiles(t, t.TempDir(), layers, size) {
					args = append(args, file+":application/octet-stream")
				}
				return run(args...)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return run("pull", "--plain-http", "--allow-path-traversal", "--output", t.TempDir(), ref)
			},
			take: func(_ *testing.T, from, ref string) realtest.Output {
				return run("cp", "--from-plain-http", "--to-plain-http", from, ref)
			},
		}
	}
}

func buildkit(t *testing.T) func(u user) client {
	engine := realtest.BuildKit(t)
	return func(u user) client {
		build := func(dir, output string) realtest.Output {
			return engine(u.env, "build", "--progress", "plain", "--frontend", "dockerfile.v0", "--local", "context="+dir, "--local", "dockerfile="+dir, "--output", output)
		}
		pushed := func(ref string) string { return "type=image,push=true,name=" + ref }
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				dir := t.TempDir()
				text := "FROM scratch\n"
				for _, file := range randomFiles(t, dir, layers, size) {
					text += "COPY " + filepath.Base(file) + " /\n"
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600))
				return build(dir, pushed(ref))
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return then(engine(nil, "prune", "--all"), func() realtest.Output { return build(buildContext(t, ref), "type=local,dest="+t.TempDir()) })
			},
			take: func(t *testing.T, from, ref string) realtest.Output { return build(buildContext(t, from), pushed(ref)) },
		}
	}
}

// then goes on with the next command if one succeeded, and has what both printed.
func then(out realtest.Output, next func() realtest.Output) realtest.Output {
	if out.Err != nil {
		return out
	}
	more := next()
	return realtest.Output{Text: out.Text + more.Text, Err: more.Err}
}

// must is for what has to succeed.
func must(t *testing.T, out realtest.Output) {
	t.Helper()
	require.NoError(t, out.Err, out.Text)
}

// randomImage is one that engines take.
func randomImage(t *testing.T, layers int, size int64) v1.Image {
	t.Helper()
	image, err := random.Image(size, int64(layers))
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	image, err = mutate.ConfigFile(image, config)
	require.NoError(t, err)
	return image
}

// saved makes a random image, in a file as docker save makes one.
func saved(t *testing.T, ref string, layers int, size int64) (file string) {
	t.Helper()
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, tarball.WriteToFile(file, tag, randomImage(t, layers, size)))
	return file
}

func randomFiles(t *testing.T, dir string, n int, size int64) (files []string) {
	t.Helper()
	for i := range n {
		file := filepath.Join(dir, "file"+strconv.Itoa(i))
		text := make([]byte, size)
		_, _ = rand.Read(text)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		files = append(files, file)
	}
	return files
}

// buildContext is a folder to build an image in that is made FROM base.
func buildContext(t *testing.T, base string) string {
	t.Helper()
	dir := t.TempDir()
	randomFiles(t, dir, 1, 1024)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+base+"\nCOPY file0 /own\n"), 0o600))
	return dir
}

// otherRegistry is one that wants a login of its own, with an image.
func otherRegistry(t *testing.T) (address, image string) {
	t.Helper()
	address = realtest.Registry(t, true)
	image = address + "/team/base:v1"
	seed(t, image, &authn.Basic{Username: realtest.User, Password: realtest.Password})
	return address, image
}

func seed(t *testing.T, image string, login authn.Authenticator) {
	t.Helper()
	ref, err := name.ParseReference(image)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, randomImage(t, 1, 64), remote.WithAuth(login)))
}

func regctl(t *testing.T) func(u user) client {
	path := realtest.Program(t, "regctl")
	return func(u user) client {
		run := func(args ...string) realtest.Output {
			return realtest.Run(t, append([]string{"REGCTL_CONFIG=" + filepath.Join(u.home, "regctl.json")}, u.env...), path, args...)
		}
		plain := func(ref string) realtest.Output {
			host, _, _ := strings.Cut(ref, "/")
			return run("registry", "set", "--tls", "disabled", "--skip-check", host)
		}
		return client{
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				return then(plain(ref), func() realtest.Output { return run("image", "import", ref, saved(t, ref, layers, size)) })
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return run("image", "export", ref, filepath.Join(t.TempDir(), "image.tar"))
			},
			take: func(_ *testing.T, from, ref string) realtest.Output {
				return then(plain(from), func() realtest.Output { return run("image", "copy", from, ref) })
			},
		}
	}
}
