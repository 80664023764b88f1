package tokenissuer_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// signedToken is a registry token as the issuer makes them, but for what change does.
func signedToken(t *testing.T, s signing, repository string, change func(claims map[string]any)) string {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": "rise", "aud": host, "exp": now + 60, "nbf": now - 600, "iat": now - 600, "jti": "1",
		"access": []any{map[string]any{"type": "repository", "name": repository, "actions": []string{"pull", "push"}}},
	}
	change(claims)
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	key, _ := pem.Decode(s.key)
	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	require.NoError(t, err)
	certificate, _ := pem.Decode(s.certificatePEM)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(certificate.Bytes)}))
	require.NoError(t, err)
	object, err := signer.Sign(text)
	require.NoError(t, err)
	token, err := object.CompactSerialize()
	require.NoError(t, err)
	return token
}

// A suspended project pushes for token_duration and 65 seconds more at most. This is the issuer's part of it: five seconds later no token is made that lives on.
func TestSuspension(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.TokenDuration = time.Minute
		p := newProvider(t, c, newSigning(t))
		suspended := false
		h := p.Handler(func(context.Context, tokenissuer.Question) error {
			if suspended {
				return &provider.Error{Kind: provider.ErrConflict}
			}
			return nil
		}, nil, silent())
		grant := grantFor(t, p, push("hello"))
		var lasts int64
		exchanged := func() {
			if r := exchange(t, h, grant, "repository:rise-apps/hello:pull,push"); r.status == http.StatusOK {
				lasts = int64(r.claims["exp"].(float64))
			}
		}
		exchanged()
		suspended = true
		since := time.Now()
		for range 200 {
			exchanged()
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, lasts, since.Add(time.Minute+5*time.Second).Unix())
		require.Equal(t, http.StatusUnauthorized, exchange(t, h, grant).status)
	})
}

// And this is the registry's: it takes a token for less than a minute after its end.
func TestRealRegistryLeeway(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, address string, s signing) {
		for after, status := range map[time.Duration]int{30 * time.Second: http.StatusAccepted, 61 * time.Second: http.StatusUnauthorized} {
			token := signedToken(t, s, "hello", func(claims map[string]any) { claims["exp"] = time.Now().Add(-after).Unix() })
			require.Equal(t, status, call(t, http.MethodPost, "http://"+address+"/v2/hello/blobs/uploads/", token).status, after)
		}
	})
}

// services are what keeps a former owner's grant from a name's new owner: ids, or, where there are none, when the project was made.
type services struct {
	id   string
	made time.Time
}

func (s *services) stillGood(_ context.Context, q tokenissuer.Question) error {
	if q.Request.ProjectID != s.id || s.id == "" && q.MadeAt.Before(s.made.Add(time.Minute)) {
		return &provider.Error{Kind: provider.ErrNotFound}
	}
	return nil
}

// A name's new owner gets nothing of the former's grant: it pushes, pulls and mounts nothing any more, with ids and without.
func TestRealRegistryNewOwner(t *testing.T) {
	t.Parallel()
	const scope, own, of = "repository:rise-apps/hello:pull,push", "rise-apps/other", "repository:rise-apps/other:pull,push"
	eachRegistry(t, func(t *testing.T, address string, s signing) {
		p := newProvider(t, config(), s)
		for name, change := range map[string]func(*services){
			"ids":    func(s *services) { s.id = "p-2" },
			"no ids": func(s *services) { s.made = time.Now() },
		} {
			t.Run(name, func(t *testing.T) {
				is := &services{}
				request := push("hello")
				if name == "ids" {
					is.id, request.ProjectID = "p-1", "p-1"
				}
				grant := grantFor(t, p, request)
				before := exchange(t, p.Handler(is.stillGood, nil, silent()), grant, scope)
				require.Equal(t, http.StatusOK, before.status)
				upload(t, address, "rise-apps/hello", before.body["token"].(string), "of "+name)

				change(is)
				h := p.Handler(is.stillGood, nil, silent()) // which asks anew, as all do after five seconds
				for _, scopes := range [][]string{{scope}, {"repository:rise-apps/hello:pull"}, {of, scope}, nil} {
					r := exchange(t, h, grant, scopes...)
					require.Equal(t, http.StatusUnauthorized, r.status)
					require.NotContains(t, r.message, "hello")
				}
				if request.ProjectID = is.id; name == "no ids" {
					require.Equal(t, http.StatusUnauthorized, exchange(t, h, grantFor(t, p, request), scope).status, "in the first minute, none is told from the former's")
					is.made = is.made.Add(-2 * time.Minute)
				}
				after := exchange(t, p.Handler(is.stillGood, nil, silent()), grantFor(t, p, request), scope)
				require.Equal(t, http.StatusOK, after.status)
				upload(t, address, "rise-apps/hello", after.body["token"].(string), "of another")

				other := exchange(t, p.Handler(allGood, nil, silent()), grantFor(t, p, push("other")), of).body["token"].(string)
				mount := call(t, http.MethodPost, "http://"+address+"/v2/"+own+"/blobs/uploads/?mount="+digest("of another")+"&from=rise-apps/hello", other)
				require.Equal(t, http.StatusUnauthorized, mount.status)
			})
		}
	})
}
