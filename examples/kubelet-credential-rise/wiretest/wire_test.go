// Package wiretest compares what kubelet-credential-rise reads and writes, and the manifests beside it, with the kubelet's own types.
package wiretest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/kubelet/pkg/apis/credentialprovider"
	"k8s.io/kubelet/pkg/apis/credentialprovider/install"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

// A kubelet's codecs, as in k8s.io/kubernetes v1.37.2, pkg/credentialprovider/plugin/plugin.go.
var (
	scheme = newScheme()
	codecs = serializer.NewCodecFactory(scheme, serializer.EnableStrict)
)

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	install.Install(s)
	return s
}

func encoder(t *testing.T, version string) runtime.Encoder {
	t.Helper()
	gv, err := schema.ParseGroupVersion(version)
	require.NoError(t, err)
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), "application/json")
	require.True(t, ok)
	return codecs.EncoderForVersion(info.Serializer, gv)
}

// The program knows the versions that kubelets do.
func TestVersions(t *testing.T) {
	t.Parallel()
	var known []string
	for _, gv := range scheme.PrioritizedVersionsForGroup(credentialprovider.GroupName) {
		known = append(known, gv.String())
	}
	require.ElementsMatch(t, known, kubeletplugin.Versions())
	require.Equal(t, credentialprovider.GroupName+"/v1", kubeletplugin.Versions()[0])
}

// What a kubelet writes, the program reads all of: written again it is the same, byte for byte.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, version := range kubeletplugin.Versions() {
		for name, request := range map[string]credentialprovider.CredentialProviderRequest{
			"image":       {Image: "registry.example.com/rise-apps/hello"},
			"empty":       {},
			"token":       {Image: "registry.example.com:5000/hello", ServiceAccountToken: "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"},
			"annotations": {Image: "r.example.com/a", ServiceAccountToken: "t", ServiceAccountAnnotations: map[string]string{"b/c": "<&>\u2028\"\\", "a": "", "": "ü"}},
			"none":        {Image: "r.example.com/a", ServiceAccountAnnotations: map[string]string{}},
		} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				written, err := runtime.Encode(encoder(t, version), &request)
				require.NoError(t, err)
				decoder := json.NewDecoder(bytes.NewReader(written))
				decoder.DisallowUnknownFields()
				var read kubeletplugin.Request
				require.NoError(t, decoder.Decode(&read))
				require.Equal(t, version, read.APIVersion)
				require.Equal(t, "CredentialProviderRequest", read.Kind)
				require.Equal(t, request.Image, read.Image)
				if strings.HasSuffix(version, "/v1") {
					require.Equal(t, request.ServiceAccountToken, read.ServiceAccountToken)
				} else {
					require.Empty(t, read.ServiceAccountToken, "only v1 has it")
				}
				again, err := json.Marshal(read)
				require.NoError(t, err)
				require.Equal(t, string(written), string(again)+"\n")
			})
		}
	}
}

// What the program writes, a kubelet reads all of, strictly: written again it is the same, byte for byte.
func TestResponses(t *testing.T) {
	t.Parallel()
	for _, version := range kubeletplugin.Versions() {
		for name, response := range map[string]kubeletplugin.Response{
			"nothing":   {CacheDuration: "0s"},
			"half hour": {CacheDuration: (1799 * time.Second).String(), Auth: map[string]kubeletplugin.AuthConfig{"registry.example.com/rise-apps/hello": {Username: "rise", Password: "a.b.c"}}},
			"escapes":   {CacheDuration: (6 * time.Hour).String(), Auth: map[string]kubeletplugin.AuthConfig{"[::1]:5000/hello": {Username: "AWS", Password: "<&>\u2028\"\\ü"}}},
			"default":   {Auth: map[string]kubeletplugin.AuthConfig{"r.example.com/a": {}}},
			"no auth":   {CacheDuration: "0s", Auth: map[string]kubeletplugin.AuthConfig{}},
		} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				response.Kind, response.APIVersion, response.CacheKeyType = "CredentialProviderResponse", version, kubeletplugin.CacheByImage
				written, err := json.Marshal(response)
				require.NoError(t, err)
				object, gvk, err := codecs.UniversalDecoder().Decode(written, nil, nil)
				require.NoError(t, err)
				require.Equal(t, schema.FromAPIVersionAndKind(version, "CredentialProviderResponse"), *gvk)
				read, ok := object.(*credentialprovider.CredentialProviderResponse)
				require.True(t, ok)
				require.Equal(t, credentialprovider.ImagePluginCacheKeyType, read.CacheKeyType)
				require.Len(t, read.Auth, len(response.Auth))
				for key, auth := range response.Auth {
					require.Equal(t, credentialprovider.AuthConfig{Username: auth.Username, Password: auth.Password}, read.Auth[key])
				}
				if response.CacheDuration == "" {
					require.Nil(t, read.CacheDuration)
				} else {
					want, err := time.ParseDuration(response.CacheDuration)
					require.NoError(t, err)
					require.Equal(t, &metav1.Duration{Duration: want}, read.CacheDuration)
				}
				again, err := runtime.Encode(encoder(t, version), read)
				require.NoError(t, err)
				require.Equal(t, string(again), string(written)+"\n")
			})
		}
	}
}
