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

// imageRegistry is the image registry of an account and region, and the host of it that is handed out.
type imageRegistry struct{ handedOut, account, region string }

// agrees reports whether host, as ECR names the image registry, is what is handed out. ECR names one host for a registry that has
// several: FIPS and dual-stack ones are as good.
func (r imageRegistry) agrees(host string) bool {
	return host == r.handedOut || r.isOwn(host) && r.isOwn(r.handedOut)
}

func (r imageRegistry) isOwn(host string) bool {
	for _, fips := range []bool{false, true} {
		for _, dualStack := range []bool{false, true} {
			if own, err := imageHost(r.account, r.region, fips, dualStack); err == nil && own == host {
				return true
			}
		}
	}
	return false
}
