package tokenkeys

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// work is what is done under the lock.
type work struct {
	files
	authorityKey string // path
	elsewhere    bool   // authorityKey isn't in the directory
	life         time.Duration
	now          time.Time
	made         []string

	certificate *x509.Certificate // the authority's
	set         *set
	// What the files hold, to see what changed.
	keyText, certificateText []byte
}

// load reads what there is. Without tls.key and tls.crt the set is nil, without ca.crt the certificate.
func (w *work) load() error {
	text, _, err := w.read(w.path(authorityCertName), false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if w.certificate, err = parseAuthorityCertificate(text); err != nil {
			return fmt.Errorf("%s %w", w.path(authorityCertName), err)
		}
	}
	var changed time.Time
	var keyErr, certificateErr error
	w.keyText, changed, keyErr = w.read(w.path(signingKeyName), true)
	w.certificateText, _, certificateErr = w.read(w.path(signingCertName), false)
	noKey, noCertificate := errors.Is(keyErr, fs.ErrNotExist), errors.Is(certificateErr, fs.ErrNotExist)
	switch {
	case keyErr != nil && !noKey:
		return keyErr
	case certificateErr != nil && !noCertificate:
		return certificateErr
	case noKey && !noCertificate:
		return fmt.Errorf("%s isn't there: the key of the certificate in %s", w.path(signingKeyName), signingCertName)
	case noCertificate:
		return nil
	}
	if w.certificate == nil {
		return fmt.Errorf("%s isn't there: it is what registries are given, and %s is checked with", w.path(authorityCertName), signingCertName)
	}
	if w.set, err = parseSet(w.keyText, w.certificateText, changed); err == nil {
		err = w.set.check(w.certificate, w.now)
	}
	if err != nil {
		return fmt.Errorf("in %s: %w", w.directory, err)
	}
	return nil
}

// authority is the one that can sign.
func (w *work) authority() (*Authority, error) {
	text, _, err := w.read(w.authorityKey, true)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s: bring it back for as long as a new key is made, or say where it is", ErrNoAuthorityKey, w.authorityKey)
	case err != nil:
		return nil, err
	}
	a, err := ParseAuthority(certificatePEM(w.certificate), text)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", w.path(authorityCertName), w.authorityKey, err)
	}
	return a, nil
}

// makeAuthority makes what of the authority there isn't: its key first, then its certificate, for which the key is enough.
func (w *work) makeAuthority() error {
	if err := w.load(); err != nil || w.certificate != nil {
		return err
	}
	text, _, err := w.read(w.authorityKey, true)
	switch {
	case err == nil && !w.elsewhere: // a run ended between the two
	case err == nil || w.elsewhere && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s isn't there: an authority is made whole, in %s, and its key is taken elsewhere then", w.path(authorityCertName), w.directory)
	case errors.Is(err, fs.ErrNotExist):
		if text, err = w.makeAuthorityKey(); err != nil {
			return err
		}
	default:
		return err
	}
	key, err := parseAuthorityKey(text)
	if err != nil {
		return fmt.Errorf("%s %w", w.authorityKey, err)
	}
	a, err := authorityOf(key)
	if err != nil {
		return err
	}
	w.certificate = a.certificate
	return w.put(authorityCertName, a.CertificatePEM())
}

func (w *work) makeAuthorityKey() ([]byte, error) {
	key, err := generate()
	if err != nil {
		return nil, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	const keepOff = "# The key of the authority: keep it off the service's machine. It is needed to make the next signing key, and for nothing else.\n"
	return text, w.put(authorityKeyName, append([]byte(keepOff), text...))
}

// makeSigning makes what of a signing key there isn't: the key first, then its certificate.
func (w *work) makeSigning() error {
	if w.set != nil {
		return nil
	}
	a, err := w.authority()
	if err != nil && w.keyText != nil {
		return fmt.Errorf("%s has no certificate, as %s isn't there, and none can be made: %w", w.path(signingKeyName), signingCertName, err)
	}
	if err != nil {
		return err
	}
	s := &set{}
	if w.keyText == nil { // usual
		if s.signing, err = newSigning(a, w.life, w.now); err != nil {
			return err
		}
		text, err := s.keyFile()
		if err != nil {
			return err
		}
		if err := w.put(signingKeyName, text); err != nil {
			return err
		}
	} else if s.signing, err = w.certify(a); err != nil { // a run ended between the two
		return fmt.Errorf("%s has no certificate, as %s isn't there: %w", w.path(signingKeyName), signingCertName, err)
	}
	if err := s.check(w.certificate, w.now); err != nil {
		return fmt.Errorf("in %s: %w", w.directory, err)
	}
	w.set = s
	return w.put(signingCertName, s.certificateFile())
}

// certify makes a certificate for the one key that there is.
func (w *work) certify(a *Authority) (entry, error) {
	entries, err := parseEntries(w.keyText, w.now)
	if err != nil {
		return entry{}, err
	}
	if len(entries) > 1 {
		return entry{}, errors.New("which of several keys signs isn't known")
	}
	e := entries[0]
	e.replaced = time.Time{}
	e.certificate, err = a.certify(e.private(), w.life)
	return e, err
}

// put makes a file.
func (w *work) put(name string, text []byte) error {
	err := w.create(name, text)
	if err == nil {
		w.made = append(w.made, w.path(name))
	}
	return err
}

// save writes what changed: keys before the certificates that need them, so that both files work in between.
func (w *work) save() error {
	if err := w.set.check(w.certificate, w.now); err != nil {
		return fmt.Errorf("in %s: %w", w.directory, err)
	}
	key, err := w.set.keyFile()
	if err != nil {
		return err
	}
	for _, one := range []struct {
		name     string
		old, new []byte
	}{{signingKeyName, w.keyText, key}, {signingCertName, w.certificateText, w.set.certificateFile()}} {
		if string(one.old) == string(one.new) {
			continue
		}
		if err := w.replace(one.name, one.new); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) state() Keys {
	k := Keys{AuthorityEnds: w.certificate.NotAfter, Made: w.made, Dropped: w.set.dropped, Warnings: w.warnings}
	if _, err := os.Stat(w.authorityKey); err == nil {
		k.AuthorityKey = w.authorityKey
	}
	for _, e := range append(append([]entry{w.set.signing}, w.set.waiting...), w.set.replaced...) {
		one := Key{ID: e.id, Made: e.made, Replaced: e.replaced}
		if e.certificate != nil {
			one.Ends = e.certificate.NotAfter
		}
		k.Keys = append(k.Keys, one)
	}
	return k
}
