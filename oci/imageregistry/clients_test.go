package imageregistry_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// client is a program that pushes and pulls.
type client struct {
	push func(t *testing.T, ref string) realtest.Output // makes an image and pushes it
	pull func(t *testing.T, ref string) realtest.Output // gets it back, with nothing left of the push
}

// clients are the programs that users have, each with a login for address if it has one.
var clients = map[string]func(t *testing.T, address, login string) client{
	"docker": func(t *testing.T, _, login string) client {
		t.Helper()
		docker := realtest.Docker(t)
		var env []string
		if login != "" {
			env = append(env, "DOCKER_CONFIG="+filepath.Dir(login))
		}
		run := func(args ...string) realtest.Output { return docker(env, args...) }
		return client{
			push: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return then(run("import", realtest.RootFS(t), ref), func() realtest.Output { return run("push", ref) })
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return then(run("rmi", ref), func() realtest.Output { return run("pull", ref) })
			},
		}
	},
	"skopeo": func(t *testing.T, _, login string) client {
		t.Helper()
		program := realtest.Program(t, "skopeo")
		return client{
			push: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return realtest.Run(t, nil, program, append([]string{"copy", "--insecure-policy", "--dest-tls-verify=false", "oci:" + ociLayout(t), "docker://" + ref}, authfile(login)...)...)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return realtest.Run(t, nil, program, append([]string{"copy", "--insecure-policy", "--src-tls-verify=false", "docker://" + ref, "oci:" + t.TempDir()}, authfile(login)...)...)
			},
		}
	},
	"podman": func(t *testing.T, _, login string) client {
		t.Helper()
		run := containers(t, "podman")
		return client{
			push: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return then(run("import", realtest.RootFS(t), ref), func() realtest.Output {
					return run(append([]string{"push", "--tls-verify=false", ref}, authfile(login)...)...)
				})
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return then(run("rmi", ref), func() realtest.Output {
					return run(append([]string{"pull", "--tls-verify=false", ref}, authfile(login)...)...)
				})
			},
		}
	},
	"buildah": func(t *testing.T, _, login string) client {
		t.Helper()
		run := containers(t, "buildah")
		return client{
			push: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				container := must(t, run("from", "scratch"))
				must(t, run("add", strings.TrimSpace(container.Text), realtest.RootFS(t)))
				must(t, run("commit", strings.TrimSpace(container.Text), ref))
				return run(append([]string{"push", "--tls-verify=false"}, append(authfile(login), ref)...)...)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				must(t, run("rm", "--all"))
				must(t, run("rmi", ref))
				return run(append([]string{"pull", "--tls-verify=false"}, append(authfile(login), ref)...)...)
			},
		}
	},
	"crane": func(t *testing.T, _, login string) client {
		t.Helper()
		program := realtest.Program(t, "crane")
		var env []string
		if login != "" {
			env = append(env, "DOCKER_CONFIG="+filepath.Dir(login))
		}
		return client{
			push: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				file := filepath.Join(t.TempDir(), "image.tar")
				image, err := random.Image(1024, 3)
				require.NoError(t, err)
				tag, err := name.NewTag("image")
				require.NoError(t, err)
				require.NoError(t, tarball.WriteToFile(file, tag, image))
				return then(realtest.Run(t, env, program, "push", file, ref), func() realtest.Output {
					return realtest.Run(t, env, program, "copy", ref, strings.Replace(ref, "/hello", "/copy-of-hello", 1)) // mounts
				})
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				return realtest.Run(t, env, program, "pull", strings.Replace(ref, "/hello", "/copy-of-hello", 1), filepath.Join(t.TempDir(), "image.tar"))
			},
		}
	},
	"oras": func(t *testing.T, _, login string) client {
		t.Helper()
		program := realtest.Program(t, "oras")
		options := []string{"--plain-http"}
		if login != "" {
			options = append(options, "--registry-config", login)
		}
		run := func(t *testing.T, args ...string) realtest.Output {
			t.Helper()
			return realtest.Run(t, nil, program, append(args, options...)...)
		}
		return client{
			push: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				file := realtest.RootFS(t)
				return then(run(t, "push", "--disable-path-validation", ref, file+":application/x-tar"), func() realtest.Output {
					return run(t, "attach", "--disable-path-validation", "--artifact-type", "application/x-signature", ref, file+":application/x-tar")
				})
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				t.Helper()
				found := must(t, run(t, "discover", "--artifact-type", "application/x-signature", ref))
				require.Contains(t, found.Text, "application/x-signature", "the referrers API has what was attached")
				return run(t, "pull", "--allow-path-traversal", "--output", t.TempDir(), ref)
			},
		}
	},
}

