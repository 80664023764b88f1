package main_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// dir is for what all tests share.
var dir string

func TestMain(m *testing.M) {
	realtest.WithoutAWS()
	var err error
	if dir, err = os.MkdirTemp("", "rise-kubelet"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var built = sync.OnceValues(func() (output []byte, err error) {
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, kubeletplugin.Name), ".") //nolint:noctx // for all tests
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd.CombinedOutput()
})

// build builds the program as README.md says.
func build(t *testing.T) string {
	t.Helper()
	out, err := built()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, kubeletplugin.Name)
}

// One static file below 20 MB, which says what it is, and how it is called: README.md has each of its options.
func TestProgram(t *testing.T) {
	t.Parallel()
	program := build(t)
	info, err := os.Stat(program)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(20<<20))
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // read
	for _, part := range file.Progs {
		require.NotEqual(t, elf.PT_INTERP, part.Type, "it isn't static")
	}
	libraries, err := file.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)

	env := []string{"RISE_TIMEOUT=never"} // it isn't asked for what is wrong
	version := realtest.Must(t, env, program, "--version")
	require.Regexp(t, `^kubelet-credential-rise \S+\n$`, version)
	help := realtest.Must(t, env, program, "--help")
	require.Contains(t, help, "\nExamples:\n")
	require.Contains(t, help, "\nExit codes: ")
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	said := regexp.MustCompile(`--[a-z][a-z-]+|RISE_[A-Z_]+`).FindAllString(help+realtest.Must(t, env, program, "install", "--help"), -1)
	require.Greater(t, len(said), 15)
	for _, option := range said {
		require.Contains(t, string(readme), option)
	}
}

// By variables, as a kubelet gives them, and without a secret in any argument, variable or file: the token comes on standard input.
func TestVariables(t *testing.T) {
	t.Parallel()
	k := &kubelet{program: build(t), env: []string{"RISE_URL=https://127.0.0.1:1", "RISE_REGISTRY=r.example.com", "RISE_TIMEOUT=1s"}, match: []string{"r.example.com"}, kept: map[[2]string]kept{}}
	require.Empty(t, k.provide(t, pod{"a/b", "x.y.z"}, "r.example.com/a/b"))
	require.Empty(t, k.said)
	require.Empty(t, k.provide(t, pod{"a/b", "x.y.z"}, "r.example.com/hello"))
	require.Contains(t, k.said, "can't be reached")
	require.Equal(t, 2, k.ran, "neither is kept")
}

// puller pulls as a container runtime does with what a kubelet gives it.
type puller func(t *testing.T, image string, auth kubeletplugin.AuthConfig) error

func ggcr(t *testing.T, image string, auth kubeletplugin.AuthConfig) error {
	t.Helper()
	ref, err := name.ParseReference(image)
	require.NoError(t, err)
	login := authn.Anonymous
	if auth.Username != "" {
		login = &authn.Basic{Username: auth.Username, Password: auth.Password}
	}
	_, err = remote.Image(ref, remote.WithAuth(login))
	return err
}

// containerd pulls from a registry that its hosts are configured for.
func containerd(t *testing.T, registry string) puller {
	t.Helper()
	ctr := realtest.Containerd(t)
	hosts := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(hosts, registry), 0o700))
	text := "server = \"http://" + registry + "\"\n[host.\"http://" + registry + "\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
	require.NoError(t, os.WriteFile(filepath.Join(hosts, registry, "hosts.toml"), []byte(text), 0o600))
	return func(t *testing.T, image string, auth kubeletplugin.AuthConfig) error {
		t.Helper()
		ctr("images", "rm", "--sync", image)
		args := []string{"images", "pull", "--hosts-dir", hosts, "--snapshotter", "native"}
		if auth.Username != "" {
			args = append(args, "--user", auth.Username+":"+auth.Password)
		}
		out := ctr(append(args, image)...)
		t.Logf("%s: %v %s", image, out.Err, strings.TrimSpace(out.Text[strings.LastIndex(strings.TrimSpace(out.Text), "\n")+1:]))
		return out.Err
	}
}

