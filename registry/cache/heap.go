package cache

// byDropAt is a heap (container/heap) of entries: the first is the one that stops being usable first.
type byDropAt []*entry

func (h byDropAt) Len() int           { return len(h) }
func (h byDropAt) Less(i, j int) bool { return h[i].dropAt < h[j].dropAt }

func (h byDropAt) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *byDropAt) Push(e any) {
	entry := e.(*entry)
	entry.place = len(*h)
	*h = append(*h, entry)
}

func (h *byDropAt) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil // lets go of the secret
	*h = (*h)[:last]
	return e
}
