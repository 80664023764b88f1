package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// Place is where the cloud is: its own account and region, the further regions that it has, and AWS's names for it all. It is
// never changed once made.
type Place struct {
	Account, Region string
	OtherRegions    []string
	Partition       string
	DNSSuffix       string // of the hosts of AWS's services
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// IsAccount reports whether s has the form of an account's id.
func IsAccount(s string) bool { return accountPattern.MatchString(s) }

func newPlace(account, region string, others []string) (Place, error) {
	if !IsAccount(account) {
		return Place{}, fmt.Errorf("account %q must be 12 digits", account)
	}
	p := Place{Account: account, Region: region, OtherRegions: slices.Clone(others)}
	var err error
	if p.Partition, p.DNSSuffix, err = partitionOf(region); err != nil {
		return Place{}, err
	}
	for _, other := range others {
		partition, _, err := partitionOf(other)
		if err != nil {
			return Place{}, err
		}
		if partition != p.Partition {
			return Place{}, fmt.Errorf("region %s is in partition %s, not in %s's %s", other, partition, region, p.Partition)
		}
	}
	return p, nil
}

// partitionOf asks the SDK's endpoint data for a region's partition and DNS suffix.
func partitionOf(region string) (id, dnsSuffix string, _ error) {
	if !regionPattern.MatchString(region) {
		return "", "", fmt.Errorf("%q is no region", region)
	}
	endpoint, err := ecr.NewDefaultEndpointResolver().ResolveEndpoint(region, ecr.EndpointResolverOptions{})
	if err != nil {
		return "", "", fmt.Errorf("region %q: %w", region, err)
	}
	return endpoint.PartitionID, strings.TrimPrefix(endpoint.URL, "https://api.ecr."+region+"."), nil
}

// HasRegion reports whether the cloud stands for a region.
func (p Place) HasRegion(region string) bool {
	return region == p.Region || slices.Contains(p.OtherRegions, region)
}

// Hosts of the image registry and of the APIs, from which a request's account and region are taken.
var (
	registryHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)
	apiHost      = regexp.MustCompile(`^(?:api\.ecr|ecr|ecr-fips|sts|sts-fips)\.([a-z0-9-]+)\.`)
)

const globalSTS = "amazonaws" // sts.amazonaws.com has this where others have a region

// dualStackDomains are those of dual-stack endpoints by partition, of APIs and of image registries.
var dualStackDomains = map[string][]string{
	"aws":        {"api.aws", "on.aws"},
	"aws-us-gov": {"api.aws", "on.aws"},
	"aws-cn":     {"api.amazonwebservices.com.cn", "on.amazonwebservices.com.cn"},
}

// Resolves reports whether there may be such a host: one of AWS's names in the domain of another partition is unknown.
// Of names that aren't AWS's the cloud knows nothing.
func (p Place) Resolves(host string) bool {
	for _, pattern := range []*regexp.Regexp{registryHost, apiHost} {
		if m := pattern.FindStringSubmatch(host); m != nil && m[len(m)-1] != globalSTS {
			domain := strings.TrimPrefix(host, m[0])
			return domain == p.DNSSuffix || slices.Contains(dualStackDomains[p.Partition], domain)
		}
	}
	return true
}

// RegistryHost is the name that AWS gives to the image registry of an account and region.
func (p Place) RegistryHost(account, region string) string {
	return account + ".dkr.ecr." + region + "." + p.DNSSuffix
}

// RegistryOfHost takes account and region from the name of an image registry; any other name is of the cloud's own.
func (p Place) RegistryOfHost(host string) (account, region string) {
	if m := registryHost.FindStringSubmatch(host); m != nil {
		return m[1], m[2]
	}
	return p.Account, p.Region
}

// RegionOfHost is the region in the name of an API's host; empty when the name doesn't say.
func RegionOfHost(host string) string {
	switch m := apiHost.FindStringSubmatch(host); {
	case m == nil:
		return ""
	case m[1] == globalSTS:
		return "us-east-1"
	default:
		return m[1]
	}
}
