package ecr

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

// globalSTSRegion is the region that the endpoint without one is signed for (AWS General Reference, "AWS STS endpoints and quotas").
const globalSTSRegion = "us-east-1"

// regionalSTS matches the hosts of STS that name their region: public, FIPS and dual-stack ones, and those of VPC endpoints.
var regionalSTS = regexp.MustCompile(`^(?:vpce-[a-z0-9-]+\.)?sts(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?` +
	`(?:amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)

// stsRegionOf returns the region that requests to an endpoint of STS have to be signed for; empty where the endpoint's host doesn't say,
// as none and another service's in STS's place don't.
func stsRegionOf(endpoint *string) string {
	u, err := url.Parse(aws.ToString(endpoint))
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if host == "sts.amazonaws.com" {
		return globalSTSRegion
	}
	if m := regionalSTS.FindStringSubmatch(host); m != nil && policy.IsRegion(m[1]) {
		return m[1]
	}
	return ""
}
