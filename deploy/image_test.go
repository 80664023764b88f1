//go:build linux

package deploy_test

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

const (
	patience = 20 * time.Second
	poll     = 100 * time.Millisecond
)

const platform = "linux/" + runtime.GOARCH

// hello is a small program's source in a folder of its own, with a module that go.mod replaces by a folder, as the examples do.
func hello(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hello/go.mod": "module example.com/hello\n\ngo 1.26\n\nrequire example.com/greeting v0.0.0\n\nreplace example.com/greeting => ../greeting\n",
		"hello/main.go": "package main\n\nimport (\n\t\"os\"\n\n\t\"example.com/greeting\"\n)\n\n" +
			"func main() {\n\t_, _ = os.Stdout.WriteString(greeting.Text + os.Getenv(\"GREETING\"))\n}\n",
		"greeting/go.mod":      "module example.com/greeting\n\ngo 1.26\n",
		"greeting/greeting.go": "package greeting\n\nvar Text = \"hello \"\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	return filepath.Join(dir, "hello")
}

// imagesIn are the images of the layout's index, by architecture, and the digest that it has.
func imagesIn(t *testing.T, dir string) (map[string]v1.Image, string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(filepath.Join(dir, "oci"))
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
	top, err := index.IndexManifest()
	require.NoError(t, err)
	require.Equal(t, "v1", top.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	platforms, err := index.ImageIndex(top.Manifests[0].Digest)
	require.NoError(t, err)
	manifest, err := platforms.IndexManifest()
	require.NoError(t, err)
	images := map[string]v1.Image{}
	for _, d := range manifest.Manifests {
		image, err := platforms.Image(d.Digest)
		require.NoError(t, err)
		require.Equal(t, "linux", d.Platform.OS)
		images[d.Platform.Architecture] = image
	}
	return images, top.Manifests[0].Digest.String()
}

// filesIn are the files of an image's layers, none of which may hold anything of the machine.
func filesIn(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	layers, err := image.Layers()
	require.NoError(t, err)
	for _, l := range layers {
		open, err := l.Uncompressed()
		require.NoError(t, err)
		for r := tar.NewReader(open); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if h.Name != "var/lib/rise/" {
				require.Zero(t, h.Uid+h.Gid, h.Name)
			}
			require.Zero(t, h.ModTime.Unix())
			require.Empty(t, h.Uname+h.Gname)
			require.Zero(t, h.Mode&0o022, "%s can be written to", h.Name)
			content, err := io.ReadAll(r)
			require.NoError(t, err)
			files[h.Name] = content
		}
		require.NoError(t, open.Close())
	}
	return files
}

// The image is the same bit for bit wherever it is made, and holds what it says.
func TestImage(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "cyclonedx-gomod")
	args := func(dir string, more ...string) []string {
		return append([]string{"-output", dir, "-tag", "hello:v1", "-version", "v1.2.3", "-revision", "0123abc", "-env", "GREETING=hi"}, more...)
	}
	here, there, registry := t.TempDir(), t.TempDir(), realtest.Registry(t, false)
	digest := mustPack(t, []string{"SOURCE_DATE_EPOCH=1700000000"}, args(here, "-push", registry+"/tools/hello:v1", hello(t))...)
	other := mustPack(t, []string{"SOURCE_DATE_EPOCH=1700000000", "GOFLAGS=-tags=other", "GOAMD64=v3", "TZ=Asia/Tokyo", "LC_ALL=C"}, args(there, hello(t))...)
	require.Equal(t, digest, other)
	images, inLayout := imagesIn(t, here)
	require.Equal(t, digest, inLayout)
	require.Len(t, images, 2)

	for architecture, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		image := images[architecture]
		config, err := image.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, architecture, config.Architecture)
		require.Equal(t, "65532:65532", config.Config.User)
		require.Equal(t, []string{"/hello"}, config.Config.Entrypoint)
		require.Equal(t, []string{"PATH=/", "GREETING=hi"}, config.Config.Env)
		labels := map[string]string{
			"org.opencontainers.image.title": "hello", "org.opencontainers.image.version": "v1.2.3", "org.opencontainers.image.revision": "0123abc",
			"org.opencontainers.image.created": "2023-11-14T22:13:20Z", "org.opencontainers.image.source": "https://github.com/rise-deploy/rise-registry-go",
			"org.opencontainers.image.description": "Short-lived container-registry credentials, one repository each",
		}
		require.Equal(t, labels, config.Config.Labels)
		manifest, err := image.Manifest()
		require.NoError(t, err)
		require.Equal(t, labels, manifest.Annotations)

		files := filesIn(t, image)
		require.Len(t, files, 5, "a program, the authorities, and three folders above these: from scratch")
		program, err := elf.NewFile(bytes.NewReader(files["hello"]))
		require.NoError(t, err)
		require.Equal(t, machine, program.Machine)
		require.NotContains(t, string(files["hello"]), here)
		var authorities []string
		for rest := files["etc/ssl/certs/ca-certificates.crt"]; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			c, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			require.True(t, c.IsCA)
			authorities = append(authorities, c.Subject.CommonName)
		}
		require.Greater(t, len(authorities), 100)
		require.Subset(t, authorities, []string{"Amazon Root CA 1", "ISRG Root X1"}, "AWS's and Let's Encrypt's")

		sbomName := "hello-linux-" + architecture + ".cdx.json"
		sbom, err := os.ReadFile(filepath.Join(here, sbomName))
		require.NoError(t, err)
		again, err := os.ReadFile(filepath.Join(there, sbomName))
		require.NoError(t, err)
		require.Equal(t, string(sbom), string(again))
		var document struct {
			BOMFormat string
			Metadata  struct {
				Component struct{ Name, Version string }
			}
			Components []struct{ Name, Version string }
		}
		require.NoError(t, json.Unmarshal(sbom, &document))
		require.Equal(t, "CycloneDX", document.BOMFormat)
		require.Equal(t, "example.com/hello", document.Metadata.Component.Name)
		require.Equal(t, "v1.2.3", document.Metadata.Component.Version)
		require.Len(t, document.Components, 2)
		require.Equal(t, "std", document.Components[1].Name)
		require.Equal(t, "example.com/greeting", document.Components[0].Name, "not its folder")
		require.Equal(t, "v1.2.3", document.Components[0].Version)
		require.Contains(t, string(sbom), `"pkg:golang/example.com/greeting@v1.2.3?type=module"`)
		require.NotContains(t, string(sbom), "../")

		// Registries find it by the image.
		child, err := image.Digest()
		require.NoError(t, err)
		subject, err := name.NewDigest(registry + "/tools/hello@" + child.String())
		require.NoError(t, err)
		referrers, err := remote.Referrers(subject)
		require.NoError(t, err)
		found, err := referrers.IndexManifest()
		require.NoError(t, err)
		require.Len(t, found.Manifests, 1)
		require.Equal(t, "application/vnd.cyclonedx+json", found.Manifests[0].ArtifactType)
		attached, err := remote.Image(subject.Digest(found.Manifests[0].Digest.String()))
		require.NoError(t, err)
		layers, err := attached.Layers()
		require.NoError(t, err)
		require.Len(t, layers, 1)
		open, err := layers[0].Compressed()
		require.NoError(t, err)
		pushed, err := io.ReadAll(open)
		require.NoError(t, err)
		require.Equal(t, string(sbom), string(pushed))
	}
	tag, err := name.NewTag(registry + "/tools/hello:v1")
	require.NoError(t, err)
	pushed, err := remote.Index(tag)
	require.NoError(t, err)
	pushedDigest, err := pushed.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, pushedDigest.String())
}

