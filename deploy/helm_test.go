//go:build linux

package deploy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

const (
	chart = "helm/rise-registry"
	// release is of the tests' charts, in a namespace of the same name.
	release = "prod"
)

// valueSets are those that the chart comes with.
func valueSets(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, 3)
	return files
}

// object is one of a rendered chart.
type object struct{ kind, group, text string }

var (
	kindLine  = regexp.MustCompile(`(?m)^kind: (\w+)$`)
	groupLine = regexp.MustCompile(`(?m)^apiVersion: (\S+)$`)
)

// rendered are the objects that the chart makes of values.
func rendered(t *testing.T, args ...string) map[string][]object {
	t.Helper()
	args = append([]string{"template", release, chart, "--namespace", release, "--kube-version", "1.37.2"}, args...)
	text := realtest.Must(t, nil, realtest.Program(t, "helm"), args...)
	objects := map[string][]object{}
	for part := range strings.SplitSeq(text, "\n---\n") {
		kind, group := kindLine.FindStringSubmatch(part), groupLine.FindStringSubmatch(part)
		require.NotNil(t, kind, part)
		require.NotNil(t, group, part)
		objects[kind[1]] = append(objects[kind[1]], object{kind[1], group[1], strings.TrimPrefix(part, "---\n")})
	}
	return objects
}

// path is where the API has such objects.
func (o object) path() string {
	prefix := "/apis/" + o.group
	if o.group == "v1" {
		prefix = "/api/v1"
	}
	plural := strings.ToLower(o.kind) + "s"
	plural = strings.Replace(strings.Replace(plural, "ingresss", "ingresses", 1), "policys", "policies", 1)
	return prefix + "/namespaces/" + release + "/" + plural
}

func TestChartLint(t *testing.T) {
	t.Parallel()
	helm := realtest.Program(t, "helm")
	for _, values := range valueSets(t) {
		realtest.Must(t, nil, helm, "lint", "--strict", "--kube-version", "1.37.2", "-f", values, chart)
	}
	// Without an image and a registry there is nothing to run.
	out := realtest.Run(t, nil, helm, "lint", "--strict", chart)
	require.Error(t, out.Err)
	require.Contains(t, out.Text, "/image/repository")
}

// Wrong values are refused before anything is made of them: secrets above all.
func TestChartRefusals(t *testing.T) {
	t.Parallel()
	helm := realtest.Program(t, "helm")
	const good = chart + "/ci/ecr-irsa-values.yaml"
	for _, tt := range []struct{ values, want string }{
		{`config: {auth: {tokens: [{token: the-token-itself, subject: ci}]}}`, "/config/auth/tokens/0/token"},
		{`config: {registry: {secret_access_key: wJalrXUtnFEMI}}`, "/config/registry/secret_access_key"},
		{`config: {registry: {password: hunter2}}`, "/config/registry/password"},
		{`env: {AWS_SECRET_ACCESS_KEY: wJalrXUtnFEMI}`, "/env/AWS_SECRET_ACCESS_KEY"},
		{`secretEnv: {CI_TOKEN: {value: the-token-itself}}`, "/secretEnv/CI_TOKEN"},
		{`config: {server: {listen: ":80"}}`, "/config/server/listen"},
		{`config: {server: {drain: 5m}}`, "/config/server/drain"},
		{`config: {registry: {type: null}}`, "/config/registry"},
		{`aws: {roleArn: ""}`, "/aws/roleArn"},
		{`aws: {identity: podIdentity}`, "/aws/roleArn"},
		{`ingress: {host: ""}`, "/ingress/host"},
		{`image: {repository: "registry.example.com/rise-registry:v1"}`, "/image/repository"},
		{`image: {digest: "sha256:abc"}`, "/image/digest"},
		{`replicaCount: 3`, "replicaCount"},
		{`podDisruptionBudget: {maxUnavailable: 0}`, "/podDisruptionBudget/maxUnavailable"},
		{`reconcile: {existingConfigMap: ""}`, "/reconcile/existingConfigMap"},
		{`logLevel: verbose`, "/logLevel"},
		{`metrics: {port: 3000}`, "/metrics/port"},
	} {
		file := write(t, filepath.Join(t.TempDir(), "values.yaml"), tt.values)
		out := realtest.Run(t, nil, helm, "template", release, chart, "--kube-version", "1.37.2", "-f", good, "-f", file)
		require.Error(t, out.Err, tt.values)
		require.Contains(t, out.Text, tt.want, tt.values)
	}
}

