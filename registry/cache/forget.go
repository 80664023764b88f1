package cache

import (
	"maps"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Forgetter is the capability to let go of credentials that are kept. Find it with [provider.As], which looks through
// decorators; a provider without it keeps none.
type Forgetter interface {
	// Forget lets go of a project's.
	Forget(project string)
	// ForgetAll lets go of everybody's.
	ForgetAll()
}

// Forget drops all credentials that are kept for project, of every id that the name has had, every access, consumer and caller,
// and what is remembered of failures. An issue that is running is left to those who wait for it, but its result isn't kept, and who asks from now
// on gets one that was issued after Forget: what the wrapped provider keeps for itself it forgets first, if that has a method
// Forget too. An empty project stands for the credential for all projects, which no other
// call of Forget touches.
//
// It only forgets. The upstream revokes nothing: a credential that was handed out works until it expires. It looks at
// everything that is kept, which takes milliseconds; hits don't wait for it.
func (c *Cache) Forget(project string) {
	its := func(r provider.Request) bool { return r.Project == project && r.AllProjects == (project == "") }
	if p, ok := provider.As[interface{ Forget(project string) }](c.provider); ok {
		p.Forget(project)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var entries []*entry
	for _, e := range c.kept.heap {
		if its(e.issued.Request()) {
			entries = append(entries, e)
		}
	}
	for _, e := range entries {
		c.kept.drop(e)
	}
	c.forgetIssues(its)
}

// ForgetAll is [Cache.Forget] for every project, and for all projects: what to do when the upstream doesn't take any more what it
// issued, as after a role was made again or its sessions were revoked. What the wrapped provider keeps for itself it forgets first, if that
// has a method ForgetAll too.
func (c *Cache) ForgetAll() {
	if p, ok := provider.As[interface{ ForgetAll() }](c.provider); ok {
		p.ForgetAll()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.dropAll()
	c.forgetIssues(func(provider.Request) bool { return true })
}

// forgetIssues forgets failures, and sees to it that the issues which are running aren't kept.
func (c *Cache) forgetIssues(its func(provider.Request) bool) {
	maps.DeleteFunc(c.failures, func(r provider.Request, _ failure) bool { return its(r) })
	maps.DeleteFunc(c.calls, func(r provider.Request, k *call) bool {
		k.forgotten = k.forgotten || (k.running && its(r))
		return k.forgotten
	})
}
