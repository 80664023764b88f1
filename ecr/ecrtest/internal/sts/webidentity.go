package sts

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

const withWebIdentity = "AssumeRoleWithWebIdentity"

func assumeRoleWithWebIdentity(q *request) (any, *awserr.Error) {
	role, aerr := parseRole(q.form)
	if aerr != nil {
		return nil, aerr
	}
	if err := checkText(q.form, "WebIdentityToken", "webIdentityToken", 4, 20000, nil); err != nil {
		err.Message = "1 validation error detected: Value at 'webIdentityToken' has an invalid length" // not the token
		return nil, err
	}
	web, aerr := q.cloud.Providers.Verify(q.form.Get("WebIdentityToken"))
	if aerr != nil {
		return nil, aerr
	}
	federated := map[string]string{web.Provider.Issuer + ":aud": web.Audience, web.Provider.Issuer + ":sub": web.Subject}
	ctx := q.conditions()
	ctx.Set("sts:RoleSessionName", role.sessionName)
	for key, value := range federated {
		ctx.Set(key, value)
	}
	target := q.cloud.Roles.ByARN(role.arn)
	if target != nil && target.Account != web.Provider.Account {
		target = nil
	}
	decision := target.Trusts(iam.Principal{Federated: web.Provider.ARN}, "sts:"+withWebIdentity, ctx)
	q.call.Resource, q.call.Decision = role.arn, decision.String()
	if !decision.Allowed {
		return nil, awserr.Forbidden("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	if role.duration > target.Definition.MaxSessionDuration {
		return nil, tooLong()
	}
	now := q.cloud.Now().Truncate(time.Second)
	result := newAssumedRole(withWebIdentity, q.cloud.Keys.AddForSession(&identity.Session{
		Role: target, Name: role.sessionName, Policies: role.policies, Federated: federated, Issued: now,
		Expires: now.Add(role.duration),
	}))
	result.Subject, result.Provider, result.Audience = web.Subject, web.Provider.ARN, web.Audience
	return result, nil
}
