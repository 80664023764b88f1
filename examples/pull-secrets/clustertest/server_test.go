package clustertest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// realServer has the reference server beside, with its registry, and namespaces mapped by a file: what is in the secret pulls the namespace's project, and no other.
func realServer(t *testing.T, s *apiServer) {
	t.Helper()
	binary := filepath.Join(s.dir, "server")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./server")
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	address, registry := freeAddress(t), freeAddress(t)
	s.write("development.yaml", `
server: {listen: "`+address+`", cluster_credentials: true}
embedded_registry: {listen: "`+registry+`"}
registry: {type: oci-token-issuer, registry_url: "`+registry+`", namespace: rise-apps}
auth:
  tokens:
    - {token: ci-token-of-the-test, subject: ci, projects: ["*"], access: push}
    - {token: `+endpointToken+`, subject: pull-secrets, projects: [hello, other]}
`)
	server := start(t, s.dir, []string{"RISE_CONFIG_DIR=" + s.dir}, binary)
	eventually(t, "the server is ready", 30*time.Second, func() bool {
		answer, err := http.Get("http://" + address + "/readyz") //nolint:noctx // on loopback
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	ci, err := client.New("http://"+address, client.Fixed(provider.NewSecret("ci-token-of-the-test")))
	require.NoError(t, err)
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	tag := func(project, version string) name.Tag {
		tag, err := name.NewTag(registry + "/rise-apps/" + project + ":" + version)
		require.NoError(t, err)
		return tag
	}
	for _, project := range []string{"hello", "other"} {
		c, err := ci.Credentials(t.Context(), project, provider.Push)
		require.NoError(t, err)
		login, err := c.Authenticator()
		require.NoError(t, err)
		require.NoError(t, remote.Write(tag(project, "v1"), image, remote.WithAuth(login)))
	}

	kubeconfig, _ := s.kubeconfig()
	mapping := s.write("namespaces.yaml", "real: hello\n")
	r := &replicas{t: t, dir: s.dir, args: []string{
		"--endpoint", "http://" + address, "--token-file", s.write("endpoint-token", endpointToken), "--installation", "real", "--mapping-file", mapping, "--kubeconfig", kubeconfig,
		"--namespace", "rise-system", "--lease-duration", "2s", "--registry", registry, "--log-format", "text",
	}}
	s.namespace("real", "")
	one := r.start()
	secret := func() *corev1.Secret {
		got, err := s.of("Secret", "real").Get(t.Context(), "rise-pull", metav1.GetOptions{})
		if err != nil {
			return nil
		}
		return typed(t, got)
	}
	// pulls tells whether a kubelet that has the secret can.
	pulls := func(project string) bool {
		var config struct{ Auths map[string]authn.AuthConfig }
		require.NoError(t, json.Unmarshal(secret().Data[corev1.DockerConfigJsonKey], &config))
		login, ok := config.Auths[registry]
		require.True(t, ok, "it is for the registry")
		_, err := remote.Image(tag(project, "v1"), remote.WithAuth(authn.FromConfig(login)))
		require.Error(t, remote.Write(tag(project, "v2"), image, remote.WithAuth(authn.FromConfig(login))), "it pushes")
		return err == nil
	}
	holds := func(project string) func() bool {
		return func() bool { got := secret(); return got != nil && got.Annotations["rise/project"] == project }
	}
	eventually(t, "the secret is there", 30*time.Second, holds("hello"))
	require.True(t, pulls("hello"))
	require.False(t, pulls("other"))

	s.write("namespaces.yaml", "") // nobody means that
	s.write("namespaces.yaml", "real: other\n")
	eventually(t, "it is the other project's", 30*time.Second, holds("other"))
	require.True(t, pulls("other"))
	require.False(t, pulls("hello"))
	s.write("namespaces.yaml", "real: forbidden\n")
	eventually(t, "it is gone, as this project's can't be had", 30*time.Second, func() bool { return secret() == nil })
	eventually(t, "it is said why", 10*time.Second, func() bool { return s.told("real", "ProjectRefused") })
	s.write("namespaces.yaml", "real: hello\n")
	eventually(t, "it comes back", 30*time.Second, holds("hello"))
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	for _, metric := range regexp.MustCompile(`rise_pull_secrets_\w+`).FindAllString(string(readme), -1) {
		require.Contains(t, one.get(t, "/metrics"), "\n"+metric, "README has it")
	}
	require.Equal(t, "ok\n", one.get(t, "/healthz"))
	s.write("namespaces.yaml", "{}\n")
	eventually(t, "nothing is mapped", 30*time.Second, func() bool { return secret() == nil })
	require.Zero(t, one.end())
	require.Contains(t, server.output(), "subject=pull-secrets project=hello access=pull consumer=cluster")
	require.NotContains(t, r.logs(), endpointToken)
}

func (r *replica) get(t *testing.T, path string) string {
	t.Helper()
	answer, err := http.Get("http://" + r.address + path) //nolint:noctx // on loopback
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return string(text)
}

func typed(t *testing.T, o *unstructured.Unstructured) *corev1.Secret {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	s := &corev1.Secret{}
	require.NoError(t, json.Unmarshal(text, s))
	return s
}
