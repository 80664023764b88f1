package ecr

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// dualStackSuffixes are the domains of dual-stack image registries by partition (ECR User Guide, "Making requests to
// Amazon ECR registries"). The SDK's endpoint data has no image registries.
var dualStackSuffixes = map[string]string{
	"aws":        "on.aws",
	"aws-us-gov": "on.aws",
	"aws-cn":     "on.amazonwebservices.com.cn",
}

// resolveRegion returns a region's partition and domain from the SDK's endpoint data. It guesses for unknown regions.
func resolveRegion(region string) (partition, domain string, err error) {
	endpoint, err := ecr.NewDefaultEndpointResolver().ResolveEndpoint(region, ecr.EndpointResolverOptions{})
	if err != nil {
		return "", "", err
	}
	u, err := url.Parse(endpoint.URL)
	if err != nil {
		return "", "", err
	}
	_, domain, ok := strings.Cut(u.Hostname(), "."+region+".")
	if !ok || endpoint.PartitionID == "" {
		return "", "", fmt.Errorf("region %s: no domain in endpoint %s", region, endpoint.URL)
	}
	return endpoint.PartitionID, domain, nil
}

// imageHost returns the host of an account's image registry.
func imageHost(account, region string, fips, dualStack bool) (string, error) {
	partition, domain, err := resolveRegion(region)
	if err != nil {
		return "", err
	}
	service := "dkr.ecr"
	if dualStack {
		service = "dkr-ecr"
		if domain = dualStackSuffixes[partition]; domain == "" {
			return "", fmt.Errorf("no dual-stack image registry is known in partition %s", partition)
		}
	}
	if fips {
		service += "-fips"
	}
	return fmt.Sprintf("%s.%s.%s.%s", account, service, region, domain), nil
}
