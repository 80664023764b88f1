package static

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// lookEvery is how often files that are asked about are read.
	lookEvery = 2 * time.Second
	// maxSize and maxTokens bound a file: each request is compared with all tokens.
	maxSize   = 64 << 10
	maxTokens = 10
)

// entry is a token: its hash, and which caller's it is.
type entry struct {
	hash   [sha256.Size]byte
	caller int
}

// files are those that hold tokens. They are read when somebody asks.
type files struct {
	all     []*file
	exposed bool
	log     *slog.Logger

	mu     sync.Mutex
	fixed  map[[sha256.Size]byte]bool // what files may not have, as it is somebody's already
	looked time.Time
	kept   []entry
}

// file holds the tokens of one caller.
type file struct {
	path, key string
	caller    int

	text   []byte // as it was read last
	hashes [][sha256.Size]byte
	failed string // what was said last of it
}

// open reads the files for the first time.
func (f *files) open(fixed []entry) error {
	f.fixed = map[[sha256.Size]byte]bool{}
	for _, e := range fixed {
		f.fixed[e.hash] = true
	}
	var errs []error
	for _, one := range f.all {
		if err := one.read(f.exposed); err != nil {
			errs = append(errs, provider.NewConfigError(one.key, "%v", err))
		}
	}
	var twice []*file
	f.kept, twice = f.collect()
	for _, one := range twice {
		errs = append(errs, provider.NewConfigError(one.key, "holds a token that is somebody else's too"))
	}
	f.looked = time.Now()
	return errors.Join(errs...)
}

// entries are the tokens that are in the files now. Nobody changes what was returned.
func (f *files) entries() []entry {
	if len(f.all) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if since := now.Sub(f.looked); since >= 0 && since < lookEvery {
		return f.kept
	}
	f.looked = now
	said := map[*file]error{}
	for _, one := range f.all {
		if err := one.read(f.exposed); err != nil {
			said[one] = err
		}
	}
	kept, twice := f.collect()
	f.kept = kept
	for _, one := range twice {
		said[one] = errors.New("holds a token that is somebody else's too, which authenticates nobody")
	}
	for _, one := range f.all {
		one.say(f.log, said[one])
	}
	return f.kept
}

// collect returns the tokens of all files. One that is another caller's too is nobody's, unless the configuration itself says whose; the files that have it
// come along.
func (f *files) collect() (kept []entry, twice []*file) {
	owner := map[[sha256.Size]byte]int{}
	for _, one := range f.all {
		for _, hash := range one.hashes {
			if other, taken := owner[hash]; taken && other != one.caller {
				owner[hash] = -1
			} else if !taken {
				owner[hash] = one.caller
			}
		}
	}
	for _, one := range f.all {
		clash := false
		for _, hash := range one.hashes {
			if f.fixed[hash] || owner[hash] != one.caller {
				clash = true
				continue
			}
			kept = append(kept, entry{hash, one.caller})
		}
		if clash {
			twice = append(twice, one)
		}
	}
	return kept, twice
}

// read makes the file's tokens what is in it: nothing, where that isn't right or it is gone. What can't be read for another reason stays as it was.
func (one *file) read(exposed bool) error {
	text, err := content(one.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		one.text, one.hashes = nil, nil
		return err
	}
	if one.hashes != nil && bytes.Equal(text, one.text) {
		return nil
	}
	one.text = text
	one.hashes, err = parse(text, exposed)
	return err
}

func content(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the configuration says which
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// parse returns the hashes of a file's tokens. Errors are the end of a sentence and hold none.
func parse(text []byte, exposed bool) (hashes [][sha256.Size]byte, err error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("is over %d bytes", maxSize)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			continue
		}
		if err := config.CheckToken(provider.NewSecret(line)); err != nil {
			return nil, fmt.Errorf("holds in line %d what can't be a token: it %w", n, err)
		}
		if exposed && line == config.DevelopmentToken {
			return nil, errors.New("holds the development token, which everybody knows; it works on loopback only")
		}
		hashes = append(hashes, sha256.Sum256([]byte(line)))
	}
	switch {
	case len(hashes) == 0:
		return nil, errors.New("holds no token")
	case len(hashes) > maxTokens:
		return nil, fmt.Errorf("holds more than %d tokens", maxTokens)
	}
	return hashes, nil
}

// say logs what is wrong with the file, once, and that it is right again.
func (one *file) say(log *slog.Logger, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch text {
	case one.failed:
	case "":
		log.Info("a file of tokens is right again", "key", one.key)
	default:
		log.Error("a file of tokens isn't right, and what it doesn't hold authenticates nobody", "key", one.key, "error", text)
	}
	one.failed = text
}
