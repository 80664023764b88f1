package keys

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
)

// PrivateKey returns the private key of a PEM block, nil if it holds none. Errors are the ends of sentences, and hold nothing of it.
func PrivateKey(block *pem.Block) (crypto.Signer, error) {
	private, err := parseKey(block)
	signer, _ := private.(crypto.Signer)
	return signer, err
}

// IDOf is the RFC 7638 thumbprint of a key that can sign tokens: as in grants, and [Ring.ID].
func IDOf(private crypto.Signer) (string, error) {
	k, err := checkKey(private)
	if err != nil {
		return "", err
	}
	return thumbprintOf(k)
}

// Certificates returns all certificates of a text in PEM, which may hold keys too. Errors are the ends of sentences.
func Certificates(text []byte) ([]*x509.Certificate, error) { return parseCertificates(text) }
