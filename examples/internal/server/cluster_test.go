package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
)

const clusterQuery = "project=hello&access=pull&consumer=cluster"

// raw is what the endpoint answers, as a cluster's controller would take it. query may begin with another path.
func (s *running) raw(t *testing.T, token, query string) (status int, body string, header http.Header) {
	t.Helper()
	target := s.url + "?" + query
	if strings.HasPrefix(query, "/") {
		target = strings.TrimSuffix(s.url, server.CredentialsPath) + query
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text), resp.Header
}

// kubelet is the login of a pull secret for repository's host, found as a kubelet does.
func kubelet(t *testing.T, secret string, repository name.Repository) remote.Option {
	t.Helper()
	var payload struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	require.NoError(t, json.Unmarshal([]byte(secret), &payload))
	require.Len(t, payload.Auths, 1)
	require.Contains(t, payload.Auths, repository.RegistryStr())
	login := payload.Auths[repository.RegistryStr()]
	require.NotEmpty(t, login.Username)
	require.NotEmpty(t, login.Password)
	return remote.WithAuth(authn.FromConfig(login))
}

// requirePullsOnly checks that a pull secret pulls its project's image, can't push there, and does nothing with another project's.
func requirePullsOnly(t *testing.T, own, other string, pushOwn, pushOther credentials, secret string) {
	t.Helper()
	image, err := random.Image(100, 1)
	require.NoError(t, err)
	for repository, login := range map[string]credentials{own: pushOwn, other: pushOther} {
		require.NoError(t, remote.Write(mustTag(t, repository+":v1"), image, remote.WithAuth(&authn.Basic{Username: login.Username, Password: login.Password})))
	}
	tag := mustTag(t, own+":v1")
	asKubelet := kubelet(t, secret, tag.Repository)
	pulled, err := remote.Image(tag, asKubelet)
	require.NoError(t, err)
	want, err := image.Digest()
	require.NoError(t, err)
	got, err := pulled.Digest()
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Error(t, remote.Write(mustTag(t, own+":v2"), image, asKubelet), "a pull secret pushes")
	require.Error(t, remote.Delete(tag, asKubelet), "a pull secret deletes")
	_, err = remote.Image(mustTag(t, other+":v1"), asKubelet)
	require.Error(t, err, "a pull secret pulls another project's image")
	require.Error(t, remote.Write(mustTag(t, other+":v2"), image, asKubelet), "a pull secret pushes to another project")
}

const clusterCallers = `
server: {listen: "127.0.0.1:0", cluster_credentials: true}
auth:
  tokens:
    - {token: ci-token-of-hello, subject: ci, projects: [hello], access: push}
    - {token: ci-token-of-other, subject: other, projects: [other], access: push}
    - {token: viewer-token-of-all, subject: viewer, projects: ["*"]}
`