// then goes on with the next command if one succeeded.
func then(out realtest.Output, next func() realtest.Output) realtest.Output {
	if out.Err != nil {
		return out
	}
	return next()
}

// must is for what has to succeed.
func must(t *testing.T, out realtest.Output) realtest.Output {
	t.Helper()
	require.NoError(t, out.Err, out.Text)
	return out
}

// containers runs podman or buildah with a storage of its own.
func containers(t *testing.T, name string) func(args ...string) realtest.Output {
	t.Helper()
	program := realtest.Program(t, name)
	if os.Geteuid() != 0 {
		realtest.Missing(t, name+" needs root here")
	}
	dir, err := os.MkdirTemp("", name) //nolint:usetesting // short: podman wants it so
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	policy := filepath.Join(dir, "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600))
	return func(args ...string) realtest.Output {
		t.Helper()
		global := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}
		if args[0] == "pull" {
			args = append([]string{args[0], "--signature-policy", policy}, args[1:]...)
		}
		return realtest.Run(t, nil, program, append(global, args...)...)
	}
}

func authfile(login string) []string {
	if login == "" {
		return nil
	}
	return []string{"--authfile", login}
}

func ociLayout(t *testing.T) (dir string) {
	t.Helper()
	image, err := random.Image(1024, 3)
	require.NoError(t, err)
	dir = t.TempDir()
	images, err := layout.Write(dir, empty.Index)
	require.NoError(t, err)
	require.NoError(t, images.AppendImage(image))
	return dir
}

// basic is an Authorize that wants a login, as ECR's registry does.
func basic(r *http.Request, _ imageregistry.Access) *imageregistry.Error {
	if user, password, ok := r.BasicAuth(); ok && user == realtest.User && password == realtest.Password {
		return nil
	}
	return &imageregistry.Error{Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: "no login of ours",
		Header: http.Header{"Www-Authenticate": {`Basic realm="test"`}}}
}

// Each client pushes and pulls, in a registry that is open and in one that wants a login.
func TestClients(t *testing.T) {
	t.Parallel()
	for name, program := range clients {
		for kind, authorize := range map[string]imageregistry.Authorize{"open": imageregistry.AllowAll, "login": basic} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				images := imageregistry.New(authorize)
				address := serve(t, images)
				login := ""
				if kind == "login" {
					auth := base64.StdEncoding.EncodeToString([]byte(realtest.User + ":" + realtest.Password))
					login = filepath.Join(t.TempDir(), "config.json")
					require.NoError(t, os.WriteFile(login, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, address, auth), 0o600))
				}
				c := program(t, address, login)
				ref := address + "/team/hello:v1"
				must(t, c.push(t, ref))
				must(t, c.pull(t, ref))
				if login != "" {
					require.Equal(t, http.StatusUnauthorized, do(images, http.MethodGet, "/v2/team/hello/manifests/v1", "").Code)
				}
			})
		}
	}
}

// Each client shows its user what the registry says: that it is full, and what the function says that refuses.
func TestClientsShowErrors(t *testing.T) {
	t.Parallel()
	refuse := func(_ *http.Request, a imageregistry.Access) *imageregistry.Error {
		if a.Action == imageregistry.Push {
			return &imageregistry.Error{Status: http.StatusForbidden, Code: "DENIED", Message: "pushing is for others"}
		}
		return nil
	}
	for name, program := range clients {
		for _, test := range []struct {
			kind   string
			images *imageregistry.Registry
			says   string
		}{ // an upload may begin, its content doesn't fit
			{"full", imageregistry.New(imageregistry.AllowAll, imageregistry.WithMaxBytes(1024+50)), "the registry is full: it holds at most 1074 bytes"},
			{"refused", imageregistry.New(refuse), "pushing is for others"},
		} {
			t.Run(name+", "+test.kind, func(t *testing.T) {
				t.Parallel()
				address := serve(t, test.images)
				out := program(t, address, "").push(t, address+"/hello:v1")
				require.Error(t, out.Err)
				require.Contains(t, out.Text, test.says)
			})
		}
	}
}
