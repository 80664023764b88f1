// Package suspended reads the file of what is suspended: names of projects, or ids of grants, one a line.
package suspended

import (
	"fmt"
	"io"
	"log/slog"
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
	// maxSize bounds the file: some hundred thousand lines.
	maxSize = 16 << 20
)

// List is a file's content. The zero List has nothing. It is safe for concurrent use and reads the file when it is asked.
type List struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	lines  map[string]bool
	seen   stamp
	looked time.Time
	failed string // what was said last of the file
}

// stamp tells one content of a file from another.
type stamp struct {
	size     int64
	modified time.Time
}

// Open reads the file at path; without a path there is nothing in the list. A file that can't be read, or has a line that can be neither a
// project's name nor a grant's id, is an error now. Later, what was read of it last stays, and such a line is logged.
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
	return l.lines[name]
}

// look reads the file again if it isn't what it was.
func (l *List) look() {
	if info, err := os.Stat(l.path); err == nil && (stamp{info.Size(), info.ModTime()}) == l.seen {
		return
	}
	lines, seen, err := read(l.path)
	if err != nil {
		l.say("auth.suspended_file can't be read; what it held still counts", err)
		return
	}
	l.lines, l.seen, l.failed = lines, seen, ""
	l.log.Info("read auth.suspended_file again", "entries", len(lines))
	if err := check(lines); err != nil {
		l.say("auth.suspended_file", err)
	}
}

// say logs what is wrong once.
func (l *List) say(what string, err error) {
	if text := what + err.Error(); text != l.failed {
		l.failed = text
		l.log.Error(what, "error", err)
	}
}

func read(path string) (map[string]bool, stamp, error) {
	file, err := os.Open(path) //nolint:gosec // the configuration says which
	if err != nil {
		return nil, stamp{}, err
	}
	defer file.Close() //nolint:errcheck // read
	info, err := file.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: is over %d bytes", path, maxSize)
	}
	if err != nil {
		return nil, stamp{}, err
	}
	lines := map[string]bool{}
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines[line] = true
		}
	}
	return lines, stamp{info.Size(), info.ModTime()}, nil
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