func TestClusterTokenIssuer(t *testing.T) {
	t.Parallel()
	registry := realtest.FreeAddress(t)
	s := start(t, files(t, map[string]string{"development.yaml": clusterCallers + fmt.Sprintf(`
embedded_registry: {listen: "%[1]s"}
registry: {type: oci-token-issuer, registry_url: "%[1]s", namespace: rise-apps}
`, registry)}))
	status, secret, header := s.raw(t, "viewer-token-of-all", clusterQuery+"&format=dockerconfigjson")
	require.Equal(t, http.StatusOK, status, secret)
	require.Equal(t, "application/json", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.NotEmpty(t, header.Get("Rise-Expires-At"))
	_, _, pushOther := s.ask(t, "ci-token-of-other", "project=other")
	requirePullsOnly(t, registry+"/rise-apps/hello", registry+"/rise-apps/other", s.issue(t, "ci-token-of-hello"), pushOther, secret)

	log := s.output.String()
	require.Contains(t, log, "subject=viewer project=hello access=pull consumer=cluster")
	require.Contains(t, log, "subject=ci project=hello access=push consumer=client")
	require.NotContains(t, log, kubeletPassword(t, secret))
	require.Contains(t, s.scrape(t), `rise_registry_requests_total{access="pull",code="",consumer="cluster",outcome="issued",provider="oci-token-issuer"} 1`)
	t.Run("skopeo", func(t *testing.T) { // as a file, which a client reads by itself
		t.Parallel()
		program, file := realtest.Program(t, "skopeo"), filepath.Join(t.TempDir(), "pull-secret.json")
		require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
		inspect := func(repository string) error {
			return realtest.Run(t, nil, program, "inspect", "--raw", "--tls-verify=false", "--authfile", file, "docker://"+repository+":v1").Err
		}
		require.NoError(t, inspect(registry+"/rise-apps/hello"))
		require.Error(t, inspect(registry+"/rise-apps/other"))
	})
}

func kubeletPassword(t *testing.T, secret string) string {
	t.Helper()
	var payload struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	require.NoError(t, json.Unmarshal([]byte(secret), &payload))
	for _, login := range payload.Auths {
		return login.Password
	}
	return "none"
}

// A cluster reaches a registry by a name of its own, and by that its secrets know it.
func TestClusterNamesItsOwnHost(t *testing.T) {
	t.Parallel()
	s := start(t, tokenServerAt(t, clusterCallers, "cluster.registry.example.com", "registry.example.com"))
	status, _, c := s.ask(t, "viewer-token-of-all", clusterQuery)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "cluster.registry.example.com/rise-apps/hello", c.RegistryURL)
	status, secret, _ := s.raw(t, "viewer-token-of-all", clusterQuery+"&format=dockerconfigjson")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, secret, `"cluster.registry.example.com"`)
	status, secret, _ = s.raw(t, "viewer-token-of-all", "project=hello&access=pull&format=dockerconfigjson")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, secret, `"registry.example.com"`)
	_, _, c = s.ask(t, "viewer-token-of-all", "project=hello&access=pull&consumer=client")
	require.Equal(t, "registry.example.com/rise-apps/hello", c.RegistryURL)
}

func TestClusterECR(t *testing.T) { //nolint:paralleltest // environment
	aws, loader, d := ecrServer(t)
	file := filepath.Join(loader.Dir, "production.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	changed := strings.NewReplacer(`listen: "127.0.0.1:0"`, `listen: "127.0.0.1:0", cluster_credentials: true`, "type: ecr", "type: ecr\n  registry_host: "+aws.RegistryHost, `"team-*"`, "other").Replace(string(text))
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	for _, project := range []string{"hello", "other"} {
		aws.CreateRepository(d.Repository(project))
	}
	s := start(t, loader)
	status, secret, header := s.raw(t, ciToken, clusterQuery+"&format=dockerconfigjson")
	require.Equal(t, http.StatusOK, status, secret)
	require.NotEmpty(t, header.Get("Rise-Expires-At"))
	_, _, pushOther := s.ask(t, ciToken, "project=other")
	requirePullsOnly(t, aws.RegistryHost+"/rise/hello", aws.RegistryHost+"/rise/other", s.issue(t, ciToken), pushOther, secret)
}

// There is no secret that a kubelet could use where clients use their own login: the operator is told, and the cluster isn't told to try again.
func TestClusterClientAuth(t *testing.T) {
	t.Parallel()
	s := start(t, files(t, map[string]string{"development.yaml": clusterCallers + "registry: {type: oci-client-auth, registry_url: rise-registry.example.com, client_registry_url: localhost:5000}\n"}))
	status, _, c := s.ask(t, "viewer-token-of-all", clusterQuery)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, credentials{RegistryURL: "rise-registry.example.com/hello", AuthMethod: "login_credentials"}, c)
	status, body, header := s.raw(t, "viewer-token-of-all", clusterQuery+"&format=dockerconfigjson")
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, body, `"code":"upstream_denied"`)
	require.Empty(t, header.Get("Retry-After"))
	require.Contains(t, s.output.String(), "a kubelet takes a user name and a password only")
}

