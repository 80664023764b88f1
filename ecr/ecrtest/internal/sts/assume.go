package sts

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

func assumeRole(q *request) (any, *awserr.Error) {
	role, aerr := parseRole(q.form)
	if aerr != nil {
		return nil, aerr
	}
	session, aerr := parseSession(q.form)
	if aerr != nil {
		return nil, aerr
	}
	if aerr := inherit(session, q.who.Session); aerr != nil {
		return nil, aerr
	}
	target := q.cloud.Roles.ByARN(role.arn)
	if aerr := mayAssume(q, role, session, target); aerr != nil {
		return nil, aerr
	}
	switch {
	case q.who.Session != nil && role.duration > time.Hour:
		return nil, awserr.New("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case role.duration > target.Definition.MaxSessionDuration:
		return nil, tooLong()
	}
	session.Role, session.Name, session.Policies = target, role.sessionName, role.policies
	session.Issued = q.cloud.Now().Truncate(time.Second)
	session.Expires = session.Issued.Add(role.duration)
	return newAssumedRole("AssumeRole", q.cloud.Keys.AddForSession(session)), nil
}

// inherit adds what a session that is made by another one has of that: transitive tags and the source identity.
func inherit(session, from *identity.Session) *awserr.Error {
	if from == nil {
		return nil
	}
	for key, value := range from.Tags {
		lower := strings.ToLower(key)
		if !from.Transitive[lower] {
			continue
		}
		for own := range session.Tags {
			if strings.EqualFold(own, key) {
				return awserr.New("InvalidParameterValue", "One of the specified tag keys can't be set because it "+
					"conflicts with a transitive tag key from the calling session: %s", own)
			}
		}
		session.Tags[key], session.Transitive[lower] = value, true
	}
	if from.SourceID != "" {
		if session.SourceID != "" && session.SourceID != from.SourceID {
			return awserr.Forbidden("AccessDenied", "Source identity of the calling session can't be changed")
		}
		session.SourceID = from.SourceID
	}
	return nil
}

// mayAssume decides all that assuming a role takes.
func mayAssume(q *request, role roleParameters, session *identity.Session, target *identity.Role) *awserr.Error {
	ctx := q.conditions()
	ctx.Set("sts:RoleSessionName", role.sessionName)
	if q.form.Has("ExternalId") {
		ctx.Set("sts:ExternalId", q.form.Get("ExternalId"))
	}
	actions := []string{"sts:AssumeRole"}
	if len(session.Tags) > 0 {
		cloud.SetRequestTags(ctx, session.Tags)
		actions = append(actions, "sts:TagSession")
	}
	if len(session.Transitive) > 0 {
		ctx.Set("sts:TransitiveTagKeys", slices.Collect(maps.Keys(session.Transitive))...)
	}
	if session.SourceID != "" {
		ctx.Set("sts:SourceIdentity", session.SourceID)
		actions = append(actions, "sts:SetSourceIdentity")
	}
	q.call.Resource = role.arn
	for _, action := range actions {
		decision := q.cloud.DecideAssume(q.who, target, action, ctx)
		q.call.Decision = decision.String()
		if !decision.Allowed {
			// STS names no cause, so that nobody learns about roles of others.
			return awserr.Forbidden("AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", q.who.ARN(),
				action, role.arn)
		}
	}
	return nil
}
