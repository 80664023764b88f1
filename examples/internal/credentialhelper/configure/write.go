package configure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// change is of one file.
type change struct {
	path     string
	old, new []byte   // nil: there is no file
	lines    []string // what changes, as it is shown
	private  bool     // nobody else may read it, whatever its mode was
}

// snapshot reads a file; nil where there is none.
func snapshot(path string) ([]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user's own
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if text == nil {
		text = []byte{}
	}
	return text, err
}

func (c change) empty() bool { return bytes.Equal(c.old, c.new) && (c.old == nil) == (c.new == nil) }

// String shows what changes, and nothing else of the file: there are logins in it.
func (c change) String() string {
	what := ""
	switch {
	case c.empty():
		what = " (nothing changes)"
	case c.old == nil:
		what = " (new)"
	case c.new == nil:
		what = " (goes, as nothing else is in it)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", c.path, what)
	for _, line := range c.lines {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

// write puts the new text in the place of the old one, at once. A symbolic link stays, and the file's mode.
func (c change) write() error {
	if c.empty() {
		return nil
	}
	path, mode := c.path, fs.FileMode(0o600)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is a symbolic link to a file that isn't there", path)
	}
	now, err := snapshot(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, c.old) || (now == nil) != (c.old == nil) {
		return fmt.Errorf("%s has been changed by somebody else meanwhile: nothing is done to it; try again", path)
	}
	if c.new == nil {
		return os.Remove(path)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil {
		mode = info.Mode().Perm()
	}
	if c.private {
		mode &= 0o700
	}
	temporary, err := os.CreateTemp(dir, ".docker-credential-rise-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // it has been renamed, or is of no use
	_, err = temporary.Write(c.new)
	err = errors.Join(err, temporary.Chmod(mode), sameOwner(temporary, info), temporary.Sync(), temporary.Close())
	if err != nil {
		return fmt.Errorf("%s can't be written: %w", path, err)
	}
	return os.Rename(temporary.Name(), path)
}
