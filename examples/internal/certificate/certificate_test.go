package certificate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/certificate"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
)

// pair is a certificate with that number and its key, in PEM.
func pair(t *testing.T, number int64, begins, ends time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(number), NotBefore: begins, NotAfter: ends, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// What is no valid pair leaves what is served as it was, is said once, and counts as soon as it is one.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := config.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
		write := func(name string, text []byte) {
			t.Helper()
			require.NoError(t, os.WriteFile(name, text, 0o600))
			time.Sleep(2 * time.Second)
		}
		now := time.Now()
		cert1, key1 := pair(t, 1, now.Add(-time.Hour), now.Add(time.Hour))
		cert2, key2 := pair(t, 2, now.Add(-time.Hour), now.Add(2*time.Hour))
		expired, expiredKey := pair(t, 3, now.Add(-2*time.Hour), now.Add(-time.Hour))
		early, earlyKey := pair(t, 4, now.Add(30*time.Minute), now.Add(2*time.Hour))
		_, err := certificate.Open(files, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "cert_file: open ")
		write(files.CertFile, cert1)
		write(files.KeyFile, key2)
		_, err = certificate.Open(files, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "private key does not match public key")

		write(files.KeyFile, key1)
		var log bytes.Buffer
		s, err := certificate.Open(files, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		served := func(number int64, problem, said string) {
			t.Helper()
			for range 2 {
				c, err := s.Get(&tls.ClientHelloInfo{})
				require.NoError(t, err)
				require.Equal(t, number, c.Leaf.SerialNumber.Int64())
				ends, err := s.State()
				require.Equal(t, c.Leaf.NotAfter, ends)
				if problem == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, problem)
				}
				time.Sleep(3 * time.Second)
			}
			if said == "" {
				require.Empty(t, log.String())
			} else {
				require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")), log.String())
				require.Contains(t, log.String(), said)
				require.NotContains(t, log.String(), "PRIVATE")
			}
			log.Reset()
		}
		served(1, "", "")
		write(files.CertFile, cert2)
		served(1, "does not match", "does not match")
		write(files.KeyFile, key2)
		served(2, "", "read the certificate of server.tls again")
		write(files.KeyFile, nil)
		served(2, "cert_file and key_file", "cert_file and key_file")
		require.NoError(t, os.Remove(files.KeyFile))
		served(2, "key_file: open", "key_file: open")
		write(files.CertFile, expired)
		write(files.KeyFile, expiredKey)
		served(2, "has expired", "has expired")
		write(files.CertFile, early)
		write(files.KeyFile, earlyKey)
		served(2, "isn't valid yet", "isn't valid yet")
		time.Sleep(time.Hour) // by now it is
		served(4, "", "read the certificate of server.tls again")
		time.Sleep(time.Hour) // that one ends while it is served
		served(4, "has expired", "has expired")
	})
}

// A start with a certificate that has expired is the operator's to see, not one that fails.
func TestStartWithAnExpiredOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := config.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	cert, key := pair(t, 1, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	require.NoError(t, os.WriteFile(files.CertFile, cert, 0o600))
	require.NoError(t, os.WriteFile(files.KeyFile, key, 0o600))
	var log bytes.Buffer
	s, err := certificate.Open(files, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	require.Contains(t, log.String(), "the certificate has expired")
	c, err := s.Get(nil)
	require.NoError(t, err)
	require.NotNil(t, c)
}
