package cache

import (
	"sync"
	"sync/atomic"
)

// A counter counts without goroutines on different processors fighting for one cache line. Each takes the cell that its
// processor used last: what a sync.Pool is good at.
type counter struct {
	cells   [32]cell
	handed  atomic.Uint32
	byLocal sync.Pool
}

type cell struct {
	n atomic.Uint64
	_ [120]byte // two cache lines, as processors fetch them in pairs
}

func (c *counter) init() {
	c.byLocal.New = func() any { return &c.cells[int(c.handed.Add(1))%len(c.cells)] }
}

func (c *counter) add() {
	cell := c.byLocal.Get().(*cell)
	cell.n.Add(1)
	c.byLocal.Put(cell)
}

func (c *counter) sum() uint64 {
	var sum uint64
	for i := range c.cells {
		sum += c.cells[i].n.Load()
	}
	return sum
}
