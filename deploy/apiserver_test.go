//go:build linux

package deploy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// apiServer is a real Kubernetes API server over a real etcd, asked over plain HTTP requests: a client library would bring 50 modules.
type apiServer struct {
	url, token, authority string
	client                *http.Client
}

func startAPIServer(t *testing.T) apiServer {
	t.Helper()
	etcd, program := realtest.Program(t, "etcd"), realtest.Program(t, "kube-apiserver")
	dir, address := t.TempDir(), realtest.FreeAddress(t)
	listen, peer := realtest.FreeAddress(t), "http://"+realtest.FreeAddress(t)
	realtest.Serve(t, listen, exec.Command(etcd, "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", "http://"+listen, "--advertise-client-urls", "http://"+listen,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync", "--log-level", "error"))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keyFile := write(t, filepath.Join(dir, "sa.key"), string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	s := apiServer{url: "https://" + address, token: "the-administrator-of-the-test", authority: filepath.Join(dir, "certs", "apiserver.crt")}
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	realtest.Serve(t, address, exec.Command(program, "--etcd-servers", "http://"+listen, "--bind-address", host, "--secure-port", port, "--cert-dir", filepath.Dir(s.authority),
		"--authorization-mode", "RBAC", "--token-auth-file", write(t, filepath.Join(dir, "tokens.csv"), s.token+",admin,admin,system:masters\n"),
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", keyFile, "--service-account-signing-key-file", keyFile,
		"--service-cluster-ip-range", "10.0.0.0/24", "--watch-cache=false", "--profiling=false", "--disable-admission-plugins", "ServiceAccount"))
	authority, err := os.ReadFile(s.authority)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	require.Eventually(t, func() bool {
		status, _, _ := s.ask(t, http.MethodGet, "/readyz", "")
		return status == http.StatusOK
	}, time.Minute, 100*time.Millisecond)
	return s
}

// ask sends an object in YAML and returns the answer's status, its warnings and its text.
func (s apiServer) ask(t *testing.T, method, path, object string) (status int, warnings []string, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, s.url+path, strings.NewReader(object))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/yaml")
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close() //nolint:errcheck // read
	var body bytes.Buffer
	_, err = io.Copy(&body, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header.Values("Warning"), body.String()
}
