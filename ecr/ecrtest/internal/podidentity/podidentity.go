// Package podidentity is the credentials endpoint of the EKS Pod Identity Agent: a pod asks with its token, by the path of
// its association, and gets a session of the association's role.
package podidentity

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

// Path is what the paths of all associations begin with; the association's id follows.
const Path = "/pod-identity/"

const (
	service  = "pods.eks.amazonaws.com"
	duration = 6 * time.Hour
)

// Protocol is the agent's.
type Protocol struct{ cloud *cloud.Cloud }

// New makes the agent of a cloud.
func New(c *cloud.Cloud) *Protocol { return &Protocol{c} }

// Describe implements awswire.Protocol.
func (p *Protocol) Describe(_ *http.Request, _ []byte, c *awswire.Call) {
	c.Action, c.Region = "AssumeRoleForPodIdentity", p.cloud.Region
}

// Fail implements awswire.Protocol.
func (p *Protocol) Fail(e *awserr.Error, _ *awswire.Call) awswire.Response {
	resp := answer(e.Status, map[string]string{"code": e.Code, "message": e.Message})
	resp.Code = e.Code
	return resp
}

func answer(status int, fields map[string]string) awswire.Response {
	body, _ := json.Marshal(fields) // plain strings
	return awswire.Response{Status: status, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
}

// Handle implements awswire.Protocol.
func (p *Protocol) Handle(r *http.Request, _ []byte, c *awswire.Call) awswire.Response {
	key, aerr := p.assumeRole(r, c)
	if aerr != nil {
		return p.Fail(aerr, c)
	}
	return answer(http.StatusOK, map[string]string{
		"AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.Token, "AccountId": key.Who.Account(),
		"Expiration": key.Expires.UTC().Format(time.RFC3339),
	})
}

func (p *Protocol) assumeRole(r *http.Request, c *awswire.Call) (*identity.Key, *awserr.Error) {
	p.cloud.Lock()
	defer p.cloud.Unlock()
	pod := p.cloud.Pods.ByID(strings.TrimPrefix(r.URL.Path, Path))
	if pod == nil || r.Method != http.MethodGet ||
		subtle.ConstantTimeCompare([]byte(pod.Token), []byte(r.Header.Get("Authorization"))) != 1 {
		return nil, unauthorized()
	}
	if aerr := p.cloud.Quotas.Take(p.cloud.Account, c.Region, c.Name()); aerr != nil {
		return nil, aerr
	}
	target := p.cloud.Roles.ByARN(pod.RoleARN)
	ctx := awswire.Conditions(p.cloud, identity.Caller{}, c.Region, r)
	ctx.Set("sts:RoleSessionName", pod.SessionName)
	ctx.Set("aws:SourceAccount", p.cloud.Account)
	ctx.Set("aws:SourceArn", pod.ClusterARN)
	cloud.SetRequestTags(ctx, pod.Tags)
	c.Resource = pod.RoleARN
	for _, action := range []string{"sts:AssumeRole", "sts:TagSession"} {
		decision := target.Trusts(iam.Principal{Service: service}, action, ctx)
		c.Decision = decision.String()
		if !decision.Allowed {
			return nil, unauthorized()
		}
	}
	transitive := map[string]bool{}
	for key := range pod.Tags {
		transitive[key] = true
	}
	now := p.cloud.Now().Truncate(time.Second)
	return p.cloud.Keys.AddForSession(&identity.Session{Role: target, Name: pod.SessionName, Tags: pod.Tags,
		Transitive: transitive, Issued: now, Expires: now.Add(duration)}), nil
}

func unauthorized() *awserr.Error {
	return awserr.Forbidden("AccessDeniedException",
		"Unauthorized Exception! EKS does not have permissions to assume the associated role.")
}
