package tokenkeys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
)

// entry is a key of a file, and its certificate if it has one.
type entry struct {
	private        func() crypto.Signer // printers walk fields
	id             string
	made, replaced time.Time
	certificate    *x509.Certificate
}

func newEntry(private crypto.Signer) (entry, error) {
	id, err := keys.IDOf(private)
	return entry{private: func() crypto.Signer { return private }, id: id}, err
}

// set is what both files hold: the first certificate's key signs, those of the others wait for that, and keys without one are replaced.
type set struct {
	signing  entry
	waiting  []entry
	replaced []entry
	others   []*x509.Certificate // of authorities
	dropped  []string            // ids of keys that are in it no longer
}

// The lines above a key that say what its certificate doesn't.
const madeLine, replacedLine = "made", "replaced"

var timeLine = regexp.MustCompile(`(?m)^# (` + madeLine + `|` + replacedLine + `) (\S+)\r?$`)

// parseEntries reads a file of keys, last changed at that time: what isn't said counts from then, which is never too early. Errors are the
// ends of sentences.
func parseEntries(text []byte, changed time.Time) ([]entry, error) {
	var entries []entry
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(text) {
		above, _, _ := bytes.Cut(text[:len(text)-len(rest)], []byte("-----BEGIN"))
		text = rest
		private, err := keys.PrivateKey(block)
		if err != nil {
			return nil, err
		}
		if private == nil {
			continue
		}
		e, err := newEntry(private)
		if err != nil {
			return nil, err
		}
		e.made, e.replaced = changed, changed
		for _, line := range timeLine.FindAllSubmatch(above, -1) {
			if t, err := time.Parse(time.RFC3339, string(line[2])); err == nil && string(line[1]) == madeLine {
				e.made = t
			} else if err == nil {
				e.replaced = t
			}
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil, errors.New("holds no private key in PEM")
	}
	return entries, nil
}

// parseSet reads both files. Errors are sentences.
func parseSet(keyText, certificateText []byte, changed time.Time) (*set, error) {
	entries, err := parseEntries(keyText, changed)
	if err != nil {
		return nil, fmt.Errorf("%s %w", signingKeyName, err)
	}
	certificates, err := keys.Certificates(certificateText)
	if err != nil {
		return nil, fmt.Errorf("%s %w", signingCertName, err)
	}
	s := &set{}
	for i, c := range certificates {
		of := slices.IndexFunc(entries, func(e entry) bool { return isOf(c, e.private()) })
		switch {
		case of >= 0 && entries[of].certificate != nil: // a second one of the same key
			continue
		case of < 0 && i == 0:
			return nil, fmt.Errorf("%s begins with a certificate of another key: none of those in %s", signingCertName, signingKeyName)
		case of < 0 && !c.IsCA:
			return nil, fmt.Errorf("%s holds a certificate of a key that isn't in %s", signingCertName, signingKeyName)
		case of < 0:
			s.others = append(s.others, c)
			continue
		}
		entries[of].certificate, entries[of].replaced = c, time.Time{}
		if i == 0 {
			s.signing = entries[of]
		} else {
			s.waiting = append(s.waiting, entries[of])
		}
	}
	for _, e := range entries {
		if e.certificate == nil {
			s.replaced = append(s.replaced, e)
		}
	}
	return s, nil
}

// keyFile is the file of keys, the signing one first, where programs that know of one key alone look for it.
func (s *set) keyFile() ([]byte, error) {
	var text []byte
	for _, e := range slices.Concat([]entry{s.signing}, s.waiting, s.replaced) {
		key, err := keyPEM(e.private())
		if err != nil {
			return nil, err
		}
		text = append(text, timeText(madeLine, e.made)...)
		if !e.replaced.IsZero() {
			text = append(text, timeText(replacedLine, e.replaced)...)
		}
		text = append(text, key...)
	}
	return text, nil
}

func timeText(what string, t time.Time) string {
	return "# " + what + " " + written(t) + "\n"
}

// certificateFile is the file of certificates, the signing key's first.
func (s *set) certificateFile() []byte {
	text := certificatePEM(s.signing.certificate)
	for _, e := range s.waiting {
		text = append(text, certificatePEM(e.certificate)...)
	}
	for _, c := range s.others {
		text = append(text, certificatePEM(c)...)
	}
	return text
}

// check reports what keeps a registry that has the authority's certificate, or the service, from taking what is signed, but for the end of
// the signing certificate. Errors are sentences.
func (s *set) check(authority *x509.Certificate, now time.Time) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(authority)
	for _, c := range s.others {
		intermediates.AddCert(c)
	}
	for _, e := range append([]entry{s.signing}, s.waiting...) {
		if now.Before(e.certificate.NotBefore) {
			return fmt.Errorf("%s has a certificate that isn't valid yet, but from %s: is this machine's clock right?", signingCertName, written(e.certificate.NotBefore))
		}
		at := now
		if now.After(e.certificate.NotAfter) {
			at = e.certificate.NotAfter
		}
		_, err := e.certificate.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		invalid := x509.CertificateInvalidError{}
		switch {
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			return fmt.Errorf("%s or an authority's certificate below it has expired (%s): a new authority is needed, made in another directory", authorityCertName, written(authority.NotAfter))
		case err != nil:
			return fmt.Errorf("%s has a certificate that isn't below %s, so no registry that has this one takes what it signs", signingCertName, authorityCertName)
		}
	}
	key, err := s.keyFile()
	if err != nil {
		return err
	}
	at := now
	if !now.Before(s.signing.certificate.NotAfter) {
		at = s.signing.certificate.NotAfter.Add(-time.Nanosecond)
	}
	if _, err = keys.Parse(key, s.certificateFile(), "", at); err != nil {
		return fmt.Errorf("the service wouldn't take them: %w", err)
	}
	return nil
}

