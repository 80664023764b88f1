package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/registry"
)

const v1 = "credentialprovider.kubelet.k8s.io/v1"

// cluster issues tokens to pods, as Kubernetes does.
type cluster struct {
	issuer string
	key    jose.JSONWebKey
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &cluster{key: jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: string(jose.ES256), Use: "sig"}}
	mux := http.NewServeMux()
	answer := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v()) }
	}
	mux.Handle("GET /.well-known/openid-configuration", answer(func() any { return map[string]string{"issuer": c.issuer, "jwks_uri": c.issuer + "/keys"} }))
	mux.Handle("GET /keys", answer(func() any { return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{c.key.Public()}} }))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	c.issuer = s.URL
	return c
}

// pod is one of a service account, with the token that a kubelet asks for it.
func (c *cluster) pod(t *testing.T, namespace, serviceAccount string) pod {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: c.key}, nil)
	require.NoError(t, err)
	claims, err := json.Marshal(map[string]any{
		"iss": c.issuer, "aud": []string{"https://rise.example.com"}, "sub": "system:serviceaccount:" + namespace + ":" + serviceAccount,
		"iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "jti": rand.Text(),
		"kubernetes.io": map[string]any{
			"namespace": namespace, "serviceaccount": map[string]string{"name": serviceAccount, "uid": "1"}, "pod": map[string]string{"name": "p", "uid": rand.Text()},
		},
	})
	require.NoError(t, err)
	signed, err := signer.Sign(claims)
	require.NoError(t, err)
	token, err := signed.CompactSerialize()
	require.NoError(t, err)
	return pod{namespace + "/" + serviceAccount, token}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// service is the example server and the registry in it, configured for a cluster as README.md says.
type service struct {
	url, registry string
	log           buffer
}

const pushToken = "token-that-pushes-everything"

func startService(t *testing.T, issuer string) *service {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)\n   ```yaml\n(.*?)   ```\n").FindSubmatch(readme)
	require.NotNil(t, block)
	auth := regexp.MustCompile(`(?m)^   `).ReplaceAllString(string(block[1]), "")
	auth, n := regexp.MustCompile(`(?m)issuer: \S+$`).ReplaceAllString(auth, "issuer: "+issuer), strings.Count(auth, "issuer: ")
	require.Equal(t, 1, n)

	s := &service{registry: realtest.FreeAddress(t)}
	own := fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
embedded_registry: {listen: "%[1]s"}
registry: {type: oci-token-issuer, registry_url: "%[1]s", namespace: rise-apps}
auth: {tokens: [{token: %[2]s, subject: ci, projects: ["*"], access: push}]}
`, s.registry, pushToken)
	factory, err := registry.NewFactory(app.Builders()...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- app.Server(factory, app.WithContext(ctx), app.WithName("server"), app.WithArgs("-log-level", "debug"), app.WithOutput(w, &s.log), app.WithLoader(configload.Loader{
			FS:        fstest.MapFS{"development.yaml": {Data: []byte(own)}, "local.yaml": {Data: []byte(auth)}},
			LookupEnv: func(string) (string, bool) { return "", false },
		}))
		_ = w.CloseWithError(errors.New("the server ended"))
	}()
	t.Cleanup(func() { cancel(); require.Zero(t, <-ended) })
	lines := bufio.NewScanner(r)
	for s.url == "" && lines.Scan() {
		s.url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(lines.Text())
	}
	require.NotEmpty(t, s.url, "%s", &s.log)
	go io.Copy(io.Discard, r) //nolint:errcheck // until the pipe closes
	return s
}

// push makes an image of a project, with a name of its own.
func (s *service) push(t *testing.T, project string) (image string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/registry/credentials?project="+project, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+pushToken)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	var answer struct {
		Credentials struct {
			RegistryURL string `json:"registry_url"`
			Username    string `json:"username"`
			Password    string `json:"password"`
		} `json:"credentials"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	ref, err := name.ParseReference(answer.Credentials.RegistryURL + ":v1")
	require.NoError(t, err)
	made, err := random.Image(1000, 2)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, made, remote.WithAuth(&authn.Basic{Username: answer.Credentials.Username, Password: answer.Credentials.Password})))
	return answer.Credentials.RegistryURL
}

// projectOf reads whose a grant of the token issuer is.
func projectOf(t *testing.T, grant string) string {
	t.Helper()
	parts := strings.Split(grant, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims struct {
		Project string `json:"project"`
	}
	require.NoError(t, json.Unmarshal(text, &claims), "%s", text)
	return claims.Project
}
