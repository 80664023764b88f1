package tokenkeys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	authorityKeyName  = "ca.key"
	authorityCertName = "ca.crt"
	signingKeyName    = "tls.key"
	signingCertName   = "tls.crt"

	// maxFile is far more than 16 keys and their certificates take.
	maxFile = 1 << 20

	fileMode, directoryMode = 0o600, 0o700
	// What nobody may do to a file with a key; and to one at all, or to the directory.
	readableByOthers, writableByOthers = 0o007, 0o022
	readableByGroup                    = 0o040
)

// files reads and writes whole files of a directory. What it says of them goes to warnings.
type files struct {
	directory string
	warnings  []string
	step      func(what string) // before each step of writing; for tests
}

func (f *files) path(name string) string { return filepath.Join(f.directory, name) }

// read returns a file's content and when it was changed, fs.ErrNotExist without more if there is none.
func (f *files) read(path string, secret bool) ([]byte, time.Time, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, time.Time{}, fs.ErrNotExist
	case err != nil:
		return nil, time.Time{}, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, time.Time{}, fmt.Errorf("%s isn't a file of keys or certificates", path)
	}
	if err := f.checkMode(path, info.Mode().Perm(), secret); err != nil {
		return nil, time.Time{}, err
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator says which
	return text, info.ModTime(), err
}

func (f *files) checkMode(path string, mode fs.FileMode, secret bool) error {
	switch {
	case runtime.GOOS == "windows": // modes say nothing there
		return nil
	case mode&writableByOthers != 0:
		return fmt.Errorf("%s can be written by others than its owner (mode %04o): chmod go-w %[1]s", path, mode)
	case secret && mode&readableByOthers != 0:
		return fmt.Errorf("%s can be read by everybody on this machine (mode %04o): its key has to be replaced if others were there; chmod o= %[1]s", path, mode)
	case secret && mode&readableByGroup != 0:
		f.warnings = append(f.warnings, fmt.Sprintf("%s can be read by its group (mode %04o)", path, mode))
	}
	return nil
}

// checkDirectory refuses one in which others can put files in place of these, but for an owner, who may be the service's user.
func (f *files) checkDirectory() error {
	info, err := os.Stat(f.directory)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s isn't a directory", f.directory)
	case runtime.GOOS != "windows" && info.Mode().Perm()&writableByOthers != 0:
		return fmt.Errorf("%s can be written by others than its owner (mode %04o): chmod go-w %[1]s, or use a directory of its own", f.directory, info.Mode().Perm())
	}
	if uid, another := anothers(info); another {
		f.warnings = append(f.warnings, fmt.Sprintf("%s belongs to another user (uid %d), who can put an authority and keys of his own into it", f.directory, uid))
	}
	return nil
}

// create writes a file that isn't there yet: none is ever overwritten.
func (f *files) create(name string, text []byte) error {
	return f.write(name, text, func(temporary, final string) error {
		if err := os.Link(temporary, final); err == nil || errors.Is(err, fs.ErrExist) {
			return errors.Join(err, os.Remove(temporary))
		}
		if _, err := os.Lstat(final); !errors.Is(err, fs.ErrNotExist) { // a file system without links
			return errors.Join(fmt.Errorf("%s is there already", final), os.Remove(temporary))
		}
		return os.Rename(temporary, final)
	})
}

// replace writes a file that is there, with its mode and owner: at each moment there is the old one or the new.
func (f *files) replace(name string, text []byte) error { return f.write(name, text, os.Rename) }

func (f *files) write(name string, text []byte, put func(temporary, final string) error) error {
	final, temporary := f.path(name), f.temporary(name)
	old, err := os.Lstat(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return fmt.Errorf("%s isn't a plain file, so it isn't replaced: use the directory that it comes from", final)
	}
	if err = f.prepare(temporary, text, old); err == nil {
		f.step("put " + name)
		err = put(temporary, final)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("write %s: %w", final, err)
	}
	f.step("sync directory after " + name)
	return syncDirectory(f.directory)
}

// prepare writes a file as it is to be, on disk.
func (f *files) prepare(temporary string, text []byte, old fs.FileInfo) (err error) {
	f.step("create " + temporary)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // in the operator's directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	half := len(text) / 2
	if _, err := file.Write(text[:half]); err != nil {
		return err
	}
	f.step("write the rest of " + temporary)
	if _, err := file.Write(text[half:]); err != nil {
		return err
	}
	if old != nil {
		if err := errors.Join(keepOwner(file, old), file.Chmod(old.Mode().Perm())); err != nil {
			return err
		}
	}
	f.step("sync " + temporary)
	return file.Sync()
}

// temporary is where a file is written to; only who holds the lock does.
func (f *files) temporary(name string) string { return f.path("." + name + ".new") }

// sweep removes what a run left that ended in the middle: it may hold a key.
func (f *files) sweep() {
	for _, name := range []string{authorityKeyName, authorityCertName, signingKeyName, signingCertName} {
		_ = os.Remove(f.temporary(name)) // most often there is none
	}
}

func syncDirectory(path string) error {
	if runtime.GOOS == "windows" { // which can't
		return nil
	}
	directory, err := os.Open(path) //nolint:gosec // the operator says which
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
