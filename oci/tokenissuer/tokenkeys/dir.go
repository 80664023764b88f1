package tokenkeys

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// Spreading is how long files may take to reach every replica: for that long a new key isn't used, nor an old one dropped.
	Spreading = 10 * time.Minute
	// DefaultLife is how long the certificates of signing keys live.
	DefaultLife = 365 * 24 * time.Hour
)

var (
	// ErrExpired is the error when the signing certificate has ended, and with it every push and pull. [Dir.Rotate] makes a new one.
	ErrExpired = errors.New("the signing certificate has expired")
	// ErrNoAuthorityKey is the error when the authority's key isn't where it is looked for, and a certificate is to be signed.
	ErrNoAuthorityKey = errors.New("the authority's key isn't there")
	// ErrNoKeys is the error when keys are to be replaced and there are none.
	ErrNoKeys = errors.New("there are no keys yet")
)

// EarlyError is the error of a step of a rotation that would make replicas refuse each other's grants, or grants that live.
type EarlyError struct {
	// Until is when the step can be taken.
	Until time.Time
	why   string
}

func (e *EarlyError) Error() string { return e.why + ": wait until " + written(e.Until) }

// Dir is a directory with an authority (ca.key, ca.crt) and signing keys below it (tls.key, tls.crt, which are the configuration's
// signing_key_file and signing_cert_file). Registries are given ca.crt.
//
// Its methods may be used concurrently, by several processes too: one works, the others wait for it (not on Windows). Whenever a process
// ends, the files are such that the service can use them, and the next call goes on. Files are made for their owner alone, and keep the
// mode and owner that they were given since. Nothing prints a key, and errors hold nothing of one.
//
// While keys are replaced, tls.crt has the certificate of the one that signs first, then the one that is going to; older keys have
// none, since grants made with them need none. Comments in tls.key say when each was made and replaced.
type Dir struct {
	// Path is the directory's. It is made if it isn't there, for its owner alone.
	Path string
	// AuthorityKeyFile is where the authority's own key was taken to, for it is needed for new keys only and doesn't belong on the service's
	// machine. Default: ca.key in Path, where it is made.
	AuthorityKeyFile string
	// Life is how long the certificates of new signing keys live, but no longer than the authority. Default: [DefaultLife].
	Life time.Duration

	step func(what string) // before each step of writing, for tests
}

// Keys is what a directory holds after a call.
type Keys struct {
	// Keys are the signing one, then those that wait to be it, then those that were.
	Keys []Key
	// AuthorityEnds is when the authority's certificate does.
	AuthorityEnds time.Time
	// AuthorityKey is the path of the authority's own key, if it is there: best it isn't, on the service's machine.
	AuthorityKey string
	// Made are the paths of files that the call made.
	Made []string
	// Warnings are what isn't as it should be, as sentences.
	Warnings []string
}

// Key is one signing key.
type Key struct {
	// ID is its RFC 7638 thumbprint: "kid" in grants.
	ID string
	// Made is when.
	Made time.Time
	// Ends is when its certificate does; zero for a replaced key, which has none.
	Ends time.Time
	// Replaced is since when another one signs; zero for a key that does or waits.
	Replaced time.Time
}

// UsableFrom is when a key that waits can be used.
func (k Key) UsableFrom() time.Time { return k.Made.Add(Spreading) }

// DroppableFrom is when the last grant of a replaced key has ended, where grants live for session.
func (k Key) DroppableFrom(session time.Duration) time.Time {
	return k.Replaced.Add(Spreading + session)
}

// Make makes an authority and a signing key, each where there is none, and checks what there is. It overwrites nothing. Errors are
// [ErrExpired], [ErrNoAuthorityKey], and sentences about what is wrong with the files.
func (d Dir) Make() (Keys, error) {
	if err := os.MkdirAll(d.Path, directoryMode); err != nil {
		return Keys{}, err
	}
	return d.locked(func(w *work) error {
		if err := w.makeAuthority(); err != nil {
			return err
		}
		if err := w.makeSigning(); err != nil {
			return err
		}
		return w.set.lasts(w.now)
	})
}

// Add makes a new key behind the one that signs. Once every replica has both files, [Dir.Use] is next. Errors are [ErrNoKeys],
// [ErrNoAuthorityKey], and as of [Dir.Make].
func (d Dir) Add() (Keys, error) {
	return d.change(func(w *work) error {
		a, err := w.authority()
		if err != nil {
			return err
		}
		return w.set.add(a, w.life, w.now)
	})
}

// Use makes the new key sign. Distribution's registry takes its tokens without a restart; zot has to be given the new certificate. Once every
// replica has both files, and the last grant of the old key has ended, [Dir.Drop] is next. Errors are [ErrNoKeys], [*EarlyError] while the key is
// younger than [Spreading], and as of [Dir.Make].
func (d Dir) Use() (Keys, error) {
	return d.change(func(w *work) error { return w.set.use(w.now) })
}

// Drop removes the keys that were replaced long enough ago that their grants, which live for session at most, have ended. Errors are
// [ErrNoKeys], [*EarlyError] if there are some, but none that long ago, and as of [Dir.Make].
func (d Dir) Drop(session time.Duration) (Keys, error) {
	return d.change(func(w *work) error {
		dropped, next := w.set.drop(session, w.now)
		if dropped == 0 && !next.IsZero() {
			return &EarlyError{Until: next, why: "grants of the old key may live: they do for " + session.String() + ", and files take up to " + Spreading.String() + " to reach each replica"}
		}
		return nil
	})
}

// Rotate does all at once, for a service of one replica: it makes a new key sign, and drops those whose grants have ended. Errors are [ErrNoKeys],
// [ErrNoAuthorityKey], and as of [Dir.Make].
func (d Dir) Rotate(session time.Duration) (Keys, error) {
	return d.change(func(w *work) error {
		a, err := w.authority()
		if err != nil {
			return err
		}
		return w.set.all(a, w.life, session, w.now)
	})
}

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

func (d Dir) locked(do func(*work) error) (Keys, error) {
	w := &work{
		files: files{directory: d.Path, step: d.step}, authorityKey: filepath.Join(d.Path, authorityKeyName), life: d.Life, now: time.Now(),
	}
	if d.AuthorityKeyFile != "" {
		w.authorityKey, w.elsewhere = d.AuthorityKeyFile, true
	}
	if w.life == 0 {
		w.life = DefaultLife
	}
	if w.step == nil {
		w.step = func(string) {}
	}
	if err := w.checkDirectory(); err != nil {
		return Keys{}, err
	}
	unlock, err := lock(d.Path)
	if err != nil {
		return Keys{}, err
	}
	defer unlock()
	w.sweep()
	if err := do(w); err != nil {
		return Keys{}, err
	}
	return w.state(), nil
}

// change changes the set that there is.
func (d Dir) change(how func(*work) error) (Keys, error) {
	if _, err := os.Stat(d.Path); errors.Is(err, fs.ErrNotExist) {
		return Keys{}, fmt.Errorf("%s: %w", d.Path, ErrNoKeys)
	}
	return d.locked(func(w *work) error {
		if err := w.load(); err != nil {
			return err
		}
		switch {
		case w.set == nil && w.keyText != nil:
			return fmt.Errorf("%s has no certificate: %s isn't there", w.path(signingKeyName), signingCertName)
		case w.set == nil:
			return fmt.Errorf("%s: %w", d.Path, ErrNoKeys)
		}
		if err := how(w); err != nil {
			return err
		}
		return w.save()
	})
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
	k := Keys{AuthorityEnds: w.certificate.NotAfter, Made: w.made, Warnings: w.warnings}
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
