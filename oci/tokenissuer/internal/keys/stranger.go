package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Stranger returns a ring with a key that was just made and is nobody's, and a certificate that looks like r's but is signed by itself: what
// it signs, nobody may take.
func (r *Ring) Stranger(now time.Time) (*Ring, error) {
	errMake := errors.New("no key can be made")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errMake
	}
	like := r.chain.certificates[0]
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.Unix()), RawSubject: like.RawSubject, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		BasicConstraintsValid: true, KeyUsage: like.KeyUsage,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, errMake
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errMake
	}
	c, err := chainOf([]*x509.Certificate{certificate})
	if err != nil {
		return nil, errMake
	}
	return newRing([]key{{private, jose.ES256}}, 0, c, "")
}
