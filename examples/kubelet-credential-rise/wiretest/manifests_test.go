package wiretest_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubeletconfig "k8s.io/kubelet/config/v1"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

// manifest decodes a file's documents as Kubernetes does, strictly.
func manifest(t *testing.T, content []byte) []runtime.Object {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubeletconfig.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme, rbacv1.AddToScheme} {
		require.NoError(t, add(s))
	}
	decoder := serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		document, err := reader.Read()
		if err == io.EOF {
			return objects
		}
		require.NoError(t, err)
		object, _, err := decoder.Decode(document, nil, nil)
		require.NoError(t, err)
		objects = append(objects, object)
	}
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("../" + name)
	require.NoError(t, err)
	return content
}

func config(t *testing.T) kubeletconfig.CredentialProvider {
	t.Helper()
	objects := manifest(t, file(t, "credential-provider-config.yaml"))
	require.Len(t, objects, 1)
	c, ok := objects[0].(*kubeletconfig.CredentialProviderConfig)
	require.True(t, ok)
	require.Len(t, c.Providers, 1)
	return c.Providers[0]
}

// What a kubelet demands of the configuration (validateCredentialProviderConfig in k8s.io/kubernetes v1.37.2), and that the program takes it.
func TestConfig(t *testing.T) {
	t.Parallel()
	p := config(t)
	require.Equal(t, kubeletplugin.Name, p.Name)
	require.Equal(t, kubeletplugin.Versions()[0], p.APIVersion, "tokenAttributes need it")
	require.NotNil(t, p.DefaultCacheDuration)
	require.NotEmpty(t, p.MatchImages)
	require.NotNil(t, p.TokenAttributes)
	require.NotEmpty(t, p.TokenAttributes.ServiceAccountTokenAudience)
	require.Equal(t, kubeletconfig.ServiceAccountServiceAccountTokenCacheType, p.TokenAttributes.CacheType)
	require.NotNil(t, p.TokenAttributes.RequireServiceAccount)
	require.True(t, *p.TokenAttributes.RequireServiceAccount)

	env := map[string]string{}
	for _, e := range p.Env {
		env[e.Name] = e.Value
	}
	require.Equal(t, []string{env["RISE_REGISTRY"] + "/" + env["RISE_NAMESPACE"] + "/"}, p.MatchImages)
	var stdout, stderr bytes.Buffer
	code := kubeletplugin.Run(t.Context(), kubeletplugin.Process{
		Args: p.Args, Stdout: &stdout, Stderr: &stderr, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Stdin: strings.NewReader(`{"kind":"CredentialProviderRequest","apiVersion":"` + p.APIVersion + `","image":"registry.example.com/elsewhere/hello"}`),
	})
	require.Zero(t, code, stderr.String())
}

// Nodes may ask for tokens of that very audience, and for nothing else.
func TestRBAC(t *testing.T) {
	t.Parallel()
	objects := manifest(t, file(t, "rbac.yaml"))
	require.Len(t, objects, 2)
	role, ok := objects[0].(*rbacv1.ClusterRole)
	require.True(t, ok)
	require.Equal(t, []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{config(t).TokenAttributes.ServiceAccountTokenAudience},
		Verbs: []string{"request-serviceaccounts-token-audience"}, // plugin/pkg/admission/noderestriction in k8s.io/kubernetes
	}}, role.Rules)
	binding, ok := objects[1].(*rbacv1.ClusterRoleBinding)
	require.True(t, ok)
	require.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}, binding.RoleRef)
	require.Equal(t, []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:nodes"}}, binding.Subjects)
}

// The DaemonSet installs what the files beside it are, where its own folders are, and is given no more of the node than these.
func TestDaemonSet(t *testing.T) {
	t.Parallel()
	objects := manifest(t, file(t, "daemonset.yaml"))
	require.Len(t, objects, 3)
	namespace, ok := objects[0].(*corev1.Namespace)
	require.True(t, ok)
	configMap, ok := objects[1].(*corev1.ConfigMap)
	require.True(t, ok)
	set, ok := objects[2].(*appsv1.DaemonSet)
	require.True(t, ok)
	require.Equal(t, map[string]string{"credential-provider-config.yaml": string(file(t, "credential-provider-config.yaml"))}, configMap.Data)
	require.Equal(t, namespace.Name, set.Namespace)
	require.Equal(t, namespace.Name, configMap.Namespace)
	require.Equal(t, set.Spec.Selector.MatchLabels, set.Spec.Template.Labels)

	pod := set.Spec.Template.Spec
	require.False(t, *pod.AutomountServiceAccountToken)
	require.False(t, pod.HostNetwork || pod.HostPID || pod.HostIPC)
	host, volumes := map[string]string{}, map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
		if v.HostPath != nil {
			host[v.Name] = v.HostPath.Path
		}
	}
	require.Equal(t, map[string]string{"bin": "/opt/rise-credential-provider/bin", "etc": "/etc/rise-credential-provider"}, host, "README.md names them")
	require.Equal(t, configMap.Name, volumes["config"].ConfigMap.Name)
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		require.NotNil(t, c.SecurityContext, c.Name)
		require.Nil(t, c.SecurityContext.Privileged, c.Name)
		require.False(t, *c.SecurityContext.AllowPrivilegeEscalation, c.Name)
		require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, c.Name)
		require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop, c.Name)
		require.Empty(t, c.SecurityContext.Capabilities.Add, c.Name)
	}

	// The same, here: each mounted folder is one of this test's.
	require.Len(t, pod.InitContainers, 1)
	dir, args := t.TempDir(), []string{}
	for _, arg := range pod.InitContainers[0].Args {
		for _, m := range pod.InitContainers[0].VolumeMounts {
			arg = strings.Replace(arg, "="+m.MountPath, "="+path.Join(dir, m.Name), 1)
		}
		args = append(args, arg)
	}
	require.NoError(t, os.MkdirAll(path.Join(dir, "config"), 0o700))
	for name, content := range configMap.Data {
		require.NoError(t, os.WriteFile(path.Join(dir, "config", name), []byte(content), 0o600))
	}
	var stdout, stderr bytes.Buffer
	code := kubeletplugin.Run(t.Context(), kubeletplugin.Process{Args: args, Stdout: &stdout, Stderr: &stderr, LookupEnv: os.LookupEnv})
	require.Zero(t, code, stderr.String())
	installed, err := os.ReadFile(path.Join(dir, "etc", "credential-provider-config.yaml"))
	require.NoError(t, err)
	require.Len(t, manifest(t, installed), 1)
	info, err := os.Stat(path.Join(dir, "bin", kubeletplugin.Name))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode())
}
