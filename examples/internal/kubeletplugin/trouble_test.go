package kubeletplugin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// served is an endpoint over TLS, whose certificate is valid from now on for this long, and the file of its authority.
func served(t *testing.T, from, to time.Duration, answer http.HandlerFunc) (url, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(answer)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return s.URL, caFile
}

// trouble is a row of README.md's table: what is wrong, and what the program then says.
type trouble struct {
	row  string
	url  func(t *testing.T) (url, caFile string)
	life time.Duration // of the pod's token
	says []string
}

func of(answer http.HandlerFunc) func(t *testing.T) (string, string) {
	return func(t *testing.T) (string, string) { t.Helper(); return endpoint(t, answer), "" }
}

func troubles() []trouble {
	date := func(off time.Duration) []string {
		return []string{"Date", time.Now().Add(off).UTC().Format(http.TimeFormat)}
	}
	return []trouble{
		{row: "endpoint down", url: func(t *testing.T) (string, string) {
			t.Helper()
			listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
			require.NoError(t, err)
			require.NoError(t, listener.Close())
			return "http://" + listener.Addr().String(), ""
		}, says: []string{"can't be reached", "the kubelet tries again by itself"}},
		{row: "endpoint slow", url: of(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), says: []string{"didn't answer in time", "the kubelet tries again by itself"}},
		{row: "401", url: of(refuses(http.StatusUnauthorized, "unauthenticated")), says: []string{
			"doesn't accept the token", `issuer "https://kubernetes.default.svc"`, `audience "` + audience + `"`, "auth.oidc", "serviceAccountTokenAudience",
		}},
		{row: "404", url: of(refuses(http.StatusNotFound, "not_found")), says: []string{"knows no such project", subject, "auth.oidc", "server.cluster_credentials"}},
		{row: "409", url: of(refuses(http.StatusConflict, "conflict")), says: []string{"doesn't give credentials for this project at present", "the kubelet tries again by itself"}},
		{row: "429", url: of(refuses(http.StatusTooManyRequests, "too_many_requests", "Retry-After", "3600")), says: []string{"has had too many requests", "the kubelet tries again by itself"}},
		{row: "503", url: of(refuses(http.StatusServiceUnavailable, "unavailable", "Retry-After", "3600")), says: []string{"is unavailable at present", "the kubelet tries again by itself"}},
		{row: "502", url: of(refuses(http.StatusBadGateway, "upstream_denied")), says: []string{"was refused by the registry", "the service's operator has to look at it"}},
		{row: "504", url: of(refuses(http.StatusGatewayTimeout, "timeout")), says: []string{"had no answer of the registry in time", "the kubelet tries again by itself"}},
		{row: "no endpoint there", url: of(says(http.StatusNotFound, "404 page not found")), says: []string{"has no credentials endpoint", "RISE_URL"}},
		{row: "another page there", url: of(says(http.StatusOK, "<html>log in</html>")), says: []string{"isn't a credential", "login page"}},
		{row: "a redirect", url: of(says(http.StatusFound, "", "Location", "https://login.example.com/")), says: []string{"redirects to", "where the token isn't sent", "RISE_URL"}},
		{row: "TLS untrusted", url: func(t *testing.T) (string, string) {
			t.Helper()
			url, _ := served(t, -time.Hour, time.Hour, refuses(http.StatusTeapot, ""))
			return url, ""
		}, says: []string{"has a certificate of an authority that isn't trusted here", "RISE_CA_FILE"}},
		{row: "clock behind, or a certificate from the future", url: func(t *testing.T) (string, string) {
			t.Helper()
			return served(t, time.Hour, 2*time.Hour, refuses(http.StatusTeapot, ""))
		}, says: []string{"isn't valid yet, by this machine's clock", "check this machine's date and time"}},
		{row: "clock ahead, or an expired certificate", url: func(t *testing.T) (string, string) {
			t.Helper()
			return served(t, -2*time.Hour, -time.Hour, refuses(http.StatusTeapot, ""))
		}, says: []string{"a certificate that has expired", "check this machine's date and time"}},
		{row: "clock ahead of the token's end", url: of(refuses(http.StatusUnauthorized, "unauthenticated", date(-2*time.Hour)...)), life: -time.Hour, says: []string{
			"doesn't accept the token", "ahead of the service's: set it right", "which this node's clock says is over",
		}},
		{row: "clock ahead of the credential's end", url: of(says(http.StatusOK, strings.Replace(response("registry.example.com/rise-apps/hello", -time.Hour), `"expires_in":-3600`, `"expires_in":3600`, 1), date(-2*time.Hour)...)), says: []string{
			"answered with a credential that expired", "ahead of the service's: set it right",
		}},
		{row: "another namespace than the service's", url: of(says(http.StatusOK, response("registry.example.com/apps/hello", time.Hour))), says: []string{
			"registry.example.com/apps/hello", "registry.example.com/rise-apps/hello", "RISE_NAMESPACE",
		}},
		{row: "another registry than the service's", url: of(says(http.StatusOK, response("registry.example.com:5000/rise-apps/hello", time.Hour))), says: []string{
			`answered for the registry "registry.example.com:5000"`,
		}},
		{row: "another project's credential", url: of(says(http.StatusOK, strings.Replace(response("registry.example.com/rise-apps/other", time.Hour), `"repository":"hello"`, `"repository":"other"`, 1))), says: []string{
			"answered for another project", "don't use it",
		}},
		{row: "a registry without a login", url: of(says(http.StatusOK, `{"credentials":{"registry_url":"registry.example.com/rise-apps/hello","username":"","password":"","auth_method":"login_credentials"},"repository":"hello"}`)), says: []string{
			"no user name and password",
		}},
		{row: "a registry with bearer tokens alone", url: of(says(http.StatusOK, strings.NewReplacer(`"rise"`, `""`, "login_credentials", "registry_token").Replace(response("registry.example.com/rise-apps/hello", time.Hour)))), says: []string{
			"no user name and password",
		}},
	}
}

