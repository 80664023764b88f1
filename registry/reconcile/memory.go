package reconcile

import (
	"slices"
	"strings"
	"sync"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// memory is the projects whose repositories were orphaned when a run of this reconciler read or released them. A listing
// doesn't show that, and nobody reads the tags of what is wanted: without it, a project that is wanted again would wait for
// the audit to come round, its orphan would grow old enough to be purged meanwhile, and the guard wouldn't count it.
type memory struct {
	mu       sync.Mutex
	orphaned map[string]struct{}
}

func (m *memory) add(project string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.orphaned == nil {
		m.orphaned = map[string]struct{}{}
	}
	m.orphaned[project] = struct{}{}
}

func (m *memory) forget(project string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.orphaned, project)
}

// wantedAgain are the wanted projects of which the repository was orphaned. What isn't listed any more is forgotten.
func (m *memory) wantedAgain(listed []provider.Repository, there []pair) []pair {
	m.mu.Lock()
	defer m.mu.Unlock()
	for project := range m.orphaned {
		_, found := slices.BinarySearchFunc(listed, project, func(r provider.Repository, name string) int {
			return strings.Compare(r.Project, name)
		})
		if !found {
			delete(m.orphaned, project)
		}
	}
	if len(m.orphaned) == 0 {
		return nil
	}
	var again []pair
	for _, p := range there {
		if _, ok := m.orphaned[p.project.Name]; ok {
			again = append(again, p)
		}
	}
	return again
}
