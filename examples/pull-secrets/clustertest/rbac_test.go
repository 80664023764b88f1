package clustertest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

func TestInstalled(t *testing.T) {
	t.Parallel()
	s := startCluster(t)
	leastPrivilege(t, s)
	realServer(t, s)
}

// The shipped rules allow what the controller does, each verb is needed, and they reach no other secret.
func leastPrivilege(t *testing.T, s *apiServer) {
	e := startEndpoint(t, endpointToken, 3*time.Second) // so that renewals don't take long
	kubeconfig, _ := s.kubeconfig()
	r := &replicas{t: t, dir: s.dir, args: []string{
		"--endpoint", e.URL, "--token-file", s.write("endpoint-token", endpointToken), "--installation", "test", "--mapping-label", "--kubeconfig", kubeconfig,
		"--namespace", "rise-system", "--lease-duration", "2s", "--timeout", "5s", "--log-format", "text",
	}}
	e.on("refused", func(w http.ResponseWriter) bool { return refuse(w, http.StatusNotFound, "not_found") })
	number := 0
	// work has the controller use all that it may: it looks, makes, renews, removes and tells.
	work := func(t *testing.T, until func(logs, namespace string) bool) {
		t.Helper()
		number++
		namespace := fmt.Sprintf("n%d", number)
		one := r.start()
		s.namespace(namespace, "shop")
		s.namespace(namespace+"-refused", "refused")
		renewed := false
		eventually(t, "what is to happen", 30*time.Second, func() bool {
			if !renewed {
				secret, err := s.of("Secret", namespace).Get(t.Context(), "rise-pull", metav1.GetOptions{})
				if renewed = err == nil && len(secret.GetManagedFields()) > 0 && written(secret) > 1; renewed {
					s.label(namespace, "")
				}
			}
			return until(one.output(), namespace)
		})
		if code := one.end(); code != 0 {
			t.Fatalf("exit code %d: %s", code, one.output())
		}
	}
	gone := func(logs, namespace string) bool {
		return strings.Contains(logs, `msg="removed a pull secret" namespace=`+namespace+" ") && s.told(namespace+"-refused", "ProjectRefused")
	}
	work(t, gone)
	require.NotContains(t, r.logs(), "forbidden", "nothing is missing")

	for _, role := range []struct{ kind, namespace, name string }{{"ClusterRole", "", "rise-pull-secrets"}, {"Role", "rise-system", "pull-secrets"}} {
		roles := s.of(role.kind, role.namespace)
		whole, err := roles.Get(t.Context(), role.name, metav1.GetOptions{})
		require.NoError(t, err)
		rules, _, err := unstructured.NestedSlice(whole.Object, "rules")
		require.NoError(t, err)
		for i := range rules {
			rule := rules[i].(map[string]any)
			resource := rule["resources"].([]any)[0].(string)
			for _, verb := range rule["verbs"].([]any) {
				t.Logf("without %s of %s", verb, resource)
				r.env = nil
				if resource == "namespaces" && verb == "list" {
					r.env = []string{"KUBE_FEATURE_WatchListClient=false"} // what older API servers need; newer ones list by a watch
				}
				if resource == "leases" && verb == "create" {
					require.NoError(t, s.of("Lease", "rise-system").Delete(t.Context(), "pull-secrets", metav1.DeleteOptions{}))
				}
				lesser := whole.DeepCopy()
				fewer, _, _ := unstructured.NestedSlice(lesser.Object, "rules")
				verbs := fewer[i].(map[string]any)["verbs"].([]any)
				fewer[i].(map[string]any)["verbs"] = slices.DeleteFunc(verbs, func(v any) bool { return v == verb })
				if len(verbs) == 1 {
					fewer = slices.Delete(fewer, i, i+1)
				}
				require.NoError(t, unstructured.SetNestedSlice(lesser.Object, fewer, "rules"))
				s.replace(role.kind, role.namespace, lesser)
				work(t, func(logs, _ string) bool {
					return strings.Contains(logs, fmt.Sprintf(`cannot %s resource \"%s\"`, verb, resource))
				})
			}
		}
		s.replace(role.kind, role.namespace, whole)
	}
	r.env = nil
	work(t, gone)

	// As the controller: others' secrets, and its own without its name.
	config := &rest.Config{Host: "https://" + s.address, BearerToken: s.token(), TLSClientConfig: rest.TLSClientConfig{CAFile: s.ca()}}
	controller, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	secrets := controller.Resource(resources["Secret"])
	for what, try := range map[string]func() error{
		"list all": func() error { _, err := secrets.List(t.Context(), metav1.ListOptions{}); return err },
		"list one namespace": func() error {
			_, err := secrets.Namespace("n1").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"list another name": func() error {
			_, err := secrets.List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=other"})
			return err
		},
		"list ours by labels alone": func() error {
			_, err := secrets.List(t.Context(), metav1.ListOptions{LabelSelector: "rise/installation=test"})
			return err
		},
		"watch all": func() error { _, err := secrets.Watch(t.Context(), metav1.ListOptions{}); return err },
		"get another": func() error {
			_, err := secrets.Namespace("n1").Get(t.Context(), "other", metav1.GetOptions{})
			return err
		},
		"get ours": func() error {
			_, err := secrets.Namespace("n1").Get(t.Context(), "rise-pull", metav1.GetOptions{})
			return err
		},
		"delete another":    func() error { return secrets.Namespace("n1").Delete(t.Context(), "other", metav1.DeleteOptions{}) },
		"label a namespace": func() error { return s.as(controller, "n1") },
		"read a config map": func() error {
			_, err := controller.Resource(resources["ConfigMap"]).Namespace("rise-system").Get(t.Context(), "pull-secrets", metav1.GetOptions{})
			return err
		},
	} {
		require.ErrorContains(t, try(), "forbidden", what)
	}
	_, err = secrets.List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=rise-pull"})
	require.NoError(t, err, "this test would see it")
}

// as labels a namespace.
func (s *apiServer) as(client dynamic.Interface, namespace string) error {
	_, err := client.Resource(resources["Namespace"]).Patch(s.t.Context(), namespace, "application/merge-patch+json", []byte(`{"metadata":{"labels":{"rise/project":"other"}}}`), metav1.PatchOptions{})
	return err
}

// replace writes a role, whatever version it has.
func (s *apiServer) replace(kind, namespace string, o *unstructured.Unstructured) {
	s.t.Helper()
	o = o.DeepCopy()
	o.SetResourceVersion("")
	_, err := s.of(kind, namespace).Update(s.t.Context(), o, metav1.UpdateOptions{})
	require.NoError(s.t, err)
}

// written is how often a secret was, as far as shows: once if it still says what it was made with.
func written(o *unstructured.Unstructured) int {
	made := o.GetCreationTimestamp()
	for _, field := range o.GetManagedFields() {
		if field.Operation == metav1.ManagedFieldsOperationUpdate && field.Time.After(made.Time) {
			return 2
		}
	}
	return 1
}

// The manifests name each other and the program's defaults.
func TestManifests(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, name := range []string{"rbac.yaml", "deployment.yaml", "mapping.yaml", "namespace.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "deploy", name))
		require.NoError(t, err)
		all.Write(text)
	}
	path, err := program()
	require.NoError(t, err)
	p := start(t, t.TempDir(), nil, path, "--help")
	<-p.done
	help := p.output()
	for flag, value := range map[string]string{"secret-name": "rise-pull", "lease": "pull-secrets"} {
		require.Contains(t, strings.SplitN(help, "--"+flag+" ", 2)[1], "(default "+value+")")
		require.Contains(t, all.String(), "resourceNames: ["+value+"]")
	}
}
