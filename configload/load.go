package configload

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"reflect"
)

// The variables that choose the files.
const (
	EnvDir     = "RISE_CONFIG_DIR"      // the directory of the files, default "config"
	EnvRunMode = "RISE_CONFIG_RUN_MODE" // the name of the required file without its ending, default "development"
)

const (
	defaultDir     = "config"
	defaultRunMode = "development"
	localName      = "local"
)

// Loader loads a service's configuration. The zero value takes everything from the environment. A Loader is not changed by
// its use and is safe for concurrent use if FS and LookupEnv are.
type Loader struct {
	// Dir is the directory of the files. "" stands for $RISE_CONFIG_DIR or, when that is unset or empty, "config"; with FS
	// set it stands for the root of FS, whatever the environment says.
	Dir string
	// RunMode names the required file: "production" for production.yaml. It consists of letters, digits, _ and -. ""
	// stands for $RISE_CONFIG_RUN_MODE or, when that is unset or empty, "development".
	RunMode string
	// FS is what the files are read from, an embed.FS for instance. nil stands for the operating system's files.
	FS fs.FS
	// LookupEnv looks up variables, those that choose the files included. nil stands for [os.LookupEnv].
	LookupEnv func(name string) (value string, set bool)
	// Section is the path of the mapping that is loaded, such as "registry" or "platform.registry", for programs that share
	// another one's files; the package comment explains it. "" stands for all.
	Section string
}

// Load loads the configuration that the environment chooses into what into points to. It is Loader{}.Load(into).
func Load(into any) error { return Loader{}.Load(into) }

// Load loads the configuration into the struct that into points to, which holds the defaults: keys that no file has keep
// them. When Load fails, the struct is as it was.
//
// All that is wrong with the configuration comes back at once as [Errors]. Another type of error means that into can't be
// loaded into by any configuration (not a pointer to a struct, a field of type chan): a mistake in the program.
func (l Loader) Load(into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("configload: Load needs a pointer to a struct, not %T", into)
	}
	if err := checkType(target.Type().Elem()); err != nil {
		return err
	}
	if l.LookupEnv == nil {
		l.LookupEnv = os.LookupEnv
	}
	var errs Errors
	section, problem := sectionWay(l.Section)
	if problem != "" {
		errs.report(&node{}, "%s", problem)
		return errs
	}
	lower, upper := l.read(section, &errs)
	if lower == nil { // what is missing from an incomplete tree would only mislead
		return errs.sorted()
	}
	r := resolver{lookup: l.LookupEnv, errs: &errs}
	root := r.resolve(lower, upper, section)
	if root == nil {
		return errs.sorted()
	}

	result := addressable(target.Elem())
	d := decoder{errs: &errs}
	d.decode(root, result)
	if d.misuse != nil {
		return d.misuse
	}
	newValidator(root, &errs).validate(result, root.key)
	if len(errs) > 0 {
		return errs.sorted()
	}
	target.Elem().Set(result)
	return nil
}

// read returns the layers: lower is the run mode's, upper the local one or nil. lower is nil when a file can't be used.
func (l Loader) read(section way, errs *Errors) (lower, upper *node) {
	mode, ok := l.runMode(errs)
	if !ok {
		return nil, nil
	}
	d := l.directory()
	lower, lowerOK := d.layer(mode, section, errs)
	upper, upperOK := d.layer(localName, section, errs)
	if lowerOK && lower == nil {
		*errs = append(*errs, l.missing(d, mode))
	}
	if !lowerOK || !upperOK {
		return nil, nil
	}
	return lower, upper
}

func (l Loader) runMode(errs *Errors) (mode string, ok bool) {
	mode, chosen := l.RunMode, "Loader.RunMode"
	if mode == "" {
		mode, chosen = l.env(EnvRunMode, defaultRunMode), EnvRunMode
	}
	switch {
	case !plainKey(mode):
		errs.report(&node{}, "the run mode must be a plain name of letters, digits, _ and -, not a path; %s chooses it", chosen)
	case mode == localName:
		errs.report(&node{}, "the run mode can't be %q, the name of the file that overrides every mode's; %s chooses it",
			localName, chosen)
	default:
		return mode, true
	}
	return "", false
}

// env returns a variable's value, or fallback if it is unset or empty.
func (l Loader) env(name, fallback string) string {
	if value, set := l.LookupEnv(name); set && value != "" {
		return value
	}
	return fallback
}

// missing words the error for a required file that isn't there.
func (l Loader) missing(d directory, mode string) *Error {
	msg := fmt.Sprintf("no such file, and no %s.yml either; this file is required", mode)
	if l.FS == nil && l.Dir == "" {
		msg += "; " + EnvDir + " chooses the directory"
	}
	if l.RunMode == "" {
		msg += "; " + EnvRunMode + " chooses the name"
	}
	return &Error{File: d.shown(mode + ".yaml"), Msg: msg, cause: fs.ErrNotExist}
}

// directory is where the files are.
type directory struct {
	fsys fs.FS
	dir  string // inside fsys
	name string // as errors show it
}

func (l Loader) directory() directory {
	if l.FS != nil {
		dir := path.Clean(l.Dir)
		return directory{fsys: l.FS, dir: dir, name: dir}
	}
	dir := l.Dir
	if dir == "" {
		dir = l.env(EnvDir, defaultDir)
	}
	return directory{fsys: os.DirFS(dir), dir: ".", name: dir}
}

func (d directory) shown(file string) string { return path.Join(d.name, file) }

// layer reads the file of that name with either ending. The node is nil when there is none; ok is false when there is one
// that can't be used, which has been reported.
func (d directory) layer(name string, section way, errs *Errors) (n *node, ok bool) {
	var found []string
	var data []byte
	for _, file := range []string{name + ".yaml", name + ".yml"} {
		content, err := d.readFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			*errs = append(*errs, &Error{File: d.shown(file), Msg: "can't be read: " + readProblem(err), cause: err})
			return nil, false
		}
		found, data = append(found, file), content
	}
	switch {
	case len(found) > 1:
		errs.report(&node{file: d.shown(found[0])}, "both %s and %s exist; keep one", found[0], found[1])
		return nil, false
	case len(found) == 0:
		return nil, true
	}
	n = (&parser{file: d.shown(found[0]), section: section, errs: errs}).parse(data)
	return n, n != nil
}

// errTooLarge is what readFile answers for a file over the limit.
var errTooLarge = fmt.Errorf("larger than %d MiB", maxFileSize>>20)

// readFile returns a file's content, up to the limit.
func (d directory) readFile(file string) ([]byte, error) {
	f, err := d.fsys.Open(path.Join(d.dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = errTooLarge
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// readProblem returns why a file can't be read without the path, which the error shows already.
func readProblem(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}
