package tokenissuer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// client is a program that pushes and pulls, for one registry. Images are references whose tag is a version, since helm wants that.
type client struct {
	login func(t *testing.T, password string) realtest.Output
	// push makes an image of so many layers of so many bytes each, and pushes it.
	push func(t *testing.T, ref string, layers int, size int64) realtest.Output
	// pull gets an image, with nothing left of the push.
	pull func(t *testing.T, ref string) realtest.Output
	// build builds an image FROM base and pushes it; nil for what doesn't build.
	build func(t *testing.T, base, ref string) realtest.Output
}

// program is what is known of one that people use.
type program struct {
	// start starts what the client needs and returns what makes a client for a registry.
	start func(t *testing.T) func(t *testing.T, address string) client
	// checksLogin: a login asks the registry.
	checksLogin bool
	// What its user reads: of a push or pull of another's repository (says, where it shows the sentence), of a credential that is no longer good, and of a
	// push with what is for pulling there, which gets a token and is refused by the registry.
	shows, suspendedShows, pullerShows string
	// again429 and again503: it asks again when /token is busy.
	again429, again503 bool
	// oneLayer: what it pushes has one.
	oneLayer bool
}

// The sentences of refusals.
const (
	saysRevoked = "This credential is no longer good: its project is suspended, is gone, or its name is another project's."
	says        = "This credential is good for pushing to and pulling from rise-apps/hello, and not for what was asked for."
	// What registries' answers become.
	registryDenied = "denied: requested access to the resource is denied"
	scopeTooSmall  = "insufficient_scope: authorization failed"
)

var programs = map[string]program{
	"docker":   {start: docker, checksLogin: true, shows: says, suspendedShows: saysRevoked, pullerShows: registryDenied, again503: true},
	"podman":   {start: podman, checksLogin: true, shows: "403 (Forbidden)", suspendedShows: saysRevoked, pullerShows: registryDenied},
	"skopeo":   {start: skopeo, checksLogin: true, shows: "403 (Forbidden)", suspendedShows: saysRevoked, pullerShows: registryDenied},
	"buildah":  {start: buildah, checksLogin: true, shows: "403 (Forbidden)", suspendedShows: saysRevoked, pullerShows: registryDenied},
	"crane":    {start: crane, shows: says, suspendedShows: saysRevoked, pullerShows: "UNAUTHORIZED: authentication required", again429: true, again503: true},
	"oras":     {start: oras, checksLogin: true, shows: says, suspendedShows: saysRevoked, pullerShows: "unauthorized: authentication required", again429: true, again503: true},
	"helm":     {start: helm, checksLogin: true, shows: says, suspendedShows: saysRevoked, pullerShows: "unauthorized: authentication required", again429: true, again503: true, oneLayer: true},
	"regctl":   {start: regctl, checksLogin: true, shows: "unauthorized", suspendedShows: "unauthorized", pullerShows: "unauthorized"},
	"ctr":      {start: ctr, shows: "403 Forbidden", suspendedShows: "401 Unauthorized", pullerShows: scopeTooSmall},
	"BuildKit": {start: buildkit, shows: says, suspendedShows: saysRevoked, pullerShows: scopeTooSmall, again503: true},
}

func docker(t *testing.T) func(t *testing.T, address string) client {
	engine := realtest.Docker(t)
	return func(t *testing.T, address string) client {
		env := []string{"DOCKER_CONFIG=" + t.TempDir(), "DOCKER_BUILDKIT=0"} // without buildx, the client builds by the engine's old builder
		run := func(args ...string) realtest.Output { return engine(env, args...) }
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return run("login", "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				_, file := images(t, ref, layers, size)
				must(t, run("load", "-i", file))
				return run("push", ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				run("rmi", ref)
				return run("pull", ref)
			},
			build: func(t *testing.T, base, ref string) realtest.Output {
				return then(run("build", "-t", ref, buildContext(t, base)), func() realtest.Output { return run("push", ref) })
			},
		}
	}
}

func podman(t *testing.T) func(t *testing.T, address string) client {
	run := containers(t, "podman")
	return func(t *testing.T, address string) client {
		auth := []string{"--tls-verify=false", "--authfile", filepath.Join(t.TempDir(), "auth.json")}
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return run("login", auth, "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				_, file := images(t, ref, layers, size)
				must(t, run("load", nil, "-i", file))
				return run("push", auth, ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				run("rmi", nil, ref)
				return run("pull", auth, ref)
			},
			build: func(t *testing.T, base, ref string) realtest.Output {
				return then(run("build", auth, "-t", ref, buildContext(t, base)), func() realtest.Output { return run("push", auth, ref) })
			},
		}
	}
}

