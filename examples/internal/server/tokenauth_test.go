package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
)

// With a registry that has a token server of its own, the endpoint answers with its tokens, and nobody with the service's login.
func TestTokenAuth(t *testing.T) {
	t.Parallel()
	registry := tokenauthtest.NewServer(tokenauthtest.Config{Kind: tokenauthtest.Quay, Accounts: []tokenauthtest.Account{
		{Username: "acme+rise", Password: "correct-horse-battery", Rights: map[string][]string{"acme/*": {"pull", "push"}}},
	}})
	t.Cleanup(registry.Close)
	s := start(t, files(t, map[string]string{"development.yaml": fmt.Sprintf(`
server: {listen: "127.0.0.1:0", cluster_credentials: true}
auth:
  tokens:
    - {token: ci-token-of-hello, subject: ci, projects: [hello], access: push}
registry: {type: oci-token-auth, registry_url: "%s", namespace: acme, username: acme+rise, password: correct-horse-battery}
`, registry.RegistryHost)}))
	for range 2 { // the second from the cache
		c := s.issue(t, "ci-token-of-hello")
		require.Equal(t, registry.RegistryHost+"/acme/hello", c.RegistryURL)
		require.Equal(t, "registry_token", c.AuthMethod)
		require.Empty(t, c.Username)
		require.InDelta(t, 3600, *c.ExpiresIn, 10)
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(c.Password, ".")[1])
		require.NoError(t, err)
		require.Contains(t, string(payload), `"access":[{"actions":["pull","push"],"name":"acme/hello","type":"repository"}]`)
	}
	require.Len(t, registry.Requests(), 2, "the challenge and a token")
	status, body, _ := s.ask(t, "ci-token-of-hello", "project=hello&access=pull&consumer=cluster")
	require.Equal(t, http.StatusBadGateway, status, body)
	require.Contains(t, s.output.String(), "kubelets and containerd take a user name and a password only")
	require.NotContains(t, s.output.String()+s.printed.String(), "correct-horse-battery")
}
