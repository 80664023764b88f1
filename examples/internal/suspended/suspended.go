// Package suspended reads the file of what is suspended: names of projects, or ids of grants, one a line.
package suspended

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// lookEvery is how often a file that is asked about is looked at. It and what a token server remembers, 5 s, are less than the 10 s within
	// which a change counts.
	lookEvery = 2 * time.Second
	// settled is how long a file has to be unchanged before its size and time tell one content from another: some file systems write times to two
	// seconds.
	settled = 5 * time.Second
	// maxSize bounds the file: some hundred thousand lines.
	maxSize = 16 << 20
)

// List is a file's content. The zero List has nothing. It is safe for concurrent use and reads the file when it is asked.
type List struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	lines  map[string]bool
	before map[string]bool // lines as of the look before: what goes counts until it is missing twice, as files are emptied before they are written
	seen   os.FileInfo     // nil: it has to be read again
	looked time.Time
	failed string // what was said last of the file
}

// Open reads the file at path; without a path there is nothing in the list. A file that can't be read, or has a line that can be neither a
// project's name nor a grant's id, is an error now. Later, what was read of it last stays, and such a line is logged. What is left out counts until it is
// missing at two looks.
func Open(path string, log *slog.Logger) (*List, error) {
	l := &List{path: path, log: log}
	if path == "" {
		return l, nil
	}
	var err error
	if l.lines, l.seen, err = read(path); err == nil {
		err = check(l.lines)
	}
	l.looked = time.Now()
	return l, err
}

// Has reports whether a name or id is in the list.
func (l *List) Has(name string) bool {
	if l.path == "" {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.looked) >= lookEvery {
		l.looked = now
		l.look()
	}
	return l.lines[name] || l.before[name]
}

// look reads the file again if it isn't what it was.
func (l *List) look() {
	if info, err := os.Stat(l.path); err == nil && same(info, l.seen) {
		l.before = nil
		return
	}
	lines, seen, err := read(l.path)
	if err != nil {
		l.say("auth.suspended_file can't be read; what it held still counts", err)
		return
	}
	if !maps.Equal(lines, l.lines) {
		l.log.Info("read auth.suspended_file again", "entries", len(lines))
	}
	l.lines, l.before, l.seen = lines, l.lines, seen
	if err := check(lines); err != nil {
		l.say("auth.suspended_file", err)
	} else {
		l.failed = ""
	}
}

// same reports whether a file is the one that was read, unchanged.
func same(is, was os.FileInfo) bool {
	return was != nil && os.SameFile(is, was) && is.Size() == was.Size() && is.ModTime().Equal(was.ModTime())
}

// say logs what is wrong once.
func (l *List) say(what string, err error) {
	if text := what + err.Error(); text != l.failed {
		l.failed = text
		l.log.Error(what, "error", err)
	}
}

// read returns a file's lines, and what tells it from a later one; nil if it was changed just now, and may be again at what is the same time to the file
// system.
func read(path string) (map[string]bool, os.FileInfo, error) {
	file, err := os.Open(path) //nolint:gosec // the configuration says which
	if err != nil {
		return nil, nil, err
	}
	defer file.Close() //nolint:errcheck // read
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: is over %d bytes", path, maxSize)
	}
	if err != nil {
		return nil, nil, err
	}
	lines := map[string]bool{}
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines[line] = true
		}
	}
	if time.Since(info.ModTime()) < settled {
		info = nil
	}
	return lines, info, nil
}

// entry is what names of projects and ids of grants look like.
var entry = regexp.MustCompile(`^([a-z0-9]+(-[a-z0-9]+)*|[A-Z2-7]{20,64})$`)

func check(lines map[string]bool) error {
	for line := range lines {
		if !entry.MatchString(line) {
			return fmt.Errorf("%.80q is neither a project's name nor a grant's id, as the audit log has it", line)
		}
	}
	return nil
}
