package cache

import (
	"container/heap"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A store holds the entries. Only get may be called without the cache's lock.
type store struct {
	index
	heap byDropAt
	hand int // where in the heap the search for the next to evict goes on
}

// keep adds e, or puts it in the place of the entry for its request. It returns how many others had to go for it.
func (s *store) keep(e *entry, limit int, now time.Time) (evicted uint64) {
	if old := s.get(e.issued.Request()); old != nil {
		e.used.Store(old.used.Load())
		e.place = old.place
		s.heap[e.place] = e
		heap.Fix(&s.heap, int(e.place))
		s.put(e)
		return 0
	}
	for ; len(s.heap) >= limit; evicted++ {
		s.drop(s.leastUsed(now))
	}
	heap.Push(&s.heap, e)
	s.put(e)
	return evicted
}

// leastUsed returns an entry that is of no use any more, or else one that wasn't used since the search passed it last (the
// clock algorithm: the heap is as good a circle as any). It looks at each entry once at most before it finds one, and in the
// long run at one or two.
func (s *store) leastUsed(now time.Time) *entry {
	if first := s.heap[0]; !first.usable(now) {
		return first
	}
	for {
		s.hand %= len(s.heap)
		e := s.heap[s.hand]
		s.hand++ // also behind one that goes: a new one takes its place
		if !e.used.Swap(false) {
			return e
		}
	}
}

func (s *store) drop(e *entry) {
	heap.Remove(&s.heap, int(e.place))
	s.remove(e.issued.Request())
}

func (s *store) dropRequest(r provider.Request) {
	if e := s.get(r); e != nil {
		s.drop(e)
	}
}

func (s *store) dropAll() {
	s.clear()
	s.heap = nil
}

// dropUnusable drops what isn't usable any more, at most limit entries, and reports whether it left some.
func (s *store) dropUnusable(now time.Time, limit int) (more bool) {
	for ; len(s.heap) > 0 && !s.heap[0].usable(now); limit-- {
		if limit == 0 {
			return true
		}
		s.drop(s.heap[0])
	}
	return false
}

// byDropAt is a heap (container/heap) of entries: the first is the one that stops being usable first. It goes by the monotonic clock: a wall
// clock that jumps moves all entries alike, so that only one issued after the jump, for a shorter life, may be out of order with them.
type byDropAt []*entry

func (h byDropAt) Len() int           { return len(h) }
func (h byDropAt) Less(i, j int) bool { return h[i].dropAt.Before(h[j].dropAt) }

func (h byDropAt) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j) //nolint:gosec // entries are far fewer than that
}

func (h *byDropAt) Push(e any) {
	entry := e.(*entry)
	entry.place = int32(len(*h)) //nolint:gosec // as above
	*h = append(*h, entry)
}

func (h *byDropAt) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil // lets go of the secret
	*h = (*h)[:last]
	return e
}
