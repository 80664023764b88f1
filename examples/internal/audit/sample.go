package audit

import (
	"sync"
	"time"
)

const (
	// window is how often what was left out is said.
	window = time.Minute
	// wholeOfOne are written of one sender's refusals in a window, and wholeOfAll bytes of everybody's.
	wholeOfOne = 5
	wholeOfAll = 256 << 10
	// maxSenders are told apart in a window; the others count together.
	maxSenders = 512
)

// refusal is what is counted together.
type refusal struct {
	message string // of its records
	status  int
	code    string
	who     string // a subject or an address; empty: others
}

type counted struct {
	seen, more int
	since      time.Time // of the first that isn't written
}

// sampler chooses which refusals are written: the first ones of each sender, for as long as there is room. The others are counted, and said once a window.
type sampler struct {
	say func(refusal, counted)

	saying sync.Mutex // held until all of a window is said
	mu     sync.Mutex
	all    map[refusal]*counted
	bytes  int
	timer  *time.Timer
}

// whole reports whether a refusal is written as it is; then wrote has to be told how long it was.
func (s *sampler) whole(r refusal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[refusal]*counted{}
		s.timer = time.AfterFunc(window, s.flush)
	}
	c := s.all[r]
	if c == nil && len(s.all) >= maxSenders {
		r.who = ""
		c = s.all[r]
	}
	if c == nil {
		c = &counted{}
		s.all[r] = c
	}
	c.seen++
	if r.who != "" && c.seen <= wholeOfOne && s.bytes < wholeOfAll {
		return true
	}
	if c.more++; c.more == 1 {
		c.since = time.Now()
	}
	return false
}

func (s *sampler) wrote(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += bytes
}

// flush says what was counted, and begins a new window with the next refusal.
func (s *sampler) flush() {
	s.saying.Lock()
	defer s.saying.Unlock()
	s.mu.Lock()
	all := s.all
	if s.timer != nil {
		s.timer.Stop()
	}
	s.all, s.bytes = nil, 0
	s.mu.Unlock()
	for r, c := range all {
		if c.more > 0 {
			s.say(r, *c)
		}
	}
}
