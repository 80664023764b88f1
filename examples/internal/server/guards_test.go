package server_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
)

const guarded = `
server:
  listen: "127.0.0.1:0"
  trusted_proxies: [127.0.0.0/8]
  rate_limits:
    per_address: {requests_per_second: 0.001, burst: 3}
    per_subject: {requests_per_second: 0.001, burst: 2}
`

func TestRateLimits(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(ociConfig("127.0.0.1:5000"), "\nserver: {listen: \"127.0.0.1:0\"}")
	s := start(t, files(t, map[string]string{"development.yaml": guarded + rest}))
	get := func(token, from string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"?project=hello&access=pull", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Forwarded-For", from)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	const ci, viewer = "ci-token-of-hello", "viewer-token-of-all"
	require.Equal(t, http.StatusOK, get(ci, "198.51.100.1").StatusCode)
	require.Equal(t, http.StatusOK, get(ci, "198.51.100.2").StatusCode)
	limited := get(ci, "198.51.100.3")
	require.Equal(t, http.StatusTooManyRequests, limited.StatusCode, "the subject, wherever it is")
	require.NotEmpty(t, limited.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, get(viewer, "198.51.100.3").StatusCode)
	for range 2 {
		require.Equal(t, http.StatusUnauthorized, get("guess", "198.51.100.1").StatusCode)
	}
	limited = get("guess", "198.51.100.1")
	require.Equal(t, http.StatusTooManyRequests, limited.StatusCode, "before authentication")
	require.NotEmpty(t, limited.Header.Get("Retry-After"))
	require.Contains(t, s.output.String(), "source_addr=198.51.100.1 ")
}

func TestGuardsMisconfigured(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ server, want string }{
		"not a network":   {"trusted_proxies: [proxy]", "server.trusted_proxies[0]: must be a network such as 10.0.0.0/8"},
		"bits beyond":     {"trusted_proxies: [10.0.0.1/8]", "server.trusted_proxies[0]: must be a network"},
		"mapped":          {"trusted_proxies: [\"::ffff:10.0.0.0/104\"]", "server.trusted_proxies[0]: must be a network"},
		"everybody":       {"trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]", "server.trusted_proxies[1]: must not be everybody"},
		"no burst":        {"rate_limits: {per_subject: {requests_per_second: 5}}", "server.rate_limits.per_subject: needs both"},
		"no rate":         {"rate_limits: {per_address: {burst: 5}}", "server.rate_limits.per_address: needs both"},
		"negative":        {"rate_limits: {per_address: {requests_per_second: -1, burst: 5}}", "server.rate_limits.per_address: must not be negative"},
		"unknown":         {"rate_limits: {per_addresses: {}}", `did you mean "per_address"?`},
		"nothing to make": {"ensure_repositories: true, listen: nowhere", "server.listen: must be host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, rest, _ := strings.Cut(ociConfig("127.0.0.1:5000"), "\nserver: {listen: \"127.0.0.1:0\"}")
			_, err := newServer(t, files(t, map[string]string{"development.yaml": "server: {" + tt.server + "}\n" + rest}), service.Own{}, io.Discard)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// Plain HTTP off loopback is refused everywhere, unless it is declared: where the server listens, the registry, AWS.
func TestPlainHTTPIsRefused(t *testing.T) { //nolint:paralleltest // environment
	for name, test := range map[string]struct {
		file     string // with %s for "true" or "false"
		variable string // that names the endpoint
		want     string
	}{
		"the server": {
			"server: {listen: '192.0.2.1:3000', insecure: %s}\nregistry: {type: oci-client-auth, registry_url: localhost:5000}", "",
			"server.listen: is off loopback, which needs tls, or insecure: true",
		},
		"a registry": {
			"server: {listen: '127.0.0.1:0'}\nregistry: {type: oci-client-auth, registry_url: 'http://registry.example.com', insecure: %s}", "",
			"registry.registry_url: is plain HTTP and not on loopback",
		},
		"a registry, for clients": {
			"server: {listen: '127.0.0.1:0'}\nregistry: {type: oci-client-auth, registry_url: localhost:5000, client_registry_url: 'http://registry.example.com', insecure: %s}", "",
			"registry.client_registry_url: is plain HTTP and not on loopback",
		},
		"AWS":            {ecrFile, "AWS_ENDPOINT_URL", "is plain HTTP and not on loopback: use https, or declare it with insecure: true"},
		"STS":            {ecrFile, "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is plain HTTP and not on loopback"},
		"ECR":            {ecrFile, "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_ECR or AWS_ENDPOINT_URL is plain HTTP and not on loopback"},
		"AWS's own file": {ecrFile, "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL_ECR or AWS_ENDPOINT_URL is plain HTTP and not on loopback"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // environment
			switch test.variable {
			case "":
			case "AWS_CONFIG_FILE":
				file := filepath.Join(t.TempDir(), "config")
				text := "[default]\nservices = plain\n[services plain]\necr =\n  endpoint_url = http://vpce.example.com\n"
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				t.Setenv(test.variable, file)
			default:
				t.Setenv(test.variable, "http://vpce.example.com")
			}
			build := func(insecure string) error {
				var out buffer
				s, err := newServer(t, files(t, map[string]string{"development.yaml": fmt.Sprintf(test.file, insecure)}), service.Own{}, &out)
				if err == nil {
					require.NoError(t, s.Close())
				}
				return err
			}
			require.ErrorContains(t, build("false"), test.want)
			err := build("true")
			if name == "the server" { // nobody has that address: it got as far as listening
				require.ErrorContains(t, err, "credentials endpoint: listen tcp 192.0.2.1:3000")
				return
			}
			require.NoError(t, err)
		})
	}
}

const ecrFile = `
server: {listen: "127.0.0.1:0"}
registry: {type: ecr, region: eu-west-1, account_id: "123456789012", push_role_arn: "arn:aws:iam::123456789012:role/p", insecure: %s}
`
