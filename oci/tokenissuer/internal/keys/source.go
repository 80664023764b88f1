package keys

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// interval is how often files are looked at.
	interval = 10 * time.Second
	// remindAfter is how often the end of a certificate is logged.
	remindAfter = 24 * time.Hour
	// soonest is how long before its end a certificate counts as ending; of one that lives for less than three times as long, a third of that.
	soonest = 30 * 24 * time.Hour
)

// Read returns the files of keys and of certificates.
type Read func() (keys, certificates []byte, err error)

// Files reads both by their names. Errors are [*FileError].
func Files(keyFile, certificateFile string) Read {
	return func() ([]byte, []byte, error) {
		k, err := os.ReadFile(keyFile) //nolint:gosec // the operator's configuration says which
		if err != nil {
			return nil, nil, unreadable(false, err)
		}
		c, err := os.ReadFile(certificateFile) //nolint:gosec // likewise
		if err != nil {
			return nil, nil, unreadable(true, err)
		}
		return k, c, nil
	}
}

// unreadable is err without the file's name: configured values don't show.
func unreadable(certificate bool, err error) error {
	problem := "can't be read"
	var path *os.PathError
	if errors.As(err, &path) {
		problem += ": " + path.Err.Error()
	}
	return &FileError{Certificate: certificate, Problem: problem}
}

// A Source is where the present ring comes from: files that are read again as they are used, by none but those who use it. It is safe
// for concurrent use.
type Source struct {
	read    Read
	service string
	log     *slog.Logger

	current atomic.Pointer[Ring]
	looked  atomic.Int64 // when, in Unix nanoseconds

	mu       sync.Mutex
	seen     [sha256.Size]byte // of what current was made of
	problem  error             // why what is there isn't current
	reminded time.Time
}

// Open reads the files. service is as for [Parse]. Errors are [*FileError].
func Open(read Read, service string, log *slog.Logger) (*Source, error) {
	s := &Source{read: read, service: service, log: log}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.load(now); s.problem != nil {
		return nil, s.problem
	}
	s.looked.Store(now.UnixNano())
	s.warn(now)
	return s, nil
}

// Ring is the present ring. Every ten seconds it looks at the files first: what is there by then, and whole, is the present one.
func (s *Source) Ring() *Ring {
	now := time.Now()
	if since := now.Sub(time.Unix(0, s.looked.Load())); (since >= interval || since < 0) && s.mu.TryLock() {
		defer s.mu.Unlock()
		s.looked.Store(now.UnixNano())
		before := s.problem
		s.load(now)
		if s.problem != nil && (before == nil || before.Error() != s.problem.Error()) {
			s.log.Error("token issuer: new signing keys are not used, the old ones are kept", "error", s.problem.Error())
		}
		s.warn(now)
	}
	return s.current.Load()
}

// Problem is why what the files hold isn't in use; nil if it is.
func (s *Source) Problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// load makes what the files hold the present ring, or the problem.
func (s *Source) load(now time.Time) {
	k, c, err := s.read()
	if err != nil {
		s.problem = err
		return
	}
	hash := sha256.New()
	for _, text := range [][]byte{k, c} {
		sum := sha256.Sum256(text)
		hash.Write(sum[:])
	}
	seen := [sha256.Size]byte(hash.Sum(nil))
	if s.problem == nil && seen == s.seen {
		return
	}
	r, err := Parse(k, c, s.service, now)
	s.problem = err
	if err != nil {
		return
	}
	if old := s.current.Swap(r); old != nil && seen != s.seen {
		s.log.Info("token issuer: signing keys were read again", "key", r.ID(), "keys", r.Count(), "certificate_ends", r.Ends())
	}
	if seen != s.seen {
		for _, w := range r.Warnings() {
			s.log.Warn("token issuer: the signing certificate " + w)
		}
	}
	s.seen = seen
}

// warn reminds of the certificate's end, once a day.
func (s *Source) warn(now time.Time) {
	r := s.current.Load()
	if r.EndsSoon(now) && (s.reminded.IsZero() || now.Sub(s.reminded) >= remindAfter) {
		s.reminded = now
		s.log.Warn("token issuer: the signing certificate ends soon: with it, every push and pull", "certificate_ends", r.Ends())
	}
}

// EndsSoon reports whether it is time to renew: in the last thirty days, or in the last third of a shorter life.
func (r *Ring) EndsSoon(now time.Time) bool {
	return r.Ends().Sub(now) < min(soonest, r.Life()/3)
}
