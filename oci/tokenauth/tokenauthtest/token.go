package tokenauthtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"time"
)

// signer signs tokens with a key whose certificate is its own authority.
type signer struct {
	key         *ecdsa.PrivateKey
	certificate []byte // DER
}

func newSigner() (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "token server's double"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return signer{key, der}, err
}

func (s signer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate})
}

// sign makes a JWT.
func (s signer) sign(claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(s.certificate)}})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// claims are those that the double's registry looks at.
type claims struct {
	Audience  any     `json:"aud"`
	Expires   float64 `json:"exp"`
	NotBefore float64 `json:"nbf"`
	Access    []struct {
		Type, Name string
		Actions    []string
	} `json:"access"`
}

// open verifies a token's signature and reads it.
func (s signer) open(token string) (c claims, ok bool) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		return c, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil || len(signature) != 64 {
		return c, false
	}
	sum := sha256.Sum256([]byte(token[:end]))
	if !ecdsa.Verify(&s.key.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return c, false
	}
	_, payload, _ := strings.Cut(token[:end], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	return c, err == nil && json.Unmarshal(text, &c) == nil
}
