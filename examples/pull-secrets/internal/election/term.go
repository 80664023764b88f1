package election

import (
	"errors"
	"sync"
	"time"
)

// ErrOver is what [Term.Check] returns once another replica may be leading.
var ErrOver = errors.New("this replica doesn't lead any longer")

// A Term is one time of leading. It is safe for concurrent use.
type Term struct {
	mu    sync.Mutex
	until time.Time
}

// Check is to be called before each write: a process that was stopped, or whose machine slept, goes on in the middle of what it did, before any timer
// fires. It goes by the monotonic clock, which stands still while a machine sleeps, and by the wall clock.
func (t *Term) Check() error {
	now := time.Now()
	if until := t.end(); !now.Before(until) || !now.Round(0).Before(until.Round(0)) {
		return ErrOver
	}
	return nil
}

func (t *Term) end() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until
}

func (t *Term) extend(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = until
}
