package identity

import (
	"maps"
	"time"
)

// shelf holds things that expire until they have been expired for a day, so that a server may run for long.
type shelf[T any] struct {
	things  map[string]T
	expiry  func(T) time.Time // zero: never
	clearAt int               // how many things there are when expired ones are looked for
}

const shelfSize = 4096

func newShelf[T any](expiry func(T) time.Time) shelf[T] {
	return shelf[T]{things: map[string]T{}, expiry: expiry, clearAt: shelfSize}
}

// put adds a thing, after it forgot what is long expired if there is twice as much as when it last did.
func (s *shelf[T]) put(id string, thing T, now time.Time) {
	if len(s.things) >= s.clearAt {
		old := now.Add(-24 * time.Hour)
		maps.DeleteFunc(s.things, func(_ string, t T) bool {
			expires := s.expiry(t)
			return !expires.IsZero() && expires.Before(old)
		})
		s.clearAt = max(shelfSize, 2*len(s.things))
	}
	s.things[id] = thing
}
