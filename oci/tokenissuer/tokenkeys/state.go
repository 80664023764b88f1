package tokenkeys

import "time"

// Keys is what a directory holds after a call.
type Keys struct {
	// Keys are the signing one, then those that wait to be it, then those that were.
	Keys []Key
	// AuthorityEnds is when the authority's certificate does.
	AuthorityEnds time.Time
	// AuthorityKey is the path of the authority's own key, if it is there: best it isn't, on the service's machine.
	AuthorityKey string
	// Made are the paths of files that the call made.
	Made []string
	// Dropped are the ids of keys that the call removed.
	Dropped []string
	// Warnings are what isn't as it should be, as sentences.
	Warnings []string
}

// Key is one signing key.
type Key struct {
	// ID is its RFC 7638 thumbprint: "kid" in grants.
	ID string
	// Made is when.
	Made time.Time
	// Ends is when its certificate does; zero for a replaced key, which has none.
	Ends time.Time
	// Replaced is since when another one signs; zero for a key that does or waits.
	Replaced time.Time
}

// UsableFrom is when a key that waits can be used.
func (k Key) UsableFrom() time.Time { return k.Made.Add(Spreading) }

// DroppableFrom is when the last grant of a replaced key has ended, where grants live for session.
func (k Key) DroppableFrom(session time.Duration) time.Time {
	return k.Replaced.Add(Spreading + session)
}
