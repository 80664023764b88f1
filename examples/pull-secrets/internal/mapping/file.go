package mapping

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// LookEvery is how often a file is looked at. A change counts when two looks saw it.
	LookEvery = 2 * time.Second
	maxSize   = 16 << 20
)

// File maps namespaces by a file, which is read again when it changes. It is safe for concurrent use.
type File struct {
	path     string
	excluded Excluded
	log      *slog.Logger

	mu       sync.Mutex
	projects map[string]string
	text     string // what projects were read from
	next     string // what the look before saw, if it was something else
	failed   string // what is wrong with the file now
}

// Open reads the file at path. Later, whatever is wrong with the file, what was read of it last counts.
func Open(path string, excluded Excluded, log *slog.Logger) (*File, error) {
	f := &File{path: path, excluded: excluded, log: log}
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	if f.projects, err = parse(text, excluded); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.text = text
	return f, nil
}

func read(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the command line says which
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // read
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s is over %d bytes", path, maxSize)
	}
	return string(text), err
}

// Project returns the project that a namespace is mapped to; "" if to none. It never fails.
func (f *File) Project(namespace string, _ map[string]string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.projects[namespace], nil
}

// Failed says what is wrong with the file, so that what was read of it before counts; "" if nothing is.
func (f *File) Failed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// Watch looks at the file every [LookEvery] until ctx ends, and calls changed with the namespaces whose project isn't the one that it was.
func (f *File) Watch(ctx context.Context, changed func(namespaces []string)) {
	tick := time.NewTicker(LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if namespaces := f.look(); len(namespaces) > 0 {
			f.log.InfoContext(ctx, "read the mapping again", "file", f.path, "changed", len(namespaces))
			changed(namespaces)
		}
	}
}

// look reads the file again. Who writes in place empties it first: half a file would take away the secrets of the other half.
func (f *File) look() (changed []string) {
	text, err := read(f.path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.fail(err)
		return nil
	}
	if text == f.text {
		f.next, f.failed = "", ""
		return nil
	}
	if text != f.next {
		f.next = text
		return nil
	}
	projects, err := parse(text, f.excluded)
	if err != nil {
		f.fail(err)
		return nil
	}
	for namespace, project := range f.projects {
		if projects[namespace] != project {
			changed = append(changed, namespace)
		}
	}
	for namespace := range projects {
		if f.projects[namespace] == "" {
			changed = append(changed, namespace)
		}
	}
	f.projects, f.text, f.next, f.failed = projects, text, "", ""
	return changed
}

// fail logs what is wrong once.
func (f *File) fail(err error) {
	if text := err.Error(); text != f.failed {
		f.failed = text
		f.log.Error("the mapping can't be read; what it held still counts", "file", f.path, "error", err)
	}
}