// lasts reports whether the signing certificate does.
func (s *set) lasts(now time.Time) error {
	if end := s.signing.certificate.NotAfter; !now.Before(end) {
		return fmt.Errorf("%w: %s, on %s", ErrExpired, signingCertName, written(end))
	}
	return nil
}

// add puts a new key behind the signing one.
func (s *set) add(a *Authority, life time.Duration, now time.Time) error {
	for _, e := range s.waiting {
		if now.Before(e.certificate.NotAfter) {
			return fmt.Errorf("there is a new key already, %s: it has to be used first", e.id)
		}
		s.replaced = append(s.replaced, e.without(now))
	}
	e, err := newSigning(a, life, now)
	s.waiting = []entry{e}
	return err
}

// use makes the new key sign, once each replica has had the time to get it.
func (s *set) use(now time.Time) error {
	if len(s.waiting) == 0 {
		return errors.New("there is no new key that could be used: add one first")
	}
	e := s.waiting[0]
	if from := e.made.Add(Spreading); now.Before(from) {
		return &EarlyError{
			Until: from,
			why:   fmt.Sprintf("the new key %s is younger than %v: a replica that doesn't have it yet would refuse its grants", e.id, Spreading),
		}
	}
	if !now.Before(e.certificate.NotAfter) {
		return fmt.Errorf("the certificate of the new key %s has expired: add another one", e.id)
	}
	s.replace(e, s.waiting[1:], now)
	return nil
}

// replace makes another key sign.
func (s *set) replace(by entry, waiting []entry, now time.Time) {
	s.replaced = slices.Insert(s.replaced, 0, s.signing.without(now))
	s.signing, s.waiting = by, waiting
}

// without is a key that signs nothing any more, from now on.
func (e entry) without(now time.Time) entry {
	e.certificate, e.replaced = nil, stamp(now)
	return e
}

// drop removes the keys whose grants have ended, where these live for session, and says when the next one's will have.
func (s *set) drop(session time.Duration, now time.Time) (next time.Time) {
	s.replaced = slices.DeleteFunc(s.replaced, func(e entry) bool {
		from := e.replaced.Add(Spreading + session)
		ended := !now.Before(from)
		if ended {
			s.dropped = append(s.dropped, e.id)
		} else if next.IsZero() || from.Before(next) {
			next = from
		}
		return ended
	})
	return next
}

// all makes a new key sign at once.
func (s *set) all(a *Authority, life, session time.Duration, now time.Time) error {
	e, err := newSigning(a, life, now)
	if err != nil {
		return err
	}
	for _, unused := range s.waiting {
		s.replaced = append(s.replaced, unused.without(now))
	}
	s.replace(e, nil, now)
	s.drop(session, now)
	return nil
}

// newSigning makes a key with a certificate.
func newSigning(a *Authority, life time.Duration, now time.Time) (entry, error) {
	key, err := generate()
	if err != nil {
		return entry{}, err
	}
	e, err := newEntry(key)
	if err != nil {
		return entry{}, err
	}
	e.made = stamp(now)
	e.certificate, err = a.certify(key, life)
	return e, err
}
