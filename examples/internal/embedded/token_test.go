package embedded_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
)

// Whoever has the key still has to say for whom the token is, and until when.
func TestClaims(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	tokens := embedded.Tokens{Issuer: "rise", Service: "registry"}
	const rights = `"access":[{"type":"repository","name":"hello","actions":["pull"]}]`
	for name, tt := range map[string]struct {
		claims string
		taken  bool
	}{
		"as it should be":        {`{"iss":"rise","aud":"registry","exp":1800000001,"nbf":1800000000,` + rights + `}`, true},
		"within the leeway":      {`{"iss":"rise","aud":"registry","exp":1799999941,"nbf":1800000059,` + rights + `}`, true},
		"expired":                {`{"iss":"rise","aud":"registry","exp":1799999939,` + rights + `}`, false},
		"without an end":         {`{"iss":"rise","aud":"registry",` + rights + `}`, false},
		"not yet":                {`{"iss":"rise","aud":"registry","exp":1800000100,"nbf":1800000061,` + rights + `}`, false},
		"another issuer's":       {`{"iss":"riser","aud":"registry","exp":1800000001,` + rights + `}`, false},
		"nobody's":               {`{"aud":"registry","exp":1800000001,` + rights + `}`, false},
		"for another":            {`{"iss":"rise","aud":"registry2","exp":1800000001,` + rights + `}`, false},
		"for nobody":             {`{"iss":"rise","exp":1800000001,` + rights + `}`, false},
		"without rights":         {`{"iss":"rise","aud":"registry","exp":1800000001,"access":null}`, true},
		"with rights of no form": {`{"iss":"rise","aud":"registry","exp":1800000001,"access":"hello"}`, false},
	} {
		object, err := signer.Sign([]byte(tt.claims))
		require.NoError(t, err)
		text, err := object.CompactSerialize()
		require.NoError(t, err)
		err = tokens.Read(key.Public(), text, now)
		require.Equal(t, tt.taken, err == nil, "%s: %v", name, err)
	}
}
