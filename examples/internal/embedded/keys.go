package embedded

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

// keysLive is longer than a process whose images are in memory does.
const keysLive = 5 * 365 * 24 * time.Hour

// Keys are a signing key and its certificate, which are nowhere but in memory.
type Keys struct {
	keyPEM, certificatePEM []byte
	public                 crypto.PublicKey
}

// NewKeys makes them, with an authority of which nothing is kept.
func NewKeys() (Keys, error) {
	authority, err := tokenkeys.NewAuthority()
	if err != nil {
		return Keys{}, err
	}
	key, certificate, err := authority.NewSigningKey(keysLive)
	if err != nil {
		return Keys{}, err
	}
	block, _ := pem.Decode(certificate)
	if block == nil {
		return Keys{}, errors.New("the certificate isn't PEM")
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Keys{}, err
	}
	return Keys{key, certificate, parsed.PublicKey}, nil
}

// Option has a token issuer sign with them.
func (k Keys) Option() tokenissuer.Option { return tokenissuer.WithKeys(k.keyPEM, k.certificatePEM) }
