package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// Whoever is in between may show a certificate that says anything, and is told to users: CI systems take lines for commands, and terminals more than that.
func TestNamesInCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"evil\n::stop-commands::x\r\x1b[2J", strings.Repeat("x", 10<<10)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	c, err := client.New("https://localhost:"+port, client.Fixed(provider.NewSecret(token)))
	require.NoError(t, err)
	_, err = get(t, c)
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "another name")
	for _, r := range err.Error() {
		require.True(t, unicode.IsPrint(r), "%q", err.Error())
	}
	require.Less(t, len(err.Error()), 1000)
	require.ErrorAs(t, err, new(x509.HostnameError))
}
