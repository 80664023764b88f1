package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/containers/azcontainerregistry"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// workload is who Azure's client and ours are.
var workload = tokenauthtest.Workload{
	TenantID: "409520d4-8100-4d1d-ad47-72432ddcc120", ClientID: "6731de76-14a6-49ae-97bc-6eba6914391e",
	Assertion: "header.federated-token-of-the-workload.signature", Username: "rise",
}

// Azure's own client comes to terms with the double of Azure's registry that oci-token-auth is tested with: from Entra's token it gets a refresh token, with that access
// tokens, and reads and writes an image that was pushed with what oci-token-auth handed out.
func TestAzuresOwnClient(t *testing.T) {
	t.Parallel()
	s := tokenauthtest.NewServer(tokenauthtest.Config{
		Kind: tokenauthtest.ACR, Workload: workload,
		Accounts: []tokenauthtest.Account{{Username: "rise", Password: "correct-horse-battery", Rights: map[string][]string{"apps/*": {"pull", "push"}}}},
	})
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(workload.Assertion), 0o600))
	p, err := tokenauth.New(tokenauth.Config{RegistryURL: s.RegistryHost, Namespace: "apps", Azure: tokenauth.AzureConfig{
		TenantID: workload.TenantID, ClientID: workload.ClientID, TokenFile: file, AuthorityHost: s.EntraURL,
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, provider.Close(p)) })
	c, err := provider.Issue(t.Context(), p, push)
	require.NoError(t, err)
	auth, err := c.Authenticator()
	require.NoError(t, err)
	image, err := random.Image(1024, 1)
	require.NoError(t, err)
	tag, err := name.NewTag(s.RegistryHost + "/apps/hello:v1")
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, image, remote.WithAuth(auth)))
	manifest, err := image.RawManifest()
	require.NoError(t, err)

	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { // the client insists on TLS
		r.Out.URL.RawPath = "" // and writes %2F in names, as Azure's registries let it
		r.SetURL(&url.URL{Scheme: "http", Host: s.RegistryHost})
	}})
	t.Cleanup(front.Close)
	before := len(s.Requests())
	client, err := azcontainerregistry.NewClient(front.URL, entra(s.EntraURL), &azcontainerregistry.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: front.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
	}})
	require.NoError(t, err)
	got, err := client.GetManifest(t.Context(), "apps/hello", "v1", &azcontainerregistry.ClientGetManifestOptions{Accept: new("application/vnd.docker.distribution.manifest.v2+json")})
	require.NoError(t, err)
	text, err := io.ReadAll(got.ManifestData)
	require.NoError(t, err)
	require.Equal(t, string(manifest), string(text))
	_, err = client.UploadManifest(t.Context(), "apps/hello", "v2", azcontainerregistry.ContentTypeApplicationVndDockerDistributionManifestV2JSON,
		streaming.NopCloser(bytes.NewReader(manifest)), nil)
	require.NoError(t, err)
	_, err = client.GetManifest(t.Context(), "elsewhere/hello", "v1", nil)
	require.Error(t, err, "no right to it")

	var paths []string
	for _, r := range s.Requests()[before:] {
		if r.TokenServer {
			paths = append(paths, r.Path)
		}
	}
	require.Equal(t, []string{"/" + workload.TenantID + "/oauth2/v2.0/token", "/oauth2/exchange", "/oauth2/token", "/oauth2/token", "/oauth2/token"}, paths)
}

// entra asks the double of Entra's for a token, with a workload's federated one.
type entra string

// GetToken implements azcore.TokenCredential.
func (e entra) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {workload.ClientID}, "scope": o.Scopes, "client_assertion": {workload.Assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, string(e)+"/"+workload.TenantID+"/oauth2/v2.0/token", bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return azcore.AccessToken{}, fmt.Errorf("entra answered %d", response.StatusCode)
	}
	var said struct {
		Token     string `json:"access_token"`
		ExpiresIn int    `json:"expires_in"`
	}
	err = json.NewDecoder(response.Body).Decode(&said)
	return azcore.AccessToken{Token: said.Token, ExpiresOn: time.Now().Add(time.Duration(said.ExpiresIn) * time.Second)}, err
}
