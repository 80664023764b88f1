package client

import (
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// endlessKept is how long a credential is kept that doesn't expire: rights may go.
	endlessKept = 5 * time.Minute
	// reservePatience is how long a credential is asked for while there is a kept one, and reservePause how long not again, after that failed.
	reservePatience = 10 * time.Second
	reservePause    = 10 * time.Second
	// sweepAt is how many are kept before those that are over are looked for.
	sweepAt = 128
)

// shelf keeps credentials. Its zero value is empty.
type shelf struct {
	mu      sync.Mutex
	kept    map[provider.Request]item
	edition int // changes when something is forgotten
}

type item struct {
	credentials provider.Credentials
	asked       time.Time // when it was asked for, so before its life began
	renew       time.Time // when half of it is over, or another attempt is due
	last        time.Time // until when it is better than nothing
}

// before reports whether now is before t by all clocks that both have: the monotonic one stands still while the machine is suspended, the other may be
// set.
func before(now, t time.Time) bool { return now.Before(t) && now.Round(0).Before(t.Round(0)) }

// found is what is kept now.
type found struct {
	credentials provider.Credentials
	usable      bool // if it can't be renewed: a tenth of its life is left
	fresh       bool // it needs no renewing
}

// look returns what is kept for r, and the edition for put.
func (s *shelf) look(r provider.Request, now time.Time) (found, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.kept[r]
	usable := ok && i.usable(now)
	return found{credentials: i.credentials, usable: usable, fresh: usable && before(now, i.renew)}, s.edition
}

func (i item) usable(now time.Time) bool {
	return before(now, i.last) && !now.Round(0).Before(i.asked.Round(0)) // a clock that was set back tells nothing of ends
}

// put keeps what was asked for in that edition, unless something was forgotten since.
func (s *shelf) put(r provider.Request, c provider.Credentials, asked time.Time, edition int) {
	i := item{credentials: c, asked: asked, renew: asked.Add(endlessKept), last: asked.Add(2 * endlessKept)}
	if !c.ExpiresAt.IsZero() {
		life := c.ExpiresAt.Sub(asked)
		i.renew, i.last = asked.Add(life/2), asked.Add(life-life/10)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if edition != s.edition {
		return
	}
	if s.kept == nil {
		s.kept = map[provider.Request]item{}
	}
	if len(s.kept) >= sweepAt {
		now := time.Now()
		for other, i := range s.kept {
			if !i.usable(now) {
				delete(s.kept, other)
			}
		}
	}
	s.kept[r] = i
}

func (s *shelf) postpone(r provider.Request, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.kept[r]; ok {
		i.renew = until
		s.kept[r] = i
	}
}

func (s *shelf) drop(r provider.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, r)
}

func (s *shelf) forget(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edition++
	for r := range s.kept {
		if r.Project == project {
			delete(s.kept, r)
		}
	}
}
