package tokenissuer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
)

func TestChallenge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config tokenissuer.Config
		want   tokenissuer.Challenge
	}{
		"defaults": {tokenissuer.Config{RegistryURL: "registry.example.com"}, tokenissuer.Challenge{"https://registry.example.com/token", "registry.example.com", "rise"}},
		"as clients reach it": {
			tokenissuer.Config{RegistryURL: "https://registry.internal:5000", ClientRegistryURL: "registry.example.com", TokenService: "images", TokenIssuer: "acme"},
			tokenissuer.Challenge{"https://registry.example.com/token", "images", "acme"},
		},
		"plain":           {tokenissuer.Config{RegistryURL: "HTTP://registry.example.com:5000", Insecure: true}, tokenissuer.Challenge{"http://registry.example.com:5000/token", "registry.example.com:5000", "rise"}},
		"loopback":        {tokenissuer.Config{RegistryURL: "localhost:5001"}, tokenissuer.Challenge{"http://localhost:5001/token", "localhost:5001", "rise"}},
		"loopback by TLS": {tokenissuer.Config{RegistryURL: "https://localhost:5001"}, tokenissuer.Challenge{"https://localhost:5001/token", "localhost:5001", "rise"}},
		"loopback by TLS, twice": {
			tokenissuer.Config{RegistryURL: "https://localhost:5001", ClientRegistryURL: "localhost:5001"}, tokenissuer.Challenge{"https://localhost:5001/token", "localhost:5001", "rise"},
		},
		"loopback, and the cluster by TLS": {
			tokenissuer.Config{RegistryURL: "https://registry.internal:5000", ClientRegistryURL: "localhost:5001"},
			tokenissuer.Challenge{"http://localhost:5001/token", "registry.internal:5000", "rise"},
		},
		"private": {tokenissuer.Config{RegistryURL: "10.0.0.1:5000", Insecure: true}, tokenissuer.Challenge{"https://10.0.0.1:5000/token", "10.0.0.1:5000", "rise"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.config.Challenge()
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	_, err := tokenissuer.Config{}.Challenge()
	require.ErrorContains(t, err, "registry_url")
}
