package clustertest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const adminToken = "the-administrator-of-the-test"

// apiServer is a real one, over a real etcd.
type apiServer struct {
	t       *testing.T
	dir     string
	address string
	args    []string
	process *process
	admin   dynamic.Interface
}

func startCluster(t *testing.T) *apiServer {
	t.Helper()
	etcd, program := installed(t, "etcd"), installed(t, "kube-apiserver")
	s := &apiServer{t: t, dir: t.TempDir(), address: freeAddress(t)}
	client, peer := "http://"+freeAddress(t), "http://"+freeAddress(t)
	start(t, s.dir, nil, etcd, "--data-dir", filepath.Join(s.dir, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync", "--log-level", "error")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keyFile := s.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	tokens := s.write("tokens.csv", adminToken+",admin,admin,system:masters\n")
	host, port, _ := strings.Cut(s.address, ":")
	s.args = []string{
		program, "--etcd-servers", client, "--bind-address", host, "--secure-port", port, "--cert-dir", filepath.Join(s.dir, "certs"), "--authorization-mode", "RBAC",
		"--token-auth-file", tokens, "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", keyFile,
		"--service-account-signing-key-file", keyFile, "--service-cluster-ip-range", "10.0.0.0/24", "--watch-cache", "--profiling=false",
	}
	s.start()
	config := &rest.Config{Host: "https://" + s.address, BearerToken: adminToken, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAFile: s.ca()}}
	s.admin, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	s.apply("namespace.yaml", "rbac.yaml", "mapping.yaml", "deployment.yaml")
	return s
}

func (s *apiServer) write(name, content string) string {
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func (s *apiServer) ca() string { return filepath.Join(s.dir, "certs", "apiserver.crt") }

// start starts the API server, anew after a kill, and waits until it is ready.
func (s *apiServer) start() {
	s.t.Helper()
	s.process = start(s.t, s.dir, nil, s.args...)
	eventually(s.t, "the API server is ready", time.Minute, func() bool {
		select {
		case <-s.process.done:
			s.t.Fatalf("the API server ended: %s", s.process.output())
		default:
		}
		pool, err := os.ReadFile(s.ca())
		if err != nil {
			return false
		}
		config := &rest.Config{Host: "https://" + s.address, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{CAData: pool}}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return false
		}
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, config.Host+"/readyz", http.NoBody)
		require.NoError(s.t, err)
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

var resources = map[string]schema.GroupVersionResource{
	"Namespace":           {Version: "v1", Resource: "namespaces"},
	"Secret":              {Version: "v1", Resource: "secrets"},
	"Event":               {Version: "v1", Resource: "events"},
	"ConfigMap":           {Version: "v1", Resource: "configmaps"},
	"ServiceAccount":      {Version: "v1", Resource: "serviceaccounts"},
	"ClusterRole":         {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding":  {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"Role":                {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":         {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"Deployment":          {Group: "apps", Version: "v1", Resource: "deployments"},
	"PodDisruptionBudget": {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	"Lease":               {Group: "coordination.k8s.io", Version: "v1", Resource: "leases"},
}

func (s *apiServer) of(kind, namespace string) dynamic.ResourceInterface {
	return s.admin.Resource(resources[kind]).Namespace(namespace)
}

// apply creates what is in the shipped manifests, whose fields the API server checks strictly.
func (s *apiServer) apply(names ...string) {
	s.t.Helper()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("..", "deploy", name))
		require.NoError(s.t, err)
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(s.t, err, name)
			}
			require.Contains(s.t, resources, object.GetKind())
			_, err := s.of(object.GetKind(), object.GetNamespace()).Create(s.t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
			require.NoError(s.t, err, "%s: %s", name, object.GetName())
		}
	}
}

// token is a new one of the controller's service account.
func (s *apiServer) token() string {
	s.t.Helper()
	request := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": map[string]any{"name": "pull-secrets", "namespace": "rise-system"}, "spec": map[string]any{},
	}}
	answer, err := s.of("ServiceAccount", "rise-system").Create(s.t.Context(), request, metav1.CreateOptions{}, "token")
	require.NoError(s.t, err)
	token, _, _ := unstructured.NestedString(answer.Object, "status", "token")
	require.NotEmpty(s.t, token)
	return token
}

// kubeconfig is the controller's, with its token in a file.
func (s *apiServer) kubeconfig() (path, tokenFile string) {
	s.t.Helper()
	tokenFile = s.write("token", s.token())
	return s.write("kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", certificate-authority: %q}}]
users: [{name: test, user: {tokenFile: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, s.address, s.ca(), tokenFile)), tokenFile
}

// namespace creates one, or labels it; without a project it has no label.
func (s *apiServer) namespace(name, project string) {
	s.t.Helper()
	labels := map[string]any{}
	if project != "" {
		labels["rise/project"] = project
	}
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}}}
	_, err := s.of("Namespace", "").Create(s.t.Context(), object, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

func (s *apiServer) label(name, project string) {
	s.t.Helper()
	value := "null"
	if project != "" {
		value = `"` + project + `"`
	}
	_, err := s.of("Namespace", "").Patch(s.t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"rise/project":`+value+`}}}`), metav1.PatchOptions{})
	require.NoError(s.t, err)
}

func (s *apiServer) patchSecret(namespace, patch string) error {
	_, err := s.of("Secret", namespace).Patch(s.t.Context(), "rise-pull", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// process is one that was started, and is killed when the test ends.
type process struct {
	command *exec.Cmd
	log     string
	done    chan struct{}
}

func start(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	file, err := os.CreateTemp(dir, filepath.Base(args[0])+"-*.log")
	require.NoError(t, err)
	p := &process{command: exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...), log: file.Name(), done: make(chan struct{})}
	p.command.Stdout, p.command.Stderr, p.command.Env = file, file, append(os.Environ(), env...)
	require.NoError(t, p.command.Start())
	require.NoError(t, file.Close())
	go func() {
		defer close(p.done)
		_ = p.command.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends it as a crash does.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

func (p *process) output() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}
