package endpoint

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// memory remembers something of projects for a while. It has two halves: what came lately, and what came before that, which goes
// when the new half is full or as old as anything is remembered. So it holds nothing for much longer than it is good for, and whoever
// fills it pushes out little that is in use.
type memory[V any] struct {
	lasts time.Duration
	half  int // how many fit into one

	recent, old map[provider.Project]remembered[V]
	turned      time.Time
}

type remembered[V any] struct {
	value V
	until time.Time
}

func (m *memory[V]) get(p provider.Project, now time.Time) (V, bool) {
	r, ok := m.recent[p]
	if !ok {
		r, ok = m.old[p]
	}
	return r.value, ok && now.Before(r.until)
}

func (m *memory[V]) put(p provider.Project, value V, now time.Time) {
	if m.recent == nil || now.Sub(m.turned) >= m.lasts || len(m.recent) >= m.half {
		m.recent, m.old, m.turned = map[provider.Project]remembered[V]{}, m.recent, now
	}
	m.recent[p] = remembered[V]{value, now.Add(m.lasts)}
}

func (m *memory[V]) forget(p provider.Project) {
	delete(m.recent, p)
	delete(m.old, p)
}
