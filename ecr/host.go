package ecr

import (
	"fmt"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

// dualStackSuffixes are the domains of dual-stack image registries by partition (ECR User Guide, "Making requests to
// Amazon ECR registries"). The SDK's endpoint data has no image registries.
var dualStackSuffixes = map[string]string{
	"aws":        "on.aws",
	"aws-us-gov": "on.aws",
	"aws-cn":     "on.amazonwebservices.com.cn",
}

// imageHost returns the host of an account's image registry.
func imageHost(account, region string, fips, dualStack bool) (string, error) {
	partition, domain, err := policy.ResolveRegion(region)
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
