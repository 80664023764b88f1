package wiretest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubelet/pkg/apis/credentialprovider"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

// exec is what a kubelet does with the program: a request that it encodes, an answer that it decodes.
func exec(t *testing.T, version, url string, request credentialprovider.CredentialProviderRequest) (*credentialprovider.CredentialProviderResponse, string) {
	t.Helper()
	written, err := runtime.Encode(encoder(t, version), &request)
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	code := kubeletplugin.Run(t.Context(), kubeletplugin.Process{
		Args:  []string{"--url", url, "--registry", "registry.example.com", "--namespace", "rise-apps"},
		Stdin: bytes.NewReader(written), Stdout: &stdout, Stderr: &stderr, LookupEnv: func(string) (string, bool) { return "", false },
	})
	if code != 0 {
		require.Empty(t, stdout.String())
		return nil, stderr.String()
	}
	require.Empty(t, stderr.String())
	object, gvk, err := codecs.UniversalDecoder().Decode(stdout.Bytes(), nil, nil)
	require.NoError(t, err)
	require.Equal(t, version, gvk.GroupVersion().String(), "in the version of the request")
	response, ok := object.(*credentialprovider.CredentialProviderResponse)
	require.True(t, ok)
	again, err := runtime.Encode(encoder(t, version), response)
	require.NoError(t, err)
	require.Equal(t, string(again), stdout.String(), "byte for byte as a kubelet writes it")
	return response, ""
}

func TestProgram(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of.a.pod" || r.URL.RawQuery != "access=pull&consumer=cluster&project=hello" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"credentials":{"registry_url":"registry.example.com/rise-apps/hello","username":"rise","password":"<secret>","expires_in":3600,"auth_method":"login_credentials"},"repository":"hello"}`))
	}))
	t.Cleanup(endpoint.Close)
	for _, version := range kubeletplugin.Versions() {
		response, _ := exec(t, version, endpoint.URL, credentialprovider.CredentialProviderRequest{Image: "registry.example.com/rise-apps-2/hello", ServiceAccountToken: "of.a.pod"})
		require.Empty(t, response.Auth)
		require.Equal(t, credentialprovider.ImagePluginCacheKeyType, response.CacheKeyType)
		require.Zero(t, response.CacheDuration.Duration)

		response, said := exec(t, version, endpoint.URL, credentialprovider.CredentialProviderRequest{Image: "registry.example.com/rise-apps/hello", ServiceAccountToken: "of.a.pod"})
		if version != kubeletplugin.Versions()[0] {
			require.Nil(t, response, "there is no token in it")
			require.Contains(t, said, "tokenAttributes")
			continue
		}
		require.Equal(t, map[string]credentialprovider.AuthConfig{"registry.example.com/rise-apps/hello": {Username: "rise", Password: "<secret>"}}, response.Auth)
		require.InDelta(t, 30*time.Minute, response.CacheDuration.Duration, float64(5*time.Minute))
	}
}
