package tokenissuer

import (
	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// grantedOf is what of the asked scopes may be had: all that may says of the projects' repositories, and pull of the shared ones. What doesn't fit into a
// token is left out.
func (s settings) grantedOf(asked []scope, may func(project string) provider.Access) []access {
	var granted []access
	size := 0
	for _, one := range asked {
		rights := provider.Access(0)
		if project, ok := s.projectOf(one.repository); ok {
			rights = may(project)
		} else if sharedrepo.Has(s.shared, one.repository) {
			rights = provider.Pull
		}
		a, ok := one.of(rights)
		if !ok {
			continue
		}
		const around = len(`{"type":"repository","name":"","actions":["pull","push"]},`)
		if size += around + len(one.repository); size <= maxAccess {
			granted = append(granted, a)
		}
	}
	return granted
}
