package operator_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	op "github.com/rise-deploy/rise-registry-go/examples/internal/operator"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

type finding struct {
	Check, Status, Summary, Because, Remedy string
	Evidence                                map[string]any
}

func findings(t *testing.T, stdout string) []finding {
	t.Helper()
	var list []finding
	require.NoError(t, json.Unmarshal([]byte(stdout), &list), stdout)
	return list
}

// The docker login of whoever runs the tests is kept out.
func withoutLogins(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{"HOME": dir, "DOCKER_CONFIG": dir, "XDG_RUNTIME_DIR": dir, "XDG_CONFIG_HOME": dir, "REGISTRY_AUTH_FILE": ""} {
		t.Setenv(name, value)
	}
}

func ociConfig(host string) map[string]string {
	return map[string]string{"development.yaml": "server: {listen: 127.0.0.1:8080}\nauth: {tokens: [{token: token-of-sixteen, subject: ci, projects: [hello]}]}\n" +
		"registry: {type: oci-client-auth, registry_url: \"" + host + "\"}\n"}
}

func TestDiagnoseOCI(t *testing.T) { //nolint:paralleltest // environment
	withoutLogins(t)
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer images.Close()
	host := images.Listener.Addr().String()

	code, stdout, stderr := operator(t, ociConfig(host), nil, "diagnose", "hello", "--write-probe", "--json")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	var checks []string
	for _, f := range findings(t, stdout) {
		checks = append(checks, f.Check+" "+f.Status)
	}
	require.Equal(t, []string{"registry passed", "registry_login passed", "push_access passed"}, checks)

	code, stdout, stderr = operator(t, ociConfig(host), nil, "diagnose", "hello")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "✓ registry           registry_url speaks the OCI distribution API and asks for no login\n")
	require.Contains(t, stdout, "– push_access        whether a push is allowed shows only by starting one (ask for it: --write-probe)\n")
	require.True(t, strings.HasSuffix(stdout, "\ngood: 2 passed; 1 not checked\n"), stdout)

	closed := realtest.FreeAddress(t)
	code, stdout, stderr = operator(t, ociConfig(closed), nil, "diagnose", "--json")
	require.Equal(t, 1, code)
	require.Equal(t, "1 failed: registry; 1 not checked\n", stderr)
	list := findings(t, stdout)
	require.Equal(t, "failed", list[0].Status)
	require.Equal(t, closed, list[0].Evidence["host"])
	require.Equal(t, "skipped", list[1].Status)
	require.Equal(t, "registry", list[1].Because)

	code, stdout, stderr = operator(t, ociConfig(closed), nil, "diagnose")
	require.Equal(t, 1, code)
	require.Empty(t, stderr, "it is said already")
	require.True(t, strings.HasSuffix(stdout, "\n1 failed: registry; 1 not checked\n"), stdout)
	require.Contains(t, stdout, "✗ registry           registry_url can't be used: nothing listens at "+closed)
	require.Contains(t, stdout, "    host: "+closed+"\n")
	require.Contains(t, stdout, "  → check host and port")
}

func TestDiagnoseECR(t *testing.T) { //nolint:paralleltest // environment
	aws := ecrtest.NewServer(ecrtest.Config{})
	defer aws.Close()
	d := aws.Setup(ecrtest.SetupOptions{})
	aws.CreateRepository(d.Repository("hello"))
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	text := strings.Replace(ecrConfig, "arn:aws:iam::123456789012:role/push", d.PushRoleARN, 1) +
		"  registry_host: " + aws.RegistryHost + "\n  installation: prod\n"
	secrets := map[string]string{"TOKEN": "hunter2-token-of-ci", "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	code, stdout, stderr := operator(t, map[string]string{"development.yaml": text}, secrets, "diagnose", "hello", "--write-probe")
	require.Zero(t, code, stdout+stderr)
	require.Contains(t, stdout, "✓ push_role ")
	require.Contains(t, stdout, "! credentials ")
	require.Contains(t, stdout, "✓ repository_access  the credential can push")
	require.Regexp(t, `\ngood: \d+ passed, \d warned \(credentials[^)]*\)(; \d+ not checked)?\n$`, stdout)

	aws.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:suspended"] = "true" })
	secrets["KEY"] = d.ControllerUser.Secret
	code, stdout, stderr = operator(t, map[string]string{"development.yaml": text}, secrets, "diagnose", "hello")
	require.Equal(t, 1, code)
	require.Empty(t, stderr)
	require.Regexp(t, `\n1 failed: repository; \d+ not checked\n$`, stdout)
	require.Contains(t, stdout, "  → operator repo suspend --lift hello\n")
	require.NotContains(t, stdout+stderr, d.ControllerUser.Secret)
}

func TestDiagnoseCalledWrongly(t *testing.T) {
	t.Parallel()
	code, stdout, _ := operator(t, map[string]string{"development.yaml": strings.Replace(ecrConfig, "account_id: 123456789012", "account_id: 1", 1)},
		map[string]string{"TOKEN": "hunter2-token-of-ci", "KEY": "hunter2-key"}, "diagnose", "--json")
	require.Equal(t, 1, code)
	list := findings(t, stdout)
	require.Len(t, list, 1)
	require.Equal(t, "config", list[0].Check)
	require.Contains(t, list[0].Remedy, "registry.account_id: must be an AWS account id of 12 digits")
	require.NotContains(t, stdout, "hunter2")

	for _, args := range [][]string{{"diagnose", "a--b"}, {"diagnose", "--write-probe"}} {
		exit, text, errs := operator(t, nil, nil, args...)
		require.Equal(t, 1, exit)
		require.Empty(t, text)
		require.NotEmpty(t, errs)
	}
	custom := map[string]string{"development.yaml": "server: {listen: 127.0.0.1:8080}\nauth: {tokens: [{token: token-of-sixteen, subject: ci, projects: [hello]}]}\n" +
		"registry: {type: signed-login, host: r.example.com, key: " + strings.Repeat("k", 32) + "}\n"}
	code, _, errs := operator(t, custom, nil, "diagnose")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "has no diagnosis")
	require.Contains(t, op.Line(diagnosis.Finding{Check: "x", Status: diagnosis.Warned, Remedy: "a\nb"}), "  → a\n    b\n")
}
