package policy

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// None of these lets *, ?, $ or white space through: what they match may become part of a policy.
var (
	accountPattern   = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern    = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,20}){1,3}-[0-9]{1,3}$`)
	principalPattern = regexp.MustCompile(`^(role|user)/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$`)
)

// IsAccount reports whether s has an account id's form.
func IsAccount(s string) bool { return accountPattern.MatchString(s) }

// IsRegion reports whether s has a region's form.
func IsRegion(s string) bool { return regionPattern.MatchString(s) }

// ResolveRegion returns a region's partition and domain from the SDK's endpoint data. It guesses for unknown regions.
func ResolveRegion(region string) (partition, domain string, err error) {
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

// ParseARN is arn.Parse that fails on ARNs which no policy should hold.
func ParseARN(s string) (arn.ARN, bool) {
	a, err := arn.Parse(s)
	return a, err == nil && !strings.ContainsAny(s, "*?$ \t\r\n")
}

// IsPrincipal reports whether a is a role or a user, literally: an account's root isn't.
func IsPrincipal(a arn.ARN) bool {
	return a.Service == "iam" && a.Region == "" && IsAccount(a.AccountID) && principalPattern.MatchString(a.Resource)
}

// IsRoleARN reports whether the ARN of a principal is a role's.
func IsRoleARN(principal string) bool { return strings.Contains(principal, ":role/") }

// AssumedRole returns the account and role name of the ARN of an assumed role's session.
func AssumedRole(sessionARN string) (account, role string, ok bool) {
	a, err := arn.Parse(sessionARN)
	if err != nil || a.Service != "sts" {
		return "", "", false
	}
	parts := strings.Split(a.Resource, "/")
	if len(parts) != 3 || parts[0] != "assumed-role" {
		return "", "", false
	}
	return a.AccountID, parts[1], true
}

// IsRole reports whether an ARN is the role of that account and name, whatever its path.
func IsRole(text, account, name string) bool {
	a, err := arn.Parse(text)
	return err == nil && a.AccountID == account && a.Resource[strings.LastIndexByte(a.Resource, '/')+1:] == name
}

// AccountOf returns the account of an ARN, "" if it is none.
func AccountOf(text string) string {
	a, err := arn.Parse(text)
	if err != nil {
		return ""
	}
	return a.AccountID
}
