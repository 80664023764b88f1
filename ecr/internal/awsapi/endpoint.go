package awsapi

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/hostport"
)

// Endpoints are where AWS is asked.
type Endpoints struct {
	// STS and ECR are the hosts of endpoints of one's own; empty are AWS's.
	STS, ECR string
	// Plain: one of them is plain HTTP.
	Plain bool
	// STSRegion is the region that STS is asked in.
	STSRegion string
	// FIPS and DualStack are as the built clients have them: variables of the SDK's set them too.
	FIPS, DualStack bool
}

func endpointsOf(asked sts.Options, registry ecr.Options) Endpoints {
	e := Endpoints{
		STSRegion: asked.Region,
		FIPS:      registry.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled,
		DualStack: registry.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled,
	}
	for _, own := range []struct{ host, url *string }{{&e.STS, asked.BaseEndpoint}, {&e.ECR, registry.BaseEndpoint}} {
		if own.url != nil {
			*own.host = hostOf(*own.url)
			e.Plain = e.Plain || strings.HasPrefix(*own.url, "http://")
		}
	}
	return e
}

func checkEndpoints(asked sts.Options, registry ecr.Options, insecure bool) error {
	e := endpointsOf(asked, registry)
	for _, own := range []struct {
		variable string
		url      *string
	}{{"AWS_ENDPOINT_URL_STS", asked.BaseEndpoint}, {"AWS_ENDPOINT_URL_ECR", registry.BaseEndpoint}} {
		if err := checkEndpoint(own.url, insecure, e.FIPS || e.DualStack); err != nil {
			return fmt.Errorf("the endpoint set by %s or AWS_ENDPOINT_URL %w", own.variable, err)
		}
	}
	return nil
}

// checkEndpoint says what is wrong with a custom endpoint, without its text: it may hold a login.
func checkEndpoint(endpoint *string, insecure, variant bool) error {
	if endpoint == nil {
		return nil
	}
	u, err := url.Parse(*endpoint)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("must be an http or https URL")
	case u.User != nil:
		return errors.New("must not hold a login")
	case variant:
		return errors.New("can't be combined with use_fips or use_dual_stack: the AWS SDK refuses that")
	case u.Scheme == "http" && !insecure && !hostport.IsLoopback(u.Hostname()):
		return errors.New("is plain HTTP and not on loopback: use https, or declare it with insecure: true")
	}
	return nil
}

// hostOf is a URL's host, printable; empty if it has none.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return scrub.Printable(u.Host)
}

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