// What the pods get follows from the values.
func TestChartValues(t *testing.T) {
	t.Parallel()
	const irsa, pod, issuer = chart + "/ci/ecr-irsa-values.yaml", chart + "/ci/ecr-pod-identity-values.yaml", chart + "/ci/issuer-tls-values.yaml"
	one := func(objects map[string][]object, kind string) string {
		t.Helper()
		require.Len(t, objects[kind], 1, kind)
		return objects[kind][0].text
	}
	first := rendered(t, "-f", irsa)
	deployment := one(first, "Deployment")
	for _, want := range []string{
		"runAsNonRoot: true", "readOnlyRootFilesystem: true", "drop: [ALL]", "seccompProfile: {type: RuntimeDefault}", "allowPrivilegeEscalation: false",
		"automountServiceAccountToken: false", "terminationGracePeriodSeconds: 50", "startupProbe:", "livenessProbe:", "path: /readyz", "topology.kubernetes.io/zone",
		"AWS_EC2_METADATA_DISABLED",
	} {
		require.Contains(t, deployment, want)
	}
	require.Contains(t, one(first, "ServiceAccount"), "eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/rise-backend\n")
	require.Contains(t, one(first, "CronJob"), "concurrencyPolicy: Forbid")
	require.Len(t, first["Ingress"], 2)
	const hash = "nginx.ingress.kubernetes.io/upstream-hash-by: $arg_project\n"
	require.Contains(t, first["Ingress"][0].text, hash)
	require.Contains(t, first["Ingress"][0].text, "path: /api/v1/registry/credentials\n")
	require.NotContains(t, first["Ingress"][1].text, hash, "what has no project in its query would all go to one replica")
	require.NotContains(t, first["Ingress"][1].text, "cert-manager.io", "two would fight for one certificate")

	mapped := rendered(t, "-f", irsa, "--set", "ingress.hashBy=$rise_project")["Ingress"]
	require.Contains(t, mapped[0].text, "path: /api/v1/projects\n")
	require.NotContains(t, mapped[1].text, "path: /api/v1/projects\n")

	// The time to end follows the time to go on serving, and another configuration makes other pods.
	longer := one(rendered(t, "-f", irsa, "--set", "config.server.drain=30s"), "Deployment")
	require.Contains(t, longer, "terminationGracePeriodSeconds: 75")
	checksum := regexp.MustCompile(`checksum/config: \w{64}`)
	require.NotEqual(t, checksum.FindString(deployment), checksum.FindString(longer))
	require.NotEmpty(t, checksum.FindString(longer))

	second := rendered(t, "-f", pod)
	require.NotContains(t, one(second, "ServiceAccount"), "role-arn")
	require.Contains(t, one(second, "NetworkPolicy"), "169.254.170.23/32")
	require.Contains(t, one(second, "Deployment"), "whenUnsatisfiable: DoNotSchedule")
	require.Empty(t, second["Ingress"])
	require.Empty(t, second["CronJob"])

	third := rendered(t, "-f", issuer)
	require.Contains(t, one(third, "Deployment"), "scheme: HTTPS")
	require.Contains(t, one(third, "Deployment"), "{name: secret-signing, mountPath: /etc/rise-secrets/signing, readOnly: true}")
	require.Contains(t, third["Ingress"][0].text, "backend-protocol: HTTPS")
	require.Contains(t, one(rendered(t, "-f", issuer, "--set", "metrics.port=9090"), "ConfigMap"), "metrics_listen: :9090")
}

// The configuration that the chart makes is one that the programs take.
func TestChartConfiguration(t *testing.T) {
	t.Parallel()
	operator := program(t, "operator")
	for _, values := range valueSets(t) {
		config := rendered(t, "-f", values)["ConfigMap"]
		require.Len(t, config, 1)
		_, text, found := strings.Cut(config[0].text, "  production.yaml: |\n")
		require.True(t, found)
		dir := t.TempDir()
		realtest.Must(t, nil, operator, "token-keys", "--dir", filepath.Join(dir, "signing"))
		write(t, filepath.Join(dir, "callers/ci"), "a-token-of-the-ci-job\n")
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\n    ", "\n"), "/etc/rise-secrets/", dir+"/")
		write(t, filepath.Join(dir, "config/production.yaml"), strings.TrimPrefix(text, "    "))
		realtest.Must(t, []string{"RISE_CONFIG_DIR=" + dir + "/config", "RISE_CONFIG_RUN_MODE=production", "CI_TOKEN=a-token-of-the-ci-job"}, operator, "check-config")
	}
}

