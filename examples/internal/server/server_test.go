package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
)

// env is an environment of these variables only.
func env(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	s, registry := startDevelopment(t)

	status, body, c := s.ask(t, "rise-dev-token", "project=hello")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, credentials{RegistryURL: registry + "/hello", Username: "rise", Password: c.Password, ExpiresIn: c.ExpiresIn, ExpiresAt: c.ExpiresAt, AuthMethod: "login_credentials"}, c)
	require.InDelta(t, 3600, *c.ExpiresIn, 60)
	status, body, _ = s.ask(t, "wrong", "project=hello")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, `"code":"unauthenticated"`)
	status, _, _ = s.ask(t, "rise-dev-token", "project=a--b")
	require.Equal(t, http.StatusBadRequest, status)

	base := strings.TrimSuffix(s.url, server.CredentialsPath)
	for _, path := range []string{"/healthz", "/readyz"} {
		status, body = get(t, http.DefaultClient, base+path)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ok\n", body)
	}
	require.NoError(t, s.stop())
	require.Contains(t, s.output.String(), "stopping")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := start(t, files(t, map[string]string{"development.yaml": ociConfig("localhost:5000")}))
	require.NotContains(t, s.command, "token-of", "a configured token isn't printed")
	for _, test := range []struct {
		token, query string
		status       int
	}{
		{"ci-token-of-hello", "project=hello", 200},
		{"ci-token-of-hello", "project=hello&access=pull", 200},
		{"ci-token-of-hello", "project=hello2", 404},
		{"ci-token-of-hello", "project=hell", 404},
		{"viewer-token-of-all", "project=anything&access=pull", 200},
		{"viewer-token-of-all", "project=anything", 404},
		{"viewer-toke", "project=anything&access=pull", 401},
		{"", "project=hello", 401},
	} {
		status, body, _ := s.ask(t, test.token, test.query)
		require.Equal(t, test.status, status, "%s %s: %s", test.token, test.query, body)
	}
}

// Rise's clients ask by a deployment's path, and get the same answers.
func TestDeploymentPath(t *testing.T) {
	t.Parallel()
	s := start(t, files(t, map[string]string{"development.yaml": ociConfig("localhost:5000")}))
	byDeployment := *s
	for _, test := range []struct {
		token, project, access string
		status                 int
	}{
		{"ci-token-of-hello", "hello", "", 200}, {"ci-token-of-hello", "hello", "access=pull", 200}, {"ci-token-of-hello", "hello2", "", 404},
		{"viewer-token-of-all", "anything", "access=pull", 200}, {"viewer-token-of-all", "anything", "", 404}, {"guess", "hello", "", 401},
		{"ci-token-of-hello", "a--b", "", 400}, {"ci-token-of-hello", "hello2", "project=hello", 404}, {"ci-token-of-hello", "hello", "access=admin", 400},
	} {
		byDeployment.url = strings.TrimSuffix(s.url, server.CredentialsPath) + "/api/v1/projects/" + test.project + "/deployments/20260101-120000/registry-credentials"
		status, body, _ := byDeployment.ask(t, test.token, test.access)
		require.Equal(t, test.status, status, "%+v: %s", test, body)
		if !strings.Contains(test.access, "project=") {
			again, same, _ := s.ask(t, test.token, "project="+test.project+"&"+test.access)
			require.Equal(t, status, again)
			require.Equal(t, same, body, "%+v", test)
		}
	}
}

