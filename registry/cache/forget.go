package cache

import "github.com/rise-deploy/rise-registry-go/provider"

// Forgetter is the capability to let go of a project's credentials. Find it with [provider.As], which looks through
// decorators; a provider without it keeps none.
type Forgetter interface {
	Forget(project string)
}

// Forget drops all credentials that are kept for project, of every access and consumer, and what is remembered of
// failures. An issue that is running is left to those who wait for it, but its result isn't kept, and who asks from now
// on gets one that was issued after Forget. An empty project stands for the credential for all projects, which no other
// call of Forget touches.
//
// It only forgets. The upstream revokes nothing: a credential that was handed out works until it expires.
func (c *Cache) Forget(project string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, access := range []provider.Access{provider.Pull, provider.Push} {
		for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
			c.forget(provider.Request{Project: project, AllProjects: project == "", Access: access, Consumer: consumer})
		}
	}
}

func (c *Cache) forget(r provider.Request) {
	c.kept.dropRequest(r)
	delete(c.failures, r)
	if k := c.calls[r]; k != nil && k.running {
		k.forgotten = true
		delete(c.calls, r)
	}
}