// pull does what a kubelet does for one container: it tries the credentials in turn, or none where there are none.
func (k *kubelet) pull(t *testing.T, p pod, image string, with puller) error {
	t.Helper()
	credentials := k.lookup(t, p, strings.TrimSuffix(image, ":v1"))
	if len(credentials) == 0 {
		return with(t, image, kubeletplugin.AuthConfig{})
	}
	var err error
	for _, auth := range credentials {
		if err = with(t, image, auth); err == nil {
			return nil
		}
	}
	return err
}

// Pods of two projects, of which one's name begins with the other's: one service account has a right to both, one to the first alone. Each image is
// pulled with its own project's credential, and who has no right to it doesn't pull it, whatever others on the node were given.
func TestPods(t *testing.T) { //nolint:tparallel // on one kubelet, one after the other
	t.Parallel()
	c := newCluster(t)
	s := startService(t, c.issuer)
	k := &kubelet{
		program: build(t), match: []string{s.registry + "/rise-apps/"}, kept: map[[2]string]kept{},
		env: []string{"RISE_URL=" + s.url, "RISE_REGISTRY=" + s.registry, "RISE_NAMESPACE=rise-apps"},
	}
	hello, admin := s.push(t, "hello"), s.push(t, "hello-admin")
	require.Equal(t, hello+"-admin", admin, "one begins with the other")
	both, one, none := c.pod(t, "shop", "web"), c.pod(t, "hello", "default"), c.pod(t, "shop", "other")

	for name, with := range map[string]puller{"go-containerregistry": ggcr, "containerd": nil} {
		t.Run(name, func(t *testing.T) {
			if with == nil {
				with = containerd(t, s.registry)
			}
			clear(k.kept)
			// Two containers of one pod, and another pod of the service account.
			for _, p := range []pod{both, c.pod(t, "shop", "web")} {
				for _, image := range []string{hello, admin, hello} {
					require.NoError(t, k.pull(t, p, image+":v1", with))
				}
			}
			require.NoError(t, k.pull(t, one, hello+":v1", with))
			require.Error(t, k.pull(t, one, admin+":v1", with), "although another was given what pulls it")
			require.Error(t, k.pull(t, none, hello+":v1", with))
			require.Error(t, k.pull(t, none, admin+":v1", with))
			require.Error(t, with(t, admin+":v1", k.lookup(t, one, hello)[0]), "the key fits, and the credential doesn't")
			require.Error(t, with(t, hello+":v1", k.lookup(t, both, admin)[0]), "nor the other way round")
		})
	}
	// shop/other may have the project shop, and a node asks for that alone.
	require.Contains(t, k.said, "knows no such project")
	require.Contains(t, k.said, "system:serviceaccount:shop:other")

	for _, p := range []pod{both, one, none} {
		for image, project := range map[string]string{hello: "hello", admin: "hello-admin"} {
			for key, auth := range k.provide(t, p, image) {
				require.Equal(t, image, key)
				require.Equal(t, project, projectOf(t, auth.Password), "%s is given another project's", p.serviceAccount)
			}
		}
	}
	// All that a service account was given, in one keyring, as if from several places: the image's own comes first, then what its name begins with.
	all := []map[string]kubeletplugin.AuthConfig{k.provide(t, both, hello), k.provide(t, both, admin)}
	found := inKeyring(t, admin, all...)
	require.Len(t, found, 2)
	require.Equal(t, "hello-admin", projectOf(t, found[0].Password))
	require.Equal(t, "hello", projectOf(t, found[1].Password))
	found = inKeyring(t, hello, all...)
	require.Len(t, found, 1)
	require.Equal(t, "hello", projectOf(t, found[0].Password))

	// Kept for half of the credential's hour, for that service account alone; then asked for again.
	ran := k.ran
	before := k.lookup(t, both, hello)
	require.Equal(t, ran, k.ran)
	k.later = 20 * time.Minute
	require.Equal(t, before, k.lookup(t, both, hello))
	k.later = 31 * time.Minute
	require.NotEqual(t, before, k.lookup(t, both, hello))
	require.Equal(t, ran+1, k.ran)

	logged := s.log.String()
	require.Contains(t, logged, "subject=cluster:system:serviceaccount:shop:web project=hello-admin access=pull consumer=cluster")
	for _, secret := range []string{both.token, one.token, none.token, before[0].Password} {
		secret = secret[strings.LastIndexByte(secret, '.')+1:] // a signature
		require.NotContains(t, logged, secret)
		require.NotContains(t, k.said, secret)
	}
}

