package tokenkeys_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

func parse(t *testing.T, certificate []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(certificate)
	require.NotNil(t, block)
	require.Empty(t, rest)
	c, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return c
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := tokenkeys.NewAuthority()
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(a.CertificatePEM()))
		authority := parse(t, a.CertificatePEM())
		require.True(t, authority.IsCA)

		key, certificate, err := a.NewSigningKey(24 * time.Hour)
		require.NoError(t, err)
		_, err = tls.X509KeyPair(certificate, key)
		require.NoError(t, err, "they belong together")
		c := parse(t, certificate)
		_, err = c.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		require.NoError(t, err)
		require.False(t, c.IsCA)
		require.Empty(t, c.DNSNames)
		require.Empty(t, c.ExtKeyUsage, "it is no TLS certificate")
		require.Equal(t, time.Now().Add(24*time.Hour).Unix(), c.NotAfter.Unix())
		require.Equal(t, time.Now().Add(-time.Hour).Unix(), c.NotBefore.Unix())

		_, another, err := a.NewSigningKey(100 * 365 * 24 * time.Hour)
		require.NoError(t, err)
		require.Equal(t, authority.NotAfter, parse(t, another).NotAfter, "no longer than the authority")
		require.NotEqual(t, c.SerialNumber, parse(t, another).SerialNumber)
		_, _, err = a.NewSigningKey(0)
		require.Error(t, err)

		own, err := a.KeyPEM()
		require.NoError(t, err)
		_, err = tls.X509KeyPair(a.CertificatePEM(), own)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%+v %#v", a, *a), "D:", "the key doesn't print")
	})
}
