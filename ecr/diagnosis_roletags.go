package ecr

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkRoleTags assumes the push role as nobody does: without a project. With session_tags that has to be refused.
func (d *checkup) checkRoleTags(ctx context.Context) diagnosis.Finding {
	input, err := sessionInput(d.setup, d.push())
	if err != nil {
		return d.failed(ctx, opAssumePush, err)
	}
	input.Tags, input.Policy = nil, aws.String(policy.RoleTagProbe().Pasteable())
	role := aws.ToString(input.RoleArn)
	evidence := []slog.Attr{slog.String("arn", role), slog.String("session_name", aws.ToString(input.RoleSessionName))}
	s, err := d.try(ctx, input)
	switch {
	case err != nil && d.config.SessionTags && kindOf(ctx, opAssumePush, err) == provider.ErrAccessDenied:
		return passed("the push role can't be assumed without the session tag "+policy.TagProject+", so that no session has the role's own", evidence...)
	case err != nil:
		return d.failed(ctx, opAssumePush, err, evidence...)
	}
	evidence = append(evidence, slog.String("request_id", s.requestID))
	t, err := d.getToken(ctx, s, func(o *ecr.Options) { o.Retryer = once{} })
	d.hidden.hide(t.password.Reveal())
	name := role[strings.LastIndexByte(role, '/')+1:]
	switch r := refusalOf(err); {
	case err != nil && r.explicit && r.layer == "session policy":
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the push role itself bears one of the tags " + strings.Join(policy.Tags(), ", ") + ": a session without that tag counts as tagged so, and with " +
				policy.TagProject + " reaches that project's repository",
			Remedy: "take it off the role\naws iam list-role-tags --role-name " + name + "\naws iam untag-role --role-name " + name + " --tag-keys " +
				strings.Join(policy.Tags(), " ")}
	case err != nil:
		return d.failed(ctx, opToken, err, evidence...)
	case d.config.SessionTags:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the push role can be assumed without the session tag " + policy.TagProject + ", which session_tags sets",
			Remedy: "demand it in the role's trust policy (operator policies push-trust): beside sts:AssumeRole, the condition\n" +
				`"Null": {"aws:RequestTag/` + policy.TagProject + `": "false"}`}
	}
	return passed("the push role has no tag of its own that would count as a session's", evidence...)
}