// What the program says when something is wrong, it says on standard error alone, without a secret; README.md has it too.
func TestTrouble(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../kubelet-credential-rise/README.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "\n| what is wrong | it says | and does |\n|---|---|---|\n")
	require.True(t, found)
	require.Equal(t, len(troubles()), strings.Count(table, "\n"), "each row happens here")
	for _, tt := range troubles() {
		t.Run(tt.row, func(t *testing.T) {
			t.Parallel()
			url, caFile := tt.url(t)
			life := tt.life
			if life == 0 {
				life = time.Hour
			}
			token := podToken(t, life)
			env := map[string]string{
				"RISE_URL": url, "RISE_REGISTRY": "registry.example.com", "RISE_NAMESPACE": "rise-apps", "RISE_TIMEOUT": "1s", "RISE_CA_FILE": caFile,
			}
			out := run(t, env, request(t, "registry.example.com/rise-apps/hello", token))
			require.Equal(t, 1, out.code, out.stderr)
			require.Empty(t, out.stdout)
			require.Equal(t, 1, strings.Count(out.stderr, "\n"), "one line: %s", out.stderr)
			require.True(t, strings.HasPrefix(out.stderr, "kubelet-credential-rise: "))
			require.Contains(t, out.stderr, "project hello")
			for _, text := range tt.says {
				require.Contains(t, out.stderr, text)
			}
			for _, secret := range []string{token, token[strings.LastIndexByte(token, '.')+1:], password} {
				require.NotContains(t, out.stderr, secret)
			}
			require.Contains(t, table, fmt.Sprintf("| %s | %s", tt.row, tt.says[0]), "README.md's table")
			t.Log(out.stderr)
		})
	}
}

// An upstream that sends secrets back is quoted without them.
func TestTroubleTellsNoSecret(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 401, 404, 409, 500, 503, 599} {
		url := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			says(status, fmt.Sprintf(`{"error":"bad token %s","code":"x","credentials":%q,"repository":%q}`, token, token, token), "X-Token", token, "Content-Type", "text/"+token)(w, r)
		})
		token := podToken(t, time.Hour)
		out := run(t, nil, request(t, "registry.example.com/hello", token), "--url", url, "--registry", "registry.example.com", "--timeout", "1s")
		require.Equal(t, 1, out.code)
		require.Empty(t, out.stdout)
		require.NotContains(t, out.stderr, token)
		require.NotContains(t, out.stderr, token[strings.LastIndexByte(token, '.')+1:])
	}
}