func TestConfigurationMistakes(t *testing.T) {
	t.Parallel()
	const tail = "\nregistry: {type: oci-client-auth, registry_url: localhost:5000}\n"
	const issuer = "\nregistry: {type: oci-token-issuer, registry_url: localhost:5000}\n"
	for name, test := range map[string]struct{ file, want string }{
		"off loopback":     {"server: {listen: ':3000'}" + tail, "server.listen: is off loopback, which needs tls, or insecure: true"},
		"a real address":   {"server: {listen: '10.0.0.1:3000'}" + tail, "server.listen: is off loopback"},
		"no port":          {"server: {listen: localhost}" + tail, "server.listen: must be host:port"},
		"half of tls":      {"server: {tls: {cert_file: x}}" + tail, "server.tls: needs both cert_file and key_file, or neither"},
		"no such file":     {"server: {listen: 127.0.0.1:0, tls: {cert_file: /nonexistent/c, key_file: /nonexistent/k}}" + tail, "server.tls: cert_file: open /nonexistent/c"},
		"dev token":        {"server: {listen: ':0', insecure: true}\nauth: {tokens: [{token: rise-dev-token, subject: x}]}" + tail, "auth.tokens[0].token: is the development token"},
		"no token":         {"auth: {tokens: [{subject: x}]}" + tail, "auth.tokens[0].token: is required"},
		"unusable token":   {"auth: {tokens: [{token: \"hunter2\\n\", subject: x}]}" + tail, "development.yaml:1: auth.tokens[0].token: ends in the end of a line"},
		"a sentence":       {"auth: {tokens: [{token: hunter2 x, subject: x}]}" + tail, "auth.tokens[0].token: must hold no white space"},
		"a bare variable":  {"auth: {tokens: [{subject: x, token: $hunter2}]}" + tail, "development.yaml:1: auth.tokens[0].token: is the name of a variable instead of its value; write ${NAME}"},
		"a short token":    {"auth: {tokens: [{token: hunter2-hunter2, subject: x}]}" + tail, "auth.tokens[0].token: must have at least 16 characters"},
		"two ways":         {"auth: {tokens: [{token: hunter2-hunter2-, token_file: x, subject: x}]}" + tail, "auth.tokens[0].token: goes with neither token_sha256 nor token_file"},
		"two others":       {"auth: {tokens: [{token_sha256: x, token_file: x, subject: x}]}" + tail, "auth.tokens[0].token: goes with neither token_sha256 nor token_file"},
		"no hash":          {"auth: {tokens: [{token_sha256: hunter2-hunter2-, subject: x}]}" + tail, "auth.tokens[0].token_sha256: must be 64 digits"},
		"hash twice":       {"auth: {tokens: [{token: hunter2-hunter2-, subject: x}, {token_sha256: " + fmt.Sprintf("%x", sha256.Sum256([]byte("hunter2-hunter2-"))) + ", subject: y}]}" + tail, "auth.tokens[1].token_sha256: is used twice"},
		"dev hash":         {"server: {listen: ':0', insecure: true}\nauth: {tokens: [{token_sha256: " + fmt.Sprintf("%x", sha256.Sum256([]byte("rise-dev-token"))) + ", subject: x}]}" + tail, "auth.tokens[0].token_sha256: is the development token"},
		"no token file":    {"auth: {tokens: [{token_file: /nonexistent/hunter, subject: x}]}" + tail, "auth.tokens[0].token_file: open /nonexistent/hunter"},
		"a long subject":   {"auth: {tokens: [{token: hunter2-hunter2-, subject: " + strings.Repeat("x", 1025) + "}]}" + tail, "auth.tokens[0].subject: must be at most 1024 bytes of printable text"},
		"a subject's line": {"auth: {tokens: [{token: hunter2-hunter2-, subject: \"x\\ny\"}]}" + tail, "auth.tokens[0].subject: must be at most 1024 bytes of printable text"},
		"no time":          {"auth: {tokens: [{token: hunter2-hunter2-, subject: x, expires: tomorrow}]}" + tail, "auth.tokens[0].expires: must be a time such as"},
		"no subject":       {"auth: {tokens: [{token: hunter2-hunter2-}]}" + tail, "auth.tokens[0].subject: is required"},
		"token twice":      {"auth: {tokens: [{token: hunter2-hunter2-, subject: x}, {token: hunter2-hunter2-, subject: y}]}" + tail, "auth.tokens[1].token: is used twice"},
		"unknown access":   {"auth: {tokens: [{token: hunter2-hunter2-, subject: x, access: admin}]}" + tail, "auth.tokens[0].access: must be pull or push"},
		"a bad glob":       {"auth: {tokens: [{token: hunter2-hunter2-, subject: x, projects: ['a?']}]}" + tail, "auth.tokens[0].projects[0]: must be a project's name"},
		"open registry":    {"embedded_registry: {listen: '0.0.0.0:5000'}" + tail, "embedded_registry.listen: must be on loopback: the registry lets everybody in"},
		"open, by a realm": {"server: {insecure: true}\nembedded_registry: {listen: '0.0.0.0:5000', realm: 'https://r.example.com/token'}" + tail,
			"embedded_registry.realm: needs embedded_registry.listen, and registry.type oci-token-issuer"},
		"a realm of nothing":   {"embedded_registry: {realm: 'https://r.example.com/token'}" + issuer, "embedded_registry.realm: needs embedded_registry.listen"},
		"no realm":             {"server: {insecure: true}\nembedded_registry: {listen: ':5000'}" + issuer, "embedded_registry.listen: is off loopback, which needs embedded_registry.realm"},
		"plain HTTP":           {"embedded_registry: {listen: ':5000', realm: 'https://r.example.com/token'}" + issuer, "embedded_registry.listen: is off loopback and plain HTTP"},
		"a plain HTTP realm":   {"embedded_registry: {listen: '127.0.0.1:5000', realm: 'http://r.example.com/token'}" + issuer, "embedded_registry.realm: is plain HTTP off loopback"},
		"a realm of no host":   {"embedded_registry: {listen: '127.0.0.1:5000', realm: '/token'}" + issuer, "embedded_registry.realm: must be a URL"},
		"a realm that escapes": {"embedded_registry: {listen: '127.0.0.1:5000', realm: 'https://r.example.com/\"x'}" + issuer, "embedded_registry.realm: must be a URL"},
		"dev token, for others": {"server: {insecure: true}\nauth: {tokens: [{token: rise-dev-token, subject: x}]}\nembedded_registry: {listen: ':5000', realm: 'https://r.example.com/token'}" + issuer,
			"auth.tokens[0].token: is the development token"},
		"two kinds of keys": {"embedded_registry: {listen: '127.0.0.1:5000'}\nregistry: {type: oci-token-issuer, registry_url: '127.0.0.1:5000', signing_key_file: k, signing_cert_file: c}",
			"embedded_registry.listen: has keys of its own, made at each start"},
		"no keys":         {"server: {listen: '127.0.0.1:0'}" + issuer, "signing_key_file: is required"},
		"no such list":    {"auth: {suspended_file: /nonexistent/list}" + tail, "auth.suspended_file: open /nonexistent/list"},
		"misspelt":        {"server: {listn: x}" + tail, `server.listn: unknown key; did you mean "listen"?`},
		"a broken prefix": {"registry: {type: oci-client-auth, registry_url: localhost:5000, namespace: A}", "registry.namespace: must be parts of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := refused(t, files(t, map[string]string{"development.yaml": test.file}))
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error()+out, "hunter2")
		})
	}
	_, err := refused(t, configload.Loader{RunMode: "production", LookupEnv: env(nil)})
	require.ErrorContains(t, err, "built-in configurations can be used: development")
	_, err = refused(t, configload.Loader{}, "-log-level", "loud")
	require.Error(t, err)
	usage, err := refused(t, configload.Loader{}, "-h")
	require.NoError(t, err)
	require.Contains(t, usage, "Usage of server", "it printed that instead of starting")
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // of a test
	_, err = refused(t, configload.Loader{LookupEnv: env(map[string]string{
		"RISE_LISTEN": taken.Addr().String(), "RISE_REGISTRY_LISTEN": realtest.FreeAddress(t),
	})})
	require.ErrorContains(t, err, "credentials endpoint: listen tcp "+taken.Addr().String())
	require.ErrorContains(t, err, "RISE_LISTEN chooses another address")
	_, err = refused(t, configload.Loader{LookupEnv: env(map[string]string{"RISE_LISTEN": "127.0.0.1:0", "RISE_REGISTRY_LISTEN": taken.Addr().String()})})
	require.ErrorContains(t, err, "embedded registry: listen tcp "+taken.Addr().String())
	require.ErrorContains(t, err, "RISE_REGISTRY_LISTEN chooses another address")
	_, err = refused(t, files(t, map[string]string{"development.yaml": strings.Replace(ociConfig("localhost:5000"), "127.0.0.1:0", taken.Addr().String(), 1)}))
	require.ErrorContains(t, err, "server.listen chooses another address")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := certificate(t, dir)
	s := start(t, files(t, map[string]string{"development.yaml": withTLS(dir)}))
	require.True(t, strings.HasPrefix(s.url, "https://"), s.url)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	status, body := get(t, client, s.url)
	require.Equal(t, http.StatusUnauthorized, status, body)
	resp, err := http.Get(strings.Replace(s.url, "https:", "http:", 1)) //nolint:noctx // plain HTTP on a TLS port
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// withTLS is a configuration with the certificate of a folder.
func withTLS(dir string) string {
	return strings.Replace(ociConfig("localhost:5000"), `{listen: "127.0.0.1:0"}`,
		fmt.Sprintf("{listen: '127.0.0.1:0', tls: {cert_file: %s/cert.pem, key_file: %s/key.pem}}", dir, dir), 1)
}

// certificate writes a self-signed certificate of 127.0.0.1 and returns who trusts it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), certPEM, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return pool
}

// A request in progress gets its answer when the server is told to stop.
func TestGracefulShutdown(t *testing.T) { //nolint:paralleltest // environment
	aws, loader, _ := ecrServer(t)
	s := start(t, loader)
	arrived, held := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	aws.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Times: 1, If: func(ecrtest.Call) bool { close(arrived); <-held; return false }})
	answered := make(chan int, 1)
	go func() {
		defer close(answered) // also when it fails
		status, _, _ := s.ask(t, ciToken, "project=hello")
		answered <- status
	}()
	select {
	case <-arrived:
	case status := <-answered:
		require.Fail(t, "answered without AWS", status)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // until it takes no more
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), server.CredentialsPath))
		if err != nil {
			require.NoError(t, ctx.Err())
			break
		}
		require.NoError(t, conn.Close())
	}
	release()
	require.Equal(t, http.StatusOK, <-answered)
	require.NoError(t, <-stopped)
}
