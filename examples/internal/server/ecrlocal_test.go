package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

func startECRLocal(t *testing.T) *running {
	t.Helper()
	return start(t, configload.Loader{LookupEnv: env(map[string]string{
		"RISE_CONFIG_RUN_MODE": "ecr-local", "RISE_LISTEN": "127.0.0.1:0", "RISE_REGISTRY_LISTEN": realtest.FreeAddress(t),
	})})
}

// A real client with hello's credential: it pushes and pulls hello, and is denied other, in the mode that a newcomer starts.
func TestRealClientsAreScoped(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) client{"docker": dockerClient, "skopeo": skopeoClient, "crane": craneClient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := start(t)
			s := startECRLocal(t)
			issue := func(query string) (credentials, string) {
				t.Helper()
				status, body, c := s.ask(t, "rise-dev-token", query)
				require.Equal(t, http.StatusOK, status, body)
				require.Equal(t, "AWS", c.Username)
				host, _, _ := strings.Cut(c.RegistryURL, "/")
				return c, host
			}
			pushing, host := issue("project=hello")
			require.Equal(t, host+"/rise/hello", pushing.RegistryURL)
			pulling, _ := issue("project=hello&access=pull")

			out := program.push(t, pushing, host+"/rise/hello:v1")
			require.NoError(t, out.Err, out.Text)
			for _, c := range []credentials{pushing, pulling} {
				out = program.pull(t, c, host+"/rise/hello:v1")
				require.NoError(t, out.Err, out.Text)
				out = program.pull(t, c, host+"/rise/other:v1")
				requireDenied(t, out, "BatchGetImage", "rise/other")
			}
			if out = program.push(t, pushing, host+"/rise/other:v1"); program.asksByHead {
				require.Error(t, out.Err)
				require.Regexp(t, `403 \(?Forbidden`, out.Text)
			} else {
				requireDenied(t, out, "InitiateLayerUpload", "rise/other")
			}
			requireDenied(t, program.push(t, pulling, host+"/rise/hello:v2"), "InitiateLayerUpload", "rise/hello")

			others, _ := issue("project=other")
			out = program.push(t, others, host+"/rise/other:v1")
			require.NoError(t, out.Err, out.Text)
			requireDenied(t, program.pull(t, pushing, host+"/rise/other:v1"), "BatchGetImage", "rise/other")
			require.NotContains(t, s.output.String(), pushing.Password)
		})
	}
}

const deniedOther = "is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:eu-west-1:123456789012:repository/rise/other with an explicit deny"

// requireDenied: the program failed, and shows ECR's own message. Another project's repository is closed by the push role's own
// policy too.
func requireDenied(t *testing.T, out realtest.Output, action, repository string) {
	t.Helper()
	by := "a session policy"
	if repository == "rise/other" {
		by = "an identity-based policy"
	}
	require.Error(t, out.Err, out.Text)
	require.Contains(t, out.Text, "is not authorized to perform: ecr:"+action+" on resource: arn:aws:ecr:eu-west-1:123456789012:repository/"+repository+
		" with an explicit deny in "+by)
}

// Any other project's repository is made before its first credential.
func TestECRLocalMakesRepositories(t *testing.T) {
	t.Parallel()
	program := craneClient(t)
	s := startECRLocal(t)
	status, body, c := s.ask(t, "rise-dev-token", "project=brand-new")
	require.Equal(t, http.StatusOK, status, body)
	out := program.push(t, c, c.RegistryURL+":v1")
	require.NoError(t, out.Err, out.Text)
	out = program.push(t, c, strings.Replace(c.RegistryURL, "brand-new", "hello", 1)+":v1")
	require.Error(t, out.Err)
	require.Contains(t, out.Text, "403 Forbidden")
}

// What a newcomer's environment chooses for AWS itself doesn't keep the double from being reached.
func TestECRLocalIgnoresEndpointSettings(t *testing.T) { //nolint:paralleltest // sets the environment
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	s := startECRLocal(t)
	status, body, _ := s.ask(t, "rise-dev-token", "project=hello")
	require.Equal(t, http.StatusOK, status, body)
}