// A pod's own token opens its namespace's project, in the form that a kubelet takes, and no other; what is suspended is closed to clusters too.
func TestClusterCallers(t *testing.T) {
	t.Parallel()
	issuer, list := startOIDCIssuer(t), filepath.Join(t.TempDir(), "suspended")
	require.NoError(t, os.WriteFile(list, []byte("frozen\n"), 0o600))
	s := start(t, tokenServer(t, fmt.Sprintf(`
server: {listen: "127.0.0.1:0", cluster_credentials: true}
auth:
  suspended_file: %q
  oidc:
    - name: cluster
      issuer: %s
      audience: %s
      rules: [{claims: {repository_owner_id: "1234"}, projects: ["{repository}"], access: push}]
`, list, issuer.url, oidcAudience)))
	pod := issuer.token(t, "1234", "hello", "x", time.Hour)
	for _, test := range []struct {
		token, query string
		status       int
	}{
		{pod, clusterQuery + "&format=dockerconfigjson", http.StatusOK},
		{pod, "project=other&access=pull&consumer=cluster&format=dockerconfigjson", http.StatusNotFound},
		{pod, "project=hello&consumer=cluster&format=dockerconfigjson", http.StatusBadRequest}, // though it may push
		{issuer.token(t, "5678", "hello", "x", time.Hour), clusterQuery, http.StatusUnauthorized},
		{issuer.token(t, "1234", "frozen", "x", time.Hour), "project=frozen&access=pull&consumer=cluster", http.StatusConflict},
	} {
		status, body, _ := s.raw(t, test.token, test.query)
		require.Equal(t, test.status, status, "%s: %s", test.query, body)
	}
	require.Contains(t, s.output.String(), "subject=cluster:repo:acme/hello project=hello access=pull consumer=cluster")
}

// What a tenant tries to have what clusters have, at both paths.
func TestTenantsAndClusters(t *testing.T) {
	t.Parallel()
	allowed, not := start(t, tokenServer(t, clusterCallers)), start(t, tokenServer(t, strings.Replace(clusterCallers, "cluster_credentials: true", "cluster_credentials: false", 1)))
	deployment := func(project string) string {
		return "/api/v1/projects/" + project + "/deployments/20260101-120000/registry-credentials?"
	}
	for query, want := range map[string]struct{ allowed, not int }{
		clusterQuery: {200, 404},
		deployment("hello") + "access=pull&consumer=cluster&format=dockerconfigjson":               {200, 404},
		deployment("hello") + "access=pull&consumer=cluster&project=other":                         {200, 404}, // hello's
		deployment("other") + "access=pull&consumer=cluster&project=hello":                         {404, 404},
		deployment("other") + "access=pull&consumer=cluster&format=dockerconfigjson":               {404, 404},
		deployment("hello%2f..%2fother") + "access=pull&consumer=cluster":                          {400, 400},
		deployment("*") + "access=pull&consumer=cluster":                                           {400, 400},
		"project=other&access=pull&consumer=cluster&format=dockerconfigjson":                       {404, 404},
		"project=hello&access=push&consumer=cluster&format=dockerconfigjson":                       {400, 400},
		"project=hello&consumer=cluster&format=dockerconfigjson":                                   {400, 400},
		"project=hello&access=pull&access=push&consumer=cluster":                                   {400, 400},
		"project=hello&access=pull&consumer=client&consumer=cluster":                               {400, 400},
		"project=hello&access=pull&consumer=cluster&project=other":                                 {400, 400},
		"access=pull&consumer=cluster&all_projects=true":                                           {400, 400},
		deployment("hello") + "access=push&format=dockerconfigjson":                                {400, 400},
		deployment("hello") + "access=pull&format=dockerconfigjson&format=dockerconfigjson":        {400, 400},
		deployment("hello") + "access=pull&consumer=cluster%00":                                    {400, 400},
		deployment("hello") + "access=pull&consumer=%63luster&format=docker%63onfigjson":           {200, 404}, // the same text
		deployment("hello") + "access=pull&consumer=cluster&format=kubernetes.io/dockerconfigjson": {400, 400},
	} {
		status, body, _ := allowed.raw(t, "ci-token-of-hello", query)
		require.Equal(t, want.allowed, status, "%s: %s", query, body)
		require.NotContains(t, body, "rise-apps/other")
		status, body, _ = not.raw(t, "ci-token-of-hello", query)
		require.Equal(t, want.not, status, "%s: %s", query, body)
		status, _, _ = allowed.raw(t, "guess", query)
		require.Equal(t, http.StatusUnauthorized, status, query)
	}
	// What a cluster got is for pulling one project, whatever is asked of the token server with it.
	_, secret, _ := allowed.raw(t, "ci-token-of-hello", clusterQuery+"&format=dockerconfigjson")
	password := kubeletPassword(t, secret)
	status, access := allowed.exchange(t, password, helloScope, otherScope, "registry:catalog:*")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `[{"type":"repository","name":"rise-apps/hello","actions":["pull"]}]`, access)
	status, _, _ = allowed.raw(t, password, "project=hello&access=pull")
	require.Equal(t, http.StatusUnauthorized, status, "a pull secret is nothing at the endpoint")
}
