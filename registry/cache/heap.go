package cache

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
