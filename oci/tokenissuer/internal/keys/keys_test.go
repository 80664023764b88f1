package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

const service = "registry.example.com"

func pair(t *testing.T) (key, certificate, authority []byte) {
	t.Helper()
	a, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err = a.NewSigningKey(365 * 24 * time.Hour)
	require.NoError(t, err)
	return key, certificate, a.CertificatePEM()
}

// certify makes a certificate of its own, signed by parent or itself.
func certify(t *testing.T, private crypto.Signer, change func(*x509.Certificate), parent *x509.Certificate, by crypto.Signer) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	if parent == nil {
		parent, by = c, private
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, private.Public(), by)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return parsed
}

func encode(t *testing.T, typ string, der []byte) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

func encodeKey(t *testing.T, private any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return encode(t, "PRIVATE KEY", der)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestParseRefusals(t *testing.T) {
	t.Parallel()
	key, certificate, authority := pair(t)
	otherKey, _, _ := pair(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	late := certify(t, p256, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, nil, nil)
	ended := certify(t, p256, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, nil, nil)
	long := certify(t, p256, func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("x", 3000) }, nil, nil)
	var many []byte
	for range 17 {
		many = append(many, key...)
	}
	for name, test := range map[string]struct {
		key, certificate []byte
		want             string
	}{
		"nothing":             {nil, nil, "the key file holds no private key in PEM"},
		"no key":              {certificate, certificate, "the key file holds no private key in PEM"},
		"no certificate":      {key, key, "the certificate file holds no certificate in PEM"},
		"another key":         {otherKey, certificate, "the certificate file begins with a certificate of none of the keys"},
		"authority first":     {key, join(authority, certificate), "the certificate file begins with a certificate of none of the keys: the signing key's has to come first, before its authorities'"},
		"P-384":               {encodeKey(t, p384), certificate, "the key file holds a key that registries don't take: it has to be ECDSA on P-256, or RSA of at least 2048 bits"},
		"RSA 1024":            {encodeKey(t, weak), certificate, "the key file holds a key that registries don't take: it has to be ECDSA on P-256, or RSA of at least 2048 bits"},
		"garbage key":         {encode(t, "PRIVATE KEY", []byte("x")), certificate, "the key file holds a key that can't be read"},
		"garbage certificate": {key, encode(t, "CERTIFICATE", []byte("x")), "the certificate file holds a certificate that can't be read"},
		"encrypted":           {encode(t, "ENCRYPTED PRIVATE KEY", []byte("x")), certificate, "the key file holds an encrypted key: it has to be in the clear, readable by the service alone"},
		"encrypted, old form": {
			pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,0"}, Bytes: []byte("x")}), certificate,
			"the key file holds an encrypted key: it has to be in the clear, readable by the service alone",
		},
		"not yet":       {encodeKey(t, p256), encode(t, "CERTIFICATE", late.Raw), "the certificate file has a certificate that isn't valid yet: is this machine's clock right?"},
		"ended":         {encodeKey(t, p256), encode(t, "CERTIFICATE", ended.Raw), "the certificate file has a certificate that has expired"},
		"too long":      {encodeKey(t, p256), encode(t, "CERTIFICATE", long.Raw), "the certificate file holds a chain of"},
		"too many keys": {many, certificate, "the key file holds more than 16 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := keys.Parse(test.key, test.certificate, service, time.Now())
			require.ErrorContains(t, err, test.want)
			require.ErrorAs(t, err, new(*keys.FileError))
		})
	}
}

// Each form of key that openssl and others write, and both in one file.
func TestParseForms(t *testing.T) {
	t.Parallel()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	require.NoError(t, err)
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecCertificate := encode(t, "CERTIFICATE", certify(t, p256, nil, nil, nil).Raw)
	rsaCertificate := encode(t, "CERTIFICATE", certify(t, rsa2048, nil, nil, nil).Raw)
	for name, test := range map[string]struct {
		key, certificate []byte
		algorithm        string
	}{
		"PKCS #8":       {encodeKey(t, p256), ecCertificate, "ES256"},
		"SEC 1":         {join(encode(t, "EC PARAMETERS", []byte{6, 8}), encode(t, "EC PRIVATE KEY", sec1)), ecCertificate, "ES256"},
		"PKCS #1":       {encode(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048)), rsaCertificate, "RS256"},
		"RSA, PKCS #8":  {encodeKey(t, rsa2048), rsaCertificate, "RS256"},
		"one file":      {join(ecCertificate, encodeKey(t, p256)), join(ecCertificate, encodeKey(t, p256)), "ES256"},
		"two keys":      {join(encodeKey(t, rsa2048), encodeKey(t, p256)), join(ecCertificate, rsaCertificate), "ES256"},
		"another first": {join(encodeKey(t, rsa2048), encodeKey(t, p256)), join(rsaCertificate, ecCertificate), "RS256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := keys.Parse(test.key, test.certificate, service, time.Now())
			require.NoError(t, err)
			token, err := r.SignToken([]byte(`{"a":1}`))
			require.NoError(t, err)
			var header map[string]any
			decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(decoded, &header))
			first, _ := pem.Decode(test.certificate)
			require.Equal(t, map[string]any{"alg": test.algorithm, "typ": "JWT", "x5c": []any{base64.StdEncoding.EncodeToString(first.Bytes)}}, header)
		})
	}
}

