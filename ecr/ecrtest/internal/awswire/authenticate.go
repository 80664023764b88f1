package awswire

import (
	"net"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

// DescribeSignature fills in what a request claims by its signature: Region, by default the cloud's, and AccessKeyID.
func DescribeSignature(cl *cloud.Cloud, r *http.Request, c *Call) {
	c.Region = cl.Region
	if sig, err := parseSignature(r.Header.Get("Authorization")); err == nil {
		c.Region, c.AccessKeyID = sig.region, sig.accessKeyID
	}
}

// Authenticate finds out who signed a request to a service, as signatures name it, and completes c. It locks the cloud for a
// moment.
func Authenticate(cl *cloud.Cloud, r *http.Request, body []byte, service string, c *Call) (identity.Caller, *awserr.Error) {
	sig, aerr := parseSignature(r.Header.Get("Authorization"))
	if aerr != nil {
		return identity.Caller{}, aerr
	}
	now := cl.Now()
	cl.Lock()
	key := cl.Keys.ByID(sig.accessKeyID)
	gone := key == nil || key.Who.Deleted()
	cl.Unlock()
	if gone || r.Header.Get("X-Amz-Security-Token") != key.Token {
		return identity.Caller{}, awserr.Forbidden("InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	if sig.service != service {
		return identity.Caller{}, awserr.Forbidden("SignatureDoesNotMatch",
			"Credential should be scoped to correct service: '%s'.", service)
	}
	if want := cloud.RegionOfHost(r.Host); !cl.HasRegion(sig.region) || want != "" && want != sig.region {
		return identity.Caller{}, awserr.Forbidden("SignatureDoesNotMatch", "Credential should be scoped to a valid region.")
	}
	if aerr := sig.verify(r, body, key.Secret, key.Token, now); aerr != nil {
		return identity.Caller{}, aerr
	}
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return identity.Caller{}, awserr.Forbidden("ExpiredToken", "The security token included in the request is expired")
	}
	c.Region, c.Principal = sig.region, key.Who.ARN()
	return key.Who, nil
}

// Conditions are the condition keys of a request by who (the zero Caller for a service or an OIDC provider) in a region.
func Conditions(cl *cloud.Cloud, who identity.Caller, region string, r *http.Request) iam.Context {
	ctx := cl.Conditions(who, region)
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil { // in memory there is no address
		ctx.Set("aws:SourceIp", host)
	}
	if agent := r.UserAgent(); agent != "" {
		ctx.Set("aws:UserAgent", agent)
	}
	return ctx
}
