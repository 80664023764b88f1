package cache

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// An index finds entries by their request. Reading takes no lock, so hits on one key don't slow each other down, as
// they would by a read lock's counter; writers take turns under the cache's lock. It is a hash table with open
// addressing, at most half full, that is replaced as a whole when it grows. A reader that still has the old table reads
// it as it was.
type index struct {
	seed    maphash.Seed
	slots   atomic.Pointer[[]slot] // a power of two
	used    int                    // slots that aren't nil
	entries int                    // slots that hold an entry
	deleted entry                  // its address marks a slot whose entry is gone, so that searches go on behind it
}

type slot = atomic.Pointer[entry]

func (x *index) init() {
	x.seed = maphash.MakeSeed()
	x.clear()
}

func (x *index) clear() {
	slots := make([]slot, 8)
	x.slots.Store(&slots)
	x.used, x.entries = 0, 0
}

// get returns r's entry, or nil.
func (x *index) get(r provider.Request) *entry {
	slots := *x.slots.Load()
	for i := x.first(r, slots); ; i = next(i, slots) {
		switch e := slots[i].Load(); {
		case e == nil:
			return nil
		case e.issued.For(r) && e != &x.deleted:
			return e
		}
	}
}

// put adds e, or replaces the entry of its request.
func (x *index) put(e *entry) {
	if 2*(x.used+1) > len(*x.slots.Load()) {
		x.rebuild()
	}
	slots := *x.slots.Load()
	var free *slot
	r := e.issued.Request()
	for i := x.first(r, slots); ; i = next(i, slots) {
		switch old := slots[i].Load(); {
		case old == nil:
			if free == nil {
				free = &slots[i]
				x.used++
			}
			free.Store(e)
			x.entries++
			return
		case old == &x.deleted:
			if free == nil {
				free = &slots[i]
			}
		case old.issued.For(r):
			slots[i].Store(e)
			return
		}
	}
}

// remove removes r's entry, if there is one.
func (x *index) remove(r provider.Request) {
	slots := *x.slots.Load()
	for i := x.first(r, slots); ; i = next(i, slots) {
		switch e := slots[i].Load(); {
		case e == nil:
			return
		case e.issued.For(r) && e != &x.deleted:
			slots[i].Store(&x.deleted)
			x.entries--
			return
		}
	}
}

// rebuild replaces the table by one that is at most a quarter full and holds no marks.
func (x *index) rebuild() {
	old := *x.slots.Load()
	slots := make([]slot, 1<<bits.Len(uint(4*max(x.entries, 2)-1)))
	for i := range old {
		e := old[i].Load()
		if e == nil || e == &x.deleted {
			continue
		}
		at := x.first(e.issued.Request(), slots)
		for slots[at].Load() != nil {
			at = next(at, slots)
		}
		slots[at].Store(e)
	}
	x.used = x.entries
	x.slots.Store(&slots)
}

func (x *index) first(r provider.Request, slots []slot) int {
	return int(maphash.Comparable(x.seed, r) & uint64(len(slots)-1)) //nolint:gosec // smaller than len(slots)
}

func next(i int, slots []slot) int { return (i + 1) & (len(slots) - 1) }