// A real API server takes all that the chart makes, knows each field, and finds the pods restricted as its strictest standard wants.
func TestChartCluster(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "helm")
	s := startAPIServer(t)
	status, _, said := s.ask(t, http.MethodPost, "/api/v1/namespaces", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: "+release+
		"\n  labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}\n")
	require.Equal(t, http.StatusCreated, status, said)
	const dryRun = "?dryRun=All&fieldValidation=Strict"
	kinds := map[string]bool{}
	shown := write(t, filepath.Join(t.TempDir(), "values.yaml"), docBlock(t, "yaml", "# values.yaml"))
	for _, values := range append(valueSets(t), shown) {
		for _, objects := range rendered(t, "-f", values) {
			for _, o := range objects {
				kinds[o.kind] = true
				if o.kind == "ServiceMonitor" {
					continue // the Prometheus operator's
				}
				answer, warnings, text := s.ask(t, http.MethodPost, o.path()+dryRun, o.text)
				require.Equal(t, http.StatusCreated, answer, "%s\n%s", text, o.text)
				require.Empty(t, warnings, o.text)
			}
		}
	}
	require.Len(t, kinds, 9)

	// It would have said so.
	deployment := rendered(t, "-f", valueSets(t)[0])["Deployment"][0]
	status, _, said = s.ask(t, http.MethodPost, deployment.path()+dryRun, strings.Replace(deployment.text, "enableServiceLinks:", "enableServiceLink:", 1))
	require.Equal(t, http.StatusBadRequest, status, said)
	_, warnings, _ := s.ask(t, http.MethodPost, deployment.path()+dryRun, strings.Replace(deployment.text, "runAsNonRoot: true", "runAsNonRoot: false", 1))
	require.NotEmpty(t, warnings)

	// And helm installs and upgrades it, as the page says.
	unbound := filepath.Join(t.TempDir(), "rise-registry")
	require.NoError(t, os.CopyFS(unbound, os.DirFS(chart)))
	text, err := os.ReadFile(chart + "/Chart.yaml")
	require.NoError(t, err)
	bound := regexp.MustCompile(`(?m)^kubeVersion: .*\n`)
	require.Regexp(t, bound, string(text))
	write(t, filepath.Join(unbound, "Chart.yaml"), bound.ReplaceAllString(string(text), "")) // an API server that Go alone built doesn't know its version
	environ := []string{"KUBECONFIG=" + os.DevNull, "HELM_KUBEAPISERVER=" + s.url, "HELM_KUBETOKEN=" + s.token, "HELM_KUBECAFILE=" + s.authority, "HOME=" + t.TempDir()}
	const instead = `kubectl() { echo "kubectl $*"; }` // isn't among Debian's packages
	status, _, said = s.ask(t, http.MethodPost, "/api/v1/namespaces", "apiVersion: v1\nkind: Namespace\nmetadata: {name: rise}\n")
	require.Equal(t, http.StatusCreated, status, said)
	block := docBlock(t, "sh", "# needs a cluster, kubectl, helm, the image in a registry, and values.yaml, such as the one below")
	block = strings.Replace(block, "deploy/helm/rise-registry", unbound, 1)
	said = mustPaste(t, filepath.Dir(shown), environ, instead, block)
	require.Contains(t, said, "STATUS: deployed")
	require.Contains(t, said, "https://rise.example.com/api/v1/registry/credentials")
	mustPaste(t, filepath.Dir(shown), environ, instead, strings.Replace(block, "-f values.yaml", "-f values.yaml --set replicas=3,metrics.port=9090", 1))
	status, _, said = s.ask(t, http.MethodGet, "/apis/apps/v1/namespaces/rise/deployments/rise-registry", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, said, `"replicas":3`)
	require.Contains(t, said, `"containerPort":9090`)
}