func buildah(t *testing.T) func(t *testing.T, address string) client {
	run := containers(t, "buildah")
	return func(t *testing.T, address string) client {
		auth := []string{"--tls-verify=false", "--authfile", filepath.Join(t.TempDir(), "auth.json")}
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return run("login", auth, "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				_, file := images(t, ref, layers, size)
				must(t, run("pull", nil, "docker-archive:"+file))
				return run("push", auth, ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				run("rmi", nil, ref)
				return run("pull", auth, ref)
			},
			build: func(t *testing.T, base, ref string) realtest.Output {
				return then(run("build", auth, "-t", ref, buildContext(t, base)), func() realtest.Output { return run("push", auth, ref) })
			},
		}
	}
}

func skopeo(t *testing.T) func(t *testing.T, address string) client {
	path := realtest.Program(t, "skopeo")
	return func(t *testing.T, address string) client {
		auth := filepath.Join(t.TempDir(), "auth.json")
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return realtest.Run(t, nil, path, "login", "--tls-verify=false", "--authfile", auth, "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				dir, _ := images(t, ref, layers, size)
				return realtest.Run(t, nil, path, "copy", "--insecure-policy", "--dest-tls-verify=false", "--authfile", auth, "oci:"+dir, "docker://"+ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return realtest.Run(t, nil, path, "copy", "--insecure-policy", "--src-tls-verify=false", "--authfile", auth, "docker://"+ref, "oci:"+t.TempDir())
			},
		}
	}
}

func crane(t *testing.T) func(t *testing.T, address string) client {
	path := realtest.Program(t, "crane")
	return func(t *testing.T, address string) client {
		env := []string{"DOCKER_CONFIG=" + t.TempDir()}
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return realtest.Run(t, env, path, "auth", "login", "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				_, file := images(t, ref, layers, size)
				return realtest.Run(t, env, path, "push", file, ref)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return realtest.Run(t, env, path, "pull", ref, filepath.Join(t.TempDir(), "image.tar"))
			},
		}
	}
}

func oras(t *testing.T) func(t *testing.T, address string) client {
	path := realtest.Program(t, "oras")
	return func(t *testing.T, address string) client {
		options := []string{"--plain-http", "--registry-config", filepath.Join(t.TempDir(), "config.json")}
		run := func(t *testing.T, args ...string) realtest.Output {
			return realtest.Run(t, nil, path, append(args, options...)...)
		}
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return run(t, "login", "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				args := []string{"push", "--disable-path-validation", ref}
				for _, file := range randomFiles(t, t.TempDir(), layers, size) {
					args = append(args, file+":application/octet-stream")
				}
				return run(t, args...)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return run(t, "pull", "--allow-path-traversal", "--output", t.TempDir(), ref)
			},
		}
	}
}

func helm(t *testing.T) func(t *testing.T, address string) client {
	program := realtest.Program(t, "helm")
	return func(t *testing.T, address string) client {
		options := []string{"--plain-http", "--registry-config", filepath.Join(t.TempDir(), "config.json")}
		run := func(t *testing.T, args ...string) realtest.Output {
			return realtest.Run(t, nil, program, append(args, options...)...)
		}
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return run(t, "registry", "login", "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, _ int, size int64) realtest.Output {
				repository, _, _ := strings.Cut(strings.TrimPrefix(ref, address), ":")
				parent, chart := path.Split(repository)
				return run(t, "push", chartFile(t, chart, size), "oci://"+address+strings.TrimSuffix(parent, "/"))
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				end := strings.LastIndex(ref, ":")
				return run(t, "pull", "oci://"+ref[:end], "--version", ref[end+1:], "--destination", t.TempDir())
			},
		}
	}
}

func regctl(t *testing.T) func(t *testing.T, address string) client {
	path := realtest.Program(t, "regctl")
	return func(t *testing.T, address string) client {
		env := []string{"REGCTL_CONFIG=" + filepath.Join(t.TempDir(), "config.json")}
		must(t, realtest.Run(t, env, path, "registry", "set", "--tls", "disabled", "--skip-check", address))
		return client{
			login: func(t *testing.T, password string) realtest.Output {
				return realtest.Run(t, env, path, "registry", "login", "-u", "rise", "-p", password, address)
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				_, file := images(t, ref, layers, size)
				return realtest.Run(t, env, path, "image", "import", ref, file)
			},
			pull: func(t *testing.T, ref string) realtest.Output {
				return realtest.Run(t, env, path, "image", "export", ref, filepath.Join(t.TempDir(), "image.tar"))
			},
		}
	}
}

