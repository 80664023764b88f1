// Package tokenkeys makes what type oci-token-issuer signs with: a certificate authority, and signing keys below it. All of it is P-256.
//
//	authority, err := tokenkeys.NewAuthority()
//	...
//	key, certificate, err := authority.NewSigningKey(365 * 24 * time.Hour)
//
// [Dir] keeps both in a directory, and replaces signing keys without an interruption.
//
// The registry is given the authority's certificate (auth.token.rootcertbundle of distribution's registry), the service the key and its
// certificate. A registry takes tokens that are signed with any certificate of the authority's, whatever it is for: so it signs nothing
// else, and its own key, which is needed for the next signing key only, is kept away from the service's machine.
package tokenkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
)

const (
	// authorityLife is how long an authority lives: putting another one into a registry takes a restart.
	authorityLife = 10 * 365 * 24 * time.Hour
	// backdated is how far a certificate's beginning is before now: registries, whose clocks may be late, give no leeway on it.
	backdated = time.Hour
)

// Authority is a certificate authority for signing keys. Make it with [NewAuthority] or [ParseAuthority]. It prints without its key, and is safe for
// concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         func() crypto.Signer // printers walk fields
}

// NewAuthority makes an authority that lives for ten years.
func NewAuthority() (*Authority, error) {
	key, err := generate()
	if err != nil {
		return nil, err
	}
	return authorityOf(key)
}

// ParseAuthority reads an authority's certificate and its key, as [Authority.CertificatePEM] and [Authority.KeyPEM] write them. Errors hold
// nothing of either.
func ParseAuthority(certificatePEM, keyPEM []byte) (*Authority, error) {
	certificate, err := parseAuthorityCertificate(certificatePEM)
	if err != nil {
		return nil, fmt.Errorf("the authority's certificate %w", err)
	}
	key, err := parseAuthorityKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("the authority's key %w", err)
	}
	if !isOf(certificate, key) {
		return nil, errors.New("the authority's key isn't the one of its certificate")
	}
	return &Authority{certificate: certificate, key: func() crypto.Signer { return key }}, nil
}

func parseAuthorityCertificate(text []byte) (*x509.Certificate, error) {
	all, err := keys.Certificates(text)
	switch {
	case err != nil:
		return nil, err
	case len(all) > 1:
		return nil, errors.New("has another one beside it")
	case !all[0].IsCA:
		return nil, errors.New("is no authority's")
	}
	return all[0], nil
}

func parseAuthorityKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("isn't in PEM")
	}
	key, err := keys.PrivateKey(block)
	if err == nil && key == nil {
		err = errors.New("is no private key in PEM")
	}
	return key, err
}

// isOf reports whether a certificate is the key's.
func isOf(c *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && public.Equal(c.PublicKey)
}

// authorityOf makes the certificate of an authority whose key there is.
func authorityOf(key crypto.Signer) (*Authority, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "rise token authority"},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	certificate, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return &Authority{certificate: certificate, key: func() crypto.Signer { return key }}, nil
}

// CertificatePEM is what registries are given.
func (a *Authority) CertificatePEM() []byte { return certificatePEM(a.certificate) }

// KeyPEM is the authority's own key, a secret.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key()) }

// NewSigningKey makes a key, a secret, with a certificate for life, which has to be positive, but no longer than the authority's own. Both
// are what the configuration's signing_key_file and signing_cert_file hold.
func (a *Authority) NewSigningKey(life time.Duration) (key, certificate []byte, err error) {
	private, err := generate()
	if err != nil {
		return nil, nil, err
	}
	signed, err := a.certify(private, life)
	if err != nil {
		return nil, nil, fmt.Errorf("make signing key: %w", err)
	}
	if key, err = keyPEM(private); err != nil {
		return nil, nil, err
	}
	return key, certificatePEM(signed), nil
}

// certify makes the certificate of a signing key.
func (a *Authority) certify(private crypto.Signer, life time.Duration) (*x509.Certificate, error) {
	if life <= 0 {
		return nil, errors.New("its life must be positive")
	}
	now := time.Now()
	end := now.Add(life)
	if end.After(a.certificate.NotAfter) {
		end = a.certificate.NotAfter
	}
	if !end.After(now) {
		return nil, errors.New("the authority's certificate has expired")
	}
	return sign(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "rise token signing key"},
		NotBefore: now.Add(-backdated), NotAfter: end, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.certificate, private, a.key())
}

func generate() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// serial is random: two keys that were made in one second differ.
func serial() *big.Int {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:]) // it never fails
	bytes[0] &= 0x7f           // RFC 5280, section 4.1.2.2: positive, at most 20 bytes
	return new(big.Int).SetBytes(bytes[:])
}

func sign(template, parent *x509.Certificate, of, by crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of.Public(), by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