// The chain is what leads to the authority, in order, without what signs itself.
func TestChain(t *testing.T) {
	t.Parallel()
	var privates []*ecdsa.PrivateKey
	for range 4 {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		privates = append(privates, k)
	}
	named := func(name string, ends time.Duration, authority bool) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.Subject.CommonName, c.NotAfter, c.IsCA, c.KeyUsage = name, time.Now().Add(ends), authority, x509.KeyUsageCertSign
		}
	}
	root := certify(t, privates[0], named("root", 50*time.Minute, true), nil, nil)
	between := certify(t, privates[1], named("between", 30*time.Minute, true), root, privates[0])
	leaf := certify(t, privates[2], named("leaf", 40*time.Minute, false), between, privates[1])
	other := certify(t, privates[3], named("other", time.Minute, false), root, privates[0])
	var file []byte
	for _, c := range []*x509.Certificate{leaf, other, root, between} {
		file = append(file, encode(t, "CERTIFICATE", c.Raw)...)
	}
	r, err := keys.Parse(encodeKey(t, privates[2]), file, service, time.Now())
	require.NoError(t, err)
	require.Equal(t, between.NotAfter, r.Ends(), "the first to end of the chain, and of it alone")
	token, err := r.SignToken([]byte("{}"))
	require.NoError(t, err)
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	chains, err := signed.Signatures[0].Protected.Certificates(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	require.NoError(t, err)
	require.Equal(t, []*x509.Certificate{leaf, between, root}, chains[0])
}

// What diagnosis shows registries differs from what they take in one thing.
func TestRingsForDiagnosis(t *testing.T) {
	t.Parallel()
	root, middle, leaf := newPrivate(t), newPrivate(t), newPrivate(t)
	authority := func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }
	rootCertificate := certify(t, root, func(c *x509.Certificate) { authority(c); c.Subject.CommonName = "root" }, nil, nil)
	middleCertificate := certify(t, middle, func(c *x509.Certificate) { authority(c); c.Subject.CommonName = "middle" }, rootCertificate, root)
	leafCertificate := certify(t, leaf, func(c *x509.Certificate) { c.Subject.CommonName = "leaf" }, middleCertificate, middle)
	r, err := keys.Parse(encodeKey(t, leaf), join(encode(t, "CERTIFICATE", leafCertificate.Raw), encode(t, "CERTIFICATE", middleCertificate.Raw)), service, time.Now())
	require.NoError(t, err)
	name, keyID := r.Authority()
	require.Equal(t, "CN=root", name)
	require.Equal(t, hex.EncodeToString(rootCertificate.SubjectKeyId), keyID)

	takes := func(r *keys.Ring, bundle *x509.Certificate) bool {
		token, err := r.SignToken([]byte("{}"))
		require.NoError(t, err)
		signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
		require.NoError(t, err)
		roots := x509.NewCertPool()
		roots.AddCert(bundle)
		chains, err := signed.Signatures[0].Protected.Certificates(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return false
		}
		_, err = signed.Verify(chains[0][0].PublicKey)
		return err == nil
	}
	short, ok := r.Short()
	require.True(t, ok)
	stranger, err := r.Stranger(time.Now())
	require.NoError(t, err)
	for name, test := range map[string]struct {
		ring         *keys.Ring
		root, middle bool
	}{"its own": {r, true, true}, "short": {short, false, true}, "a stranger's": {stranger, false, false}} {
		require.Equal(t, test.root, takes(test.ring, rootCertificate), name)
		require.Equal(t, test.middle, takes(test.ring, middleCertificate), name)
	}
	require.NotEqual(t, r.ID(), stranger.ID())

	key, certificate, _ := pair(t)
	r, err = keys.Parse(key, certificate, service, time.Now())
	require.NoError(t, err)
	_, ok = r.Short()
	require.False(t, ok, "there is nothing to leave out")
}

