package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

const (
	minRSA  = 2048
	maxKeys = 16
)

// key is one private key and how it signs.
type key struct {
	private   crypto.Signer
	algorithm jose.SignatureAlgorithm
}

// parseKeys reads all private keys of a file, which may hold certificates too. Errors hold nothing of it.
func parseKeys(text []byte) ([]key, error) {
	var keys []key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		private, err := parseKey(block)
		if err != nil {
			return nil, err
		}
		if private == nil {
			continue
		}
		k, err := checkKey(private)
		if err != nil {
			return nil, err
		}
		if keys = append(keys, k); len(keys) > maxKeys {
			return nil, fmt.Errorf("holds more than %d keys", maxKeys)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no private key in PEM")
	}
	return keys, nil
}

// parseKey returns nil for a block that is no key.
func parseKey(block *pem.Block) (private any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("holds an encrypted key: it has to be in the clear, readable by the service alone")
	}
	switch {
	case err != nil && block.Headers["DEK-Info"] != "":
		return nil, errors.New("holds an encrypted key: it has to be in the clear, readable by the service alone")
	case err != nil: // its text isn't passed on
		return nil, errors.New("holds a key that can't be read")
	}
	return private, nil
}

func checkKey(private any) (key, error) {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return key{k, jose.ES256}, nil
		}
	case *rsa.PrivateKey:
		if k.N.BitLen() >= minRSA {
			return key{k, jose.RS256}, nil
		}
	}
	return key{}, fmt.Errorf("holds a key that registries don't take: it has to be ECDSA on P-256, or RSA of at least %d bits", minRSA)
}

// parseCertificates reads all certificates of a file, which may hold keys too.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("holds a certificate that can't be read")
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("holds no certificate in PEM")
	}
	return all, nil
}
