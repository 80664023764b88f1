package endpoint_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// The answer is what encoding/json would write, whatever a password holds.
func FuzzResponse(f *testing.F) {
	f.Add("AWS", "QVdTOnBhc3N3b3Jk+/=", int64(3599))
	f.Add(`a"b`, "\\<>&\u2028\x00\xff é", int64(-1))
	f.Add("", "", int64(0))
	f.Fuzz(func(t *testing.T, username, password string, seconds int64) {
		target, err := name.NewRepository("registry.example.com/rise/hello")
		require.NoError(t, err)
		now := time.Unix(1_700_000_000, 0)
		c := provider.Credentials{Target: target, Access: provider.Push, Method: provider.LoginCredentials, Username: username,
			Password: provider.NewSecret(password), ExpiresAt: now.Add(time.Duration(seconds%100_000) * time.Second)}
		type credentials struct {
			RegistryURL string `json:"registry_url"`
			Username    string `json:"username"`
			Password    string `json:"password"`
			ExpiresIn   int64  `json:"expires_in"`
			ExpiresAt   string `json:"expires_at"`
			AuthMethod  string `json:"auth_method"`
		}
		var want bytes.Buffer
		require.NoError(t, json.NewEncoder(&want).Encode(struct {
			Credentials credentials `json:"credentials"`
			Repository  string      `json:"repository"`
		}{credentials{target.String(), username, password, max(0, seconds%100_000), c.ExpiresAt.UTC().Format(time.RFC3339), "login_credentials"}, "hello"}))
		require.True(t, want.String() == string(endpoint.Response("hello", c, now)), "they differ") // without printing a password
	})
}
