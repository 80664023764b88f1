package tokenissuer_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// The contract, with the registry in memory and with a real one.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, *owners) (*tokenissuer.Provider, signing){"in memory": startMemory, "docker-registry": startReal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "docker-registry" {
				realtest.Program(t, name)
			}
			providertest.Run(t, func(t *testing.T) providertest.Harness {
				o := &owners{ids: map[string]string{}, suspended: map[string]bool{}}
				p, s := start(t, o)
				return providertest.Harness{
					Provider:     p,
					Type:         tokenissuer.Type,
					Capabilities: []providertest.Capability{providertest.Has[repository.PushCreator](), providertest.Has[provider.CallerBound]()},
					HandOver:     o.handOver,
					Suspend:      o.suspend,
					Secrets:      func() []string { return secretsOf(t, s) },
					Expiry: func(c provider.Credentials) time.Time {
						_, claims := decodeJWT(t, c.Password.Reveal())
						return time.Unix(int64(claims["exp"].(float64)), 0)
					},
					Cannot: map[providertest.Ability]string{providertest.Upstream: "grants are made here, of the signing key"},
				}
			})
		})
	}
}

// secretsOf are the private key in the forms in which it may show.
func secretsOf(t *testing.T, s signing) []string {
	t.Helper()
	block, _ := pem.Decode(s.key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: private})
	require.NoError(t, err)
	var members struct{ D string }
	require.NoError(t, json.Unmarshal(jwk, &members))
	lines := strings.Split(strings.TrimSpace(string(s.key)), "\n")
	return append(lines[1:len(lines)-1], members.D)
}

// owners are a service's projects: whose id each name is, and which are suspended.
type owners struct {
	mu        sync.Mutex
	ids       map[string]string
	suspended map[string]bool
}

func (o *owners) handOver(project, id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids[project] = id
	return nil
}

func (o *owners) suspend(project string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.suspended[project] = true
	return nil
}

// stillGood is the service's answer: in these tests nobody waits five seconds for what it was.
func (o *owners) stillGood(_ context.Context, q tokenissuer.Question) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if is := o.ids[q.Request.Project]; q.Request.ProjectID != "" && is != q.Request.ProjectID || o.suspended[q.Request.Project] {
		return &provider.Error{Kind: provider.ErrNotFound}
	}
	return nil
}

// serveUncached serves p's /token by a new handler each time, which remembers nothing.
func serveUncached(t *testing.T, p func() *tokenissuer.Provider, o *owners) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p().Handler(o.stillGood, nil, silent()).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func startReal(t *testing.T, o *owners) (*tokenissuer.Provider, signing) {
	t.Helper()
	s, address := newSigning(t), realtest.FreeAddress(t)
	p := newProvider(t, tokenissuer.Config{RegistryURL: address, Namespace: "rise-apps"}, s)
	server := serveUncached(t, func() *tokenissuer.Provider { return p }, o)
	realtest.TokenRegistry(t, address, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)+"/token", address, "rise", s.authorityPEM)
	return p, s
}

func startMemory(t *testing.T, o *owners) (*tokenissuer.Provider, signing) {
	t.Helper()
	s := newSigning(t)
	var p *tokenissuer.Provider
	server := serveUncached(t, func() *tokenissuer.Provider { return p }, o)
	realm := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/token"
	var address string
	registry := httptest.NewServer(imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
		return authorizeByToken(r, a, s, address, realm)
	}))
	t.Cleanup(registry.Close)
	address = registry.Listener.Addr().String()
	p = newProvider(t, tokenissuer.Config{RegistryURL: address, Namespace: "rise-apps"}, s)
	return p, s
}

// authorizeByToken takes tokens as distribution's registry does: it is no code of the issuer's.
func authorizeByToken(r *http.Request, a imageregistry.Access, s signing, service, realm string) *imageregistry.Error {
	action := "pull"
	switch a.Action {
	case imageregistry.Ping, imageregistry.Catalog:
		action = "*"
	case imageregistry.Push:
		action = "push"
	case imageregistry.Delete:
		action = "delete"
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if granted, ok := verify(token, s, service); ok && (a.Action == imageregistry.Ping || slices.Contains(granted, a.Repository+":"+action)) {
			return nil
		}
	}
	scope := ""
	if a.Repository != "" {
		scope = `,scope="repository:` + a.Repository + ":" + strings.Replace(action, "push", "pull,push", 1) + `"`
	}
	return &imageregistry.Error{Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Message: "a token, please", Header: http.Header{
		"Www-Authenticate": {`Bearer realm="` + realm + `",service="` + service + `"` + scope},
	}}
}

// verify returns what a token can do, as repository:action.
func verify(token string, s signing, service string) ([]string, bool) {
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil, false
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.authorityPEM)
	chains, err := parsed.Signatures[0].Protected.Certificates(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, false
	}
	payload, err := parsed.Verify(chains[0][0].PublicKey)
	if err != nil {
		return nil, false
	}
	var claims struct {
		Iss, Aud string
		Exp, Nbf int64
		Access   []struct {
			Type, Name string
			Actions    []string
		}
	}
	now := time.Now().Unix()
	if json.Unmarshal(payload, &claims) != nil || claims.Iss != "rise" || claims.Aud != service || now >= claims.Exp || now < claims.Nbf {
		return nil, false
	}
	var granted []string
	for _, a := range claims.Access {
		for _, action := range a.Actions {
			granted = append(granted, a.Name+":"+action)
		}
	}
	return granted, true
}
