package ecr

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// ownTags are the keys that repositories, and sessions of one project, are known by.
var ownTags = []string{tagProject, tagProjectID, tagInstallation, tagManaged, tagOrphaned, tagOrphanedAt, tagSuspended}

// tagProbe is a session policy under which a token can be had only where the role has no such tag itself: aws:PrincipalTag shows
// a role's tags in sessions that have none of that key (IAM User Guide, "aws:PrincipalTag/tag-key"). Whoever reads the role's
// tags needs iam:GetRole, and the IAM SDK.
func tagProbe() string {
	statements := []object{allow([]string{actionToken}, "*")}
	for _, key := range ownTags {
		statements = append(statements, object{"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": object{"Null": object{"aws:PrincipalTag/" + key: "false"}}})
	}
	return policyOf(statements...)
}

// checkRoleTags assumes the push role as nobody does: without a project. With session_tags that has to be refused.
func (d *checkup) checkRoleTags(ctx context.Context) diagnosis.Finding {
	input, err := d.sessionInput(d.push())
	if err != nil {
		return d.failed(ctx, opAssumePush, err)
	}
	input.Tags, input.Policy = nil, aws.String(tagProbe())
	role := aws.ToString(input.RoleArn)
	evidence := []slog.Attr{slog.String("arn", role), slog.String("session_name", aws.ToString(input.RoleSessionName))}
	s, err := d.try(ctx, input)
	switch {
	case err != nil && d.config.SessionTags && kindOf(ctx, opAssumePush, err) == provider.ErrAccessDenied:
		return passed("the push role can't be assumed without the session tag "+tagProject+", so that no session has the role's own", evidence...)
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
			Summary: "the push role itself bears one of the tags " + strings.Join(ownTags, ", ") + ": a session without that tag counts as tagged so, and with " +
				tagProject + " reaches that project's repository",
			Remedy: "take it off the role\naws iam list-role-tags --role-name " + name + "\naws iam untag-role --role-name " + name + " --tag-keys " +
				strings.Join(ownTags, " ")}
	case err != nil:
		return d.failed(ctx, opToken, err, evidence...)
	case d.config.SessionTags:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the push role can be assumed without the session tag " + tagProject + ", which session_tags sets",
			Remedy: "demand it in the role's trust policy (operator policies push-trust): beside sts:AssumeRole, the condition\n" +
				`"Null": {"aws:RequestTag/` + tagProject + `": "false"}`}
	}
	return passed("the push role has no tag of its own that would count as a session's", evidence...)
}