func newPrivate(t *testing.T) crypto.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return private
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		change func(*x509.Certificate)
		want   []string
	}{
		"none":    {nil, nil},
		"name":    {func(c *x509.Certificate) { c.DNSNames = []string{"printer.example.com"} }, []string{"has names or addresses, as a server's certificate has"}},
		"address": {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }, []string{"has names or addresses, as a server's certificate has"}},
		"TLS":     {func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, []string{"is good for TLS"}},
		"CA":      {func(c *x509.Certificate) { c.IsCA = true }, []string{"is an authority itself, whose key can make more signing certificates"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := keys.Parse(encodeKey(t, k), encode(t, "CERTIFICATE", certify(t, k, test.change, nil, nil).Raw), service, time.Now())
			require.NoError(t, err)
			require.Equal(t, test.want, r.Warnings())
		})
	}
}

// A grant is made as the documentation says, so that another implementation of it makes the same.
func TestGrantKey(t *testing.T) {
	t.Parallel()
	key, certificate, _ := pair(t)
	r, err := keys.Parse(key, certificate, service, time.Now())
	require.NoError(t, err)
	grant, err := r.SignGrant([]byte(`{"a":1}`))
	require.NoError(t, err)
	require.True(t, keys.IsGrant(grant))
	claims, err := r.VerifyGrant(grant)
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(claims))

	block, _ := pem.Decode(key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	public, err := private.(*ecdsa.PrivateKey).PublicKey.Bytes()
	require.NoError(t, err)
	encodeURL := base64.RawURLEncoding.EncodeToString
	thumbprint := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, encodeURL(public[1:33]), encodeURL(public[33:])))
	require.Equal(t, encodeURL(thumbprint[:]), r.ID())
	secret, err := hkdf.Key(sha256.New, block.Bytes, nil, "rise-registry-go grant v1 registry.example.com", 32)
	require.NoError(t, err)
	parts := strings.Split(grant, ".")
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	require.Equal(t, encodeURL(mac.Sum(nil)), parts[2])
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"alg":"HS256","typ":"rise-grant+jwt","kid":"`+r.ID()+`"}`, string(header))

	other, err := keys.Parse(key, certificate, "another.example.com", time.Now())
	require.NoError(t, err)
	_, err = other.VerifyGrant(grant)
	require.ErrorIs(t, err, keys.ErrForged, "another service's")
	unrelated, unrelatedCertificate, _ := pair(t)
	another, err := keys.Parse(unrelated, unrelatedCertificate, service, time.Now())
	require.NoError(t, err)
	_, err = another.VerifyGrant(grant)
	require.ErrorIs(t, err, keys.ErrUnknownKey)
}

func TestIsGrant(t *testing.T) {
	t.Parallel()
	header := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) + ".e30.x" }
	for password, want := range map[string]bool{
		header(`{"typ":"rise-grant+jwt"}`):                    true,
		header(`{"alg":"none","typ":"rise-grant+jwt"}`):       true,
		header(`{"typ":"RISE-Grant+JWT"}`):                    true,
		header(`{"typ":"application/rise-grant+jwt"}`):        true,
		" " + header(`{"typ":"rise-grant+jwt"}`):              true,
		header(`{"typ":"rise-grant+jwt"}`) + ".more":          true,
		header(`{"typ":"JWT"}`):                               false,
		header(`{}`):                                          false,
		header(`["rise-grant+jwt"]`):                          false,
		header(`{"alg":"rise-grant+jwt","cty":"rise-grant"}`): false,
		"rise-dev-token":                                      false,
		"a.b.c":                                               false,
		"":                                                    false,
		"..":                                                  false,
		strings.TrimSuffix(header(`{"typ":"rise-grant+jwt"}`), ".e30.x"): false,
	} {
		require.Equal(t, want, keys.IsGrant(password), password)
	}
}

// Nothing that prints a ring shows a key.
func TestRingPrintsNoSecret(t *testing.T) {
	t.Parallel()
	key, certificate, _ := pair(t)
	r, err := keys.Parse(key, certificate, service, time.Now())
	require.NoError(t, err)
	block, _ := pem.Decode(key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	secret := private.(*ecdsa.PrivateKey).D.String() //nolint:staticcheck // as %v prints it
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, *r), secret)
	}
}
