package reconcile

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// memory is the projects whose repositories were orphaned when a run of this reconciler read or released them. A listing
// doesn't show that, and nobody reads the tags of what is wanted: without it, a project that is wanted again would wait for
// the audit to come round, and its orphan would grow old enough to be purged meanwhile. What was purged no tag shows at all.
type memory struct {
	mu sync.Mutex
	// orphaned is since when they are known to be, without anybody wanting them, by the registry's clock; zero if it didn't say.
	orphaned map[string]time.Time
	// gone is when repositories were purged, by the registry's clock, maybe: the answer may be lost.
	gone map[string]time.Time
	// returned is when repositories that were orphaned were last found not to be, by the registry's clock: somebody else's list
	// has them.
	returned time.Time
}

func (m *memory) restored(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.After(m.returned) {
		m.returned = at
	}
}

// restoredLately tells whether somebody else restored what this reconciler knew, in the time that the guard looks at.
func (m *memory) restoredLately(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.returned.IsZero() && now.Sub(m.returned) < guardWindow
}

func (m *memory) purged(project string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone == nil {
		m.gone = map[string]time.Time{}
	}
	m.gone[project] = at
}

// remains says that a repository is there that could have been purged.
func (m *memory) remains(project string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.gone, project)
}

// lately is how many repositories were purged in the time that the guard looks at.
func (m *memory) lately(now time.Time) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for project, at := range m.gone {
		if now.Sub(at) >= guardWindow {
			delete(m.gone, project)
		}
	}
	return len(m.gone)
}

func (m *memory) add(project string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.orphaned == nil {
		m.orphaned = map[string]time.Time{}
	}
	if m.orphaned[project].IsZero() {
		m.orphaned[project] = now
	}
}

// unwanted tells whether a repository has been known to be orphaned, and nobody wanted it, for as long as the guard looks back.
func (m *memory) unwanted(project string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := m.orphaned[project]
	return !since.IsZero() && now.Sub(since) >= guardWindow
}

// forget is for what isn't orphaned. It reports whether it was known to be.
func (m *memory) forget(project string) (known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known = m.orphaned[project]
	delete(m.orphaned, project)
	return known
}

// wantedAgain are the wanted projects of which the repository was orphaned. What isn't listed any more is forgotten.
func (m *memory) wantedAgain(listed []repository.Repository, there []pair, now time.Time) []pair {
	m.mu.Lock()
	defer m.mu.Unlock()
	for project := range m.orphaned {
		_, found := slices.BinarySearchFunc(listed, project, func(r repository.Repository, name string) int {
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
			m.orphaned[p.project.Name] = now // in case that it can't be restored
		}
	}
	return again
}