func ctr(t *testing.T) func(t *testing.T, address string) client {
	run := realtest.Containerd(t)
	return func(*testing.T, string) client {
		user := "" // it keeps no login
		return client{
			login: func(_ *testing.T, password string) realtest.Output {
				user = "rise:" + password
				return realtest.Output{}
			},
			push: func(t *testing.T, ref string, layers int, size int64) realtest.Output {
				_, file := images(t, ref, layers, size)
				must(t, run("images", "import", "--no-unpack", "--compress-blobs", file))
				return run("images", "push", "--plain-http", "--user", user, ref)
			},
			pull: func(_ *testing.T, ref string) realtest.Output {
				run("images", "rm", "--sync", ref)
				return run("images", "pull", "--plain-http", "--snapshotter", "native", "--user", user, ref)
			},
		}
	}
}

func buildkit(t *testing.T) func(t *testing.T, address string) client {
	engine := realtest.BuildKit(t)
	return func(t *testing.T, address string) client {
		config := t.TempDir()
		run := func(args ...string) realtest.Output { return engine([]string{"DOCKER_CONFIG=" + config}, args...) }
		build := func(dir, output string) realtest.Output {
			return run("build", "--progress", "plain", "--frontend", "dockerfile.v0", "--local", "context="+dir, "--local", "dockerfile="+dir, "--output", output)
		}
		pushed := func(ref string) string { return "type=image,push=true,name=" + ref }
		return client{
			login: func(t *testing.T, password string) realtest.Output { // docker's or another's
				writeLogin(t, filepath.Join(config, "config.json"), address, password)
				return realtest.Output{}
			},
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
				must(t, run("prune", "--all"))
				return build(buildContext(t, ref), "type=local,dest="+t.TempDir())
			},
			build: func(t *testing.T, base, ref string) realtest.Output { return build(buildContext(t, base), pushed(ref)) },
		}
	}
}

// then goes on with the next command if one succeeded.
func then(out realtest.Output, next func() realtest.Output) realtest.Output {
	if out.Err != nil {
		return out
	}
	return next()
}

// must is for what has to succeed.
func must(t *testing.T, out realtest.Output) {
	t.Helper()
	require.NoError(t, out.Err, out.Text)
}

// containers runs podman or buildah with a storage of its own: the command, options that some commands have, and arguments.
func containers(t *testing.T, name string) func(command string, options []string, args ...string) realtest.Output {
	path := realtest.Program(t, name)
	if os.Geteuid() != 0 {
		realtest.Missing(t, name+" needs root here")
	}
	dir, err := os.MkdirTemp("", name) //nolint:usetesting // short: podman wants it so
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	policy := filepath.Join(dir, "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600))
	return func(command string, options []string, args ...string) realtest.Output {
		all := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs", command}
		switch command {
		case "pull", "build", "load":
			all = append(all, "--signature-policy", policy)
		}
		return realtest.Run(t, nil, path, append(append(all, options...), args...)...)
	}
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

// images makes a random image, and returns it as an OCI layout and as a file that docker would have saved by the name of ref.
func images(t *testing.T, ref string, layers int, size int64) (dir, file string) {
	t.Helper()
	image := randomImage(t, layers, size)
	dir = t.TempDir()
	all, err := layout.Write(dir, empty.Index)
	require.NoError(t, err)
	require.NoError(t, all.AppendImage(image))
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, tarball.WriteToFile(file, tag, image))
	return dir, file
}

func randomFiles(t *testing.T, dir string, n int, size int64) (files []string) {
	t.Helper()
	for i := range n {
		file := filepath.Join(dir, "file"+strconv.Itoa(i))
		require.NoError(t, os.WriteFile(file, randomBytes(size), 0o600))
		files = append(files, file)
	}
	return files
}

func randomBytes(n int64) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// buildContext is a folder to build an image in that is made FROM base.
func buildContext(t *testing.T, base string) string {
	t.Helper()
	dir := t.TempDir()
	randomFiles(t, dir, 1, 1024)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+base+"\nCOPY file0 /own\n"), 0o600))
	return dir
}

// chartFile packs a chart of version 1.0.0 with a random file in it.
func chartFile(t *testing.T, chart string, size int64) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for name, content := range map[string][]byte{
		"Chart.yaml": []byte("apiVersion: v2\nname: " + chart + "\nversion: 1.0.0\n"),
		"files/data": randomBytes(size),
	} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: chart + "/" + name, Mode: 0o600, Size: int64(len(content))}))
		_, err := w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zip.Close())
	file := filepath.Join(t.TempDir(), chart+"-1.0.0.tgz")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	return file
}

// writeLogin leaves a login as docker does.
func writeLogin(t *testing.T, file, address, password string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"auths": map[string]any{address: map[string]string{
		"auth": base64.StdEncoding.EncodeToString(fmt.Append(nil, "rise:", password)),
	}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}
