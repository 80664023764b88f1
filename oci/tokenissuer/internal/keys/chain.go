package keys

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"time"
)

// maxChain bounds a chain, in bytes: it is in each registry token, base64 twice over, and a proxy's limit for a header is often 8 KiB.
const maxChain = 2048

// chain is a signing certificate and those that lead to its authority, as far as they are there. The authority's own isn't part of it,
// unless it signs itself.
type chain struct {
	certificates []*x509.Certificate
	begins, ends time.Time // of all, the authority's included where it is there
}

// chainOf finds the chain of the first of all.
func chainOf(all []*x509.Certificate) (chain, error) {
	last := all[0]
	c := chain{certificates: []*x509.Certificate{last}, begins: last.NotBefore, ends: last.NotAfter}
	for !selfIssued(last) {
		i := slices.IndexFunc(all, func(parent *x509.Certificate) bool {
			return bytes.Equal(parent.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(parent) == nil
		})
		if i < 0 || slices.Contains(c.certificates, all[i]) {
			break
		}
		last = all[i]
		if last.NotBefore.After(c.begins) {
			c.begins = last.NotBefore
		}
		if last.NotAfter.Before(c.ends) {
			c.ends = last.NotAfter
		}
		if !selfIssued(last) {
			c.certificates = append(c.certificates, last)
		}
	}
	size := 0
	for _, one := range c.certificates {
		size += len(one.Raw)
	}
	if size > maxChain {
		return chain{}, fmt.Errorf("holds a chain of %d bytes, of at most %d: each token carries it; use P-256, and no authorities in between", size, maxChain)
	}
	return c, nil
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// x5c is the header (RFC 7515, section 4.1.6).
func (c chain) x5c() []string {
	var texts []string
	for _, one := range c.certificates {
		texts = append(texts, base64.StdEncoding.EncodeToString(one.Raw))
	}
	return texts
}

// warnings are what works, and shouldn't be so, as the ends of sentences.
func (c chain) warnings() []string {
	var found []string
	leaf := c.certificates[0]
	if len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.URIs)+len(leaf.EmailAddresses) > 0 {
		found = append(found, "has names or addresses, as a server's certificate has")
	}
	if slices.ContainsFunc(leaf.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny
	}) {
		found = append(found, "is good for TLS")
	}
	if leaf.IsCA {
		found = append(found, "is an authority itself, whose key can make more signing certificates")
	}
	intermediates := x509.NewCertPool()
	for _, one := range c.certificates[1:] {
		intermediates.AddCert(one)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		found = append(found, "is below an authority that this machine's system trusts, of which others have certificates too")
	}
	return found
}
