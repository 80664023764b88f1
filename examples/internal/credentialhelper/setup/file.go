package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// File is what credential.yaml holds.
type File struct {
	// Hosts are by the registry's host, as in images' names: "registry.example.com", "localhost:5001".
	Hosts map[string]Entry `yaml:"hosts"`
}

// Validate checks the hosts' names.
func (f File) Validate() error {
	var errs []error
	for host := range f.Hosts {
		if problem := hostProblem(host); problem != "" {
			errs = append(errs, provider.NewConfigError(fmt.Sprintf("hosts[%q]", host), "the host %s", problem))
		}
	}
	return errors.Join(errs...)
}

// Lookup finds variables of the environment.
type Lookup func(name string) (value string, set bool)

// get returns a variable's value; an empty one counts as unset.
func (l Lookup) get(name string) string {
	value, _ := l(name)
	return value
}

// Path is where the file is.
func Path(lookup Lookup) (string, error) {
	dir := lookup.get("XDG_CONFIG_HOME")
	if dir == "" || !filepath.IsAbs(dir) { // as its specification says
		home := lookup.get("HOME")
		if home == "" && runtime.GOOS == "windows" {
			home = lookup.get("USERPROFILE")
		}
		if home == "" {
			return "", errors.New("neither HOME nor XDG_CONFIG_HOME is set, so there is no place for rise/credential.yaml")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "rise", mode+".yaml"), nil
}

// mode is the file's name without its ending.
const mode = "credential"

// ReadFile reads the file at a path of [Path]. It is [fs.ErrNotExist] that there is none.
func ReadFile(path string, lookup Lookup) (File, error) {
	return load(path, lookup, &opener{open: os.Open})
}

// Parse reads a text that is to be the file's.
func Parse(path, text string, lookup Lookup) (File, error) {
	return load(path, lookup, &opener{text: &text})
}

func load(path string, lookup Lookup, files *opener) (File, error) {
	files.name = filepath.ToSlash(path)
	var f File
	err := configload.Loader{Dir: filepath.ToSlash(filepath.Dir(path)), RunMode: mode, FS: files, LookupEnv: lookup}.Load(&f)
	if !files.found {
		return File{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return File{}, err
	}
	for host, e := range f.Hosts {
		if !e.Token.IsZero() && files.mode&0o077 != 0 && runtime.GOOS != "windows" {
			return File{}, fmt.Errorf("%s has the token of %s in it, and its mode is %#o, so that others may read it: "+
				"run chmod 600 %[1]s, or take token_file, token_variable or token_command in place of token", path, host, files.mode)
		}
	}
	return f, nil
}

// opener is the one file alone: no other layer goes over it.
type opener struct {
	name  string
	open  func(string) (*os.File, error)
	text  *string // in place of the file's
	found bool
	mode  fs.FileMode
}

// Open implements [fs.FS] for the names that configload makes.
func (o *opener) Open(name string) (fs.File, error) {
	if base, _, _ := strings.Cut(path.Base(name), "."); base != mode {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if o.text != nil {
		if name != o.name {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		o.found = true
		return &textFile{strings.NewReader(*o.text)}, nil
	}
	f, err := o.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	o.found = true
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil {
		o.mode = info.Mode().Perm()
	}
	return f, nil
}

// textFile is a text as an open file.
type textFile struct{ *strings.Reader }

func (*textFile) Stat() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }
func (*textFile) Close() error               { return nil }