// What is written after Kubernetes' source here is what Kubernetes' source does, with the configuration beside this file: a program of it (.ci/kubelet)
// looks for the same images' credentials.
func TestKubelet(t *testing.T) {
	t.Parallel()
	lookup := realtest.Program(t, "kubelet-lookup")
	c := newCluster(t)
	s := startService(t, c.issuer)
	text, err := os.ReadFile("credential-provider-config.yaml")
	require.NoError(t, err)
	text = []byte(strings.NewReplacer(`value: "https://rise.example.com"`, `value: "`+s.url+`"`, "registry.example.com", s.registry).Replace(string(text)))
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, text, 0o600))
	k := &kubelet{
		program: build(t), match: []string{s.registry + "/rise-apps/"}, kept: map[[2]string]kept{},
		env: []string{"RISE_URL=" + s.url, "RISE_REGISTRY=" + s.registry, "RISE_NAMESPACE=rise-apps"},
	}
	hello, admin := s.push(t, "hello"), s.push(t, "hello-admin")

	type asked struct{ Namespace, ServiceAccount, Pod, Token, Image string }
	var input bytes.Buffer
	var questions []asked
	for _, account := range []string{"shop/web", "hello/default", "shop/other", "hello/default", "shop/web"} {
		namespace, name, _ := strings.Cut(account, "/")
		for i, image := range []string{hello + ":v1", admin, hello + "@sha256:" + strings.Repeat("0", 64), hello + "/web", s.registry + "/rise-apps-2/hello", "nginx"} {
			q := asked{namespace, name, fmt.Sprintf("%s-%d", name, i), c.pod(t, namespace, name).token, image}
			questions = append(questions, q)
			require.NoError(t, json.NewEncoder(&input).Encode(q))
		}
	}
	cmd := exec.CommandContext(t.Context(), lookup, config, dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &input, &stdout, &stderr
	require.NoError(t, cmd.Run(), &stderr)
	answers := json.NewDecoder(&stdout)
	for _, q := range questions {
		var credentials []kubeletplugin.AuthConfig
		require.NoError(t, answers.Decode(&credentials))
		image, _, _ := strings.Cut(strings.TrimSuffix(q.Image, ":v1"), "@")
		ours := k.lookup(t, pod{q.Namespace + "/" + q.ServiceAccount, q.Token}, image)
		require.Len(t, ours, len(credentials), "%s for %s/%s", image, q.Namespace, q.ServiceAccount)
		want := 0
		if image == hello && q.ServiceAccount != "other" || image == admin && q.ServiceAccount == "web" {
			want = 1
		}
		require.Len(t, credentials, want, "%s for %s/%s", image, q.Namespace, q.ServiceAccount)
		for _, auth := range credentials {
			require.Equal(t, s.registry+"/rise-apps/"+projectOf(t, auth.Password), image)
			require.NoError(t, ggcr(t, image+":v1", auth))
			require.NotContains(t, stderr.String(), auth.Password)
		}
		require.NotContains(t, stderr.String(), q.Token[strings.LastIndexByte(q.Token, '.')+1:])
	}
	require.Contains(t, stderr.String(), "Failed to provide credentials for image", "README.md says to look for it")
	require.Contains(t, stderr.String(), "knows no such project")
}

// Other images of the same registry aren't the program's business, and a kubelet doesn't even run it for those of other registries.
func TestOtherImages(t *testing.T) {
	t.Parallel()
	k := &kubelet{program: build(t), env: []string{"RISE_URL=https://127.0.0.1:1", "RISE_REGISTRY=r.example.com", "RISE_NAMESPACE=apps"}, match: []string{"r.example.com/apps/"}, kept: map[[2]string]kept{}}
	for image, runs := range map[string]int{
		"r.example.com/apps/hello/web": 1, "r.example.com/apps/a_b": 1, "r.example.com/apps-2/hello": 0, "r.example.com/hello": 0,
		"r.example.com:5000/apps/hello": 0, "docker.io/library/nginx": 0, "x.r.example.com/apps/hello": 0,
	} {
		k.ran = 0
		require.Empty(t, k.lookup(t, pod{"a/b", "x.y.z"}, image))
		require.Equal(t, runs, k.ran, image)
	}
	require.Empty(t, k.said)
	require.Empty(t, k.kept)
}
