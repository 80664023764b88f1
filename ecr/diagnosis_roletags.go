package ecr

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkRoleTags assumes the push role as nobody does: without a project. With session_tags that has to be refused.
func (d *checkup) checkRoleTags(ctx context.Context) diagnosis.Finding {
	input, err := sessionInput(d.setup, d.push())
	if err != nil {
		return d.failed(ctx, failure.OpAssumePush, err)
	}
	input.Tags, input.Policy = nil, policy.RoleTagProbe().Pasteable()
	role := input.RoleARN
	evidence := []slog.Attr{slog.String("arn", role), slog.String("session_name", input.Name)}
	s, err := d.once.Assume(ctx, failure.OpAssumePush, input, d.controller)
	switch {
	case err != nil && d.config.SessionTags && errors.Is(err, provider.ErrAccessDenied):
		return passed("the push role can't be assumed without the session tag "+policy.TagProject+", so that no session has the role's own", evidence...)
	case err != nil:
		return d.failed(ctx, failure.OpAssumePush, err, evidence...)
	}
	evidence = append(evidence, requestID(s.RequestID))
	_, err = d.once.Token(ctx, s)
	name := role[strings.LastIndexByte(role, '/')+1:]
	switch reason := failure.Of(err); {
	case reason != nil && reason.Refusal().Explicit && reason.Refusal().Layer == "session policy":
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the push role itself bears one of the tags " + strings.Join(policy.Tags(), ", ") + ": a session without that tag counts as tagged so, and with " +
				policy.TagProject + " reaches that project's repository",
			Remedy: "take it off the role\naws iam list-role-tags --role-name " + name + "\naws iam untag-role --role-name " + name + " --tag-keys " +
				strings.Join(policy.Tags(), " ")}
	case err != nil:
		return d.failed(ctx, failure.OpToken, err, evidence...)
	case d.config.SessionTags:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the push role can be assumed without the session tag " + policy.TagProject + ", which session_tags sets",
			Remedy: "demand it in the role's trust policy (operator policies push-trust): beside sts:AssumeRole, the condition\n" +
				`"Null": {"aws:RequestTag/` + policy.TagProject + `": "false"}`}
	}
	return passed("the push role has no tag of its own that would count as a session's", evidence...)
}
