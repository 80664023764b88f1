package tokenkeys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

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
		if next := w.set.drop(session, w.now); len(w.set.dropped) == 0 && !next.IsZero() {
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