func TestImageRefusals(t *testing.T) {
	t.Parallel()
	full, empty := filepath.Dir(write(t, filepath.Join(t.TempDir(), "file"), "")), write(t, filepath.Join(t.TempDir(), "roots.pem"), "no certificate")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "-output is required"},
		{[]string{"-output", full}, full + " isn't empty"},
		{[]string{"-output", t.TempDir(), "-platforms", "windows/amd64"}, `"windows/amd64" must be linux/amd64 or linux/arm64`},
		{[]string{"-output", t.TempDir(), "-env", "NAME"}, "must be NAME=value"},
		{[]string{"-output", t.TempDir(), "-roots", empty}, "holds no certificate"},
		{[]string{"-output", t.TempDir(), "./examples/none"}, "examples/none"},
	} {
		_, err := pack(nil, tt.args...)
		require.ErrorContains(t, err, tt.want)
	}
}

// podman runs a podman that knows nothing of the machine's own.
func podman(t *testing.T) func(args ...string) realtest.Output {
	t.Helper()
	program := realtest.Program(t, "podman")
	realtest.Program(t, "runc", "crun")
	if os.Geteuid() != 0 {
		realtest.Missing(t, "podman without root needs more than tests have")
	}
	dir, err := os.MkdirTemp("", "rise") //nolint:usetesting // short: podman demands it
	require.NoError(t, err)
	global := []string{"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run")}
	t.Cleanup(func() { // t's context has ended
		out, err := exec.Command(program, append(global, "rm", "-f", "-a", "-t", "5")...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, 30*time.Second, 100*time.Millisecond, "podman's own clean-up may still write there")
	})
	return func(args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, nil, program, append(global, args...)...)
	}
}

// The image of the reference server runs, with nothing that it could do without, and hands out credentials.
func TestImageRuns(t *testing.T) {
	t.Parallel()
	run := podman(t)
	must := func(args ...string) string {
		t.Helper()
		out := run(args...)
		require.NoError(t, out.Err, out.Text)
		return out.Text
	}
	must("load", "-q", "-i", serverImage(t))
	least := []string{
		"--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
		"--security-opt", "no-new-privileges",
	}
	config, address := t.TempDir(), realtest.FreeAddress(t)
	const token = "a-token-of-the-ci-job"
	write(t, filepath.Join(config, "production.yaml"), `server: {listen: "${LISTEN}"}
auth: {tokens: [{token: "${CI_TOKEN}", subject: ci, projects: [hello], access: push}]}
registry: {type: oci-client-auth, registry_url: registry.example.com, namespace: apps}
`)
	require.NoError(t, os.Chmod(config, 0o755))
	with := append([]string{"-e", "LISTEN=" + address, "-e", "CI_TOKEN=" + token, "-v", config + ":/etc/rise:ro"}, least...)

	// Without a configuration it says so, rather than to serve the one of developers.
	out := run(append(append([]string{"run", "--rm"}, least...), serverTag)...)
	require.Error(t, out.Err)
	require.Contains(t, out.Text, "/etc/rise")

	out = run(append(append([]string{"run", "--rm", "--entrypoint", "/operator"}, with...), serverTag, "check-config")...)
	require.NoError(t, out.Err, out.Text)
	require.NotContains(t, out.Text, token)

	must(append(append([]string{"run", "-d", "--name", "server"}, with...), serverTag)...)
	status, _, _ := credential(t, "http://"+address, token, "hello")
	require.Equal(t, http.StatusOK, status, "%s", run("logs", "server").Text)
	require.Equal(t, "65532:65532", strings.TrimSpace(must("inspect", "--format", "{{.Config.User}}", "server")))
	must("stop", "-t", "30", "server")
	require.Equal(t, "0", strings.TrimSpace(must("inspect", "--format", "{{.State.ExitCode}}", "server")), "it ends by itself")
}
