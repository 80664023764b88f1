package ecr

import (
	"regexp"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
)

var (
	accountHost  = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)
	endpointHost = regexp.MustCompile(`(?:^|\.)dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.vpce\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$`)
)

// NamesRegistry implements [provider.HostNamer]: the account's registry has names for FIPS and dual stack, and images in other regions may be
// copies of this one's, which the same nodes pull. An endpoint of PrivateLink doesn't say whose registry it leads to, so it may be this one.
func (p *Provider) NamesRegistry(host string) bool {
	if endpointHost.MatchString(host) {
		return true
	}
	parts := accountHost.FindStringSubmatch(host)
	return parts != nil && parts[1] == p.config.AccountID && policy.IsRegion(parts[2]) &&
		imageRegistry{account: p.config.AccountID, region: parts[2]}.isOwn(host)
}

// SharesRepository implements [provider.RepositorySharer]: it reports whether repository is one of SharedRepositories.
func (p *Provider) SharesRepository(_, repository string) bool {
	return sharedrepo.Has(p.config.SharedRepositories, repository)
}
