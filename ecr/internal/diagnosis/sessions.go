package diagnosis

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkPushRole(ctx context.Context) diagnosis.Finding {
	f, s := d.assume(ctx, failure.OpAssumePush, d.push())
	d.session = s
	return f
}

func (d *checkup) checkPullRole(ctx context.Context) diagnosis.Finding {
	f, _ := d.assume(ctx, failure.OpAssumePull, provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster})
	return f
}

// assume does what Credentials does for r, and finds out more where it fails.
func (d *checkup) assume(ctx context.Context, op string, r provider.Request) (diagnosis.Finding, awsapi.Session) {
	input, err := d.SessionOf(r) // without an id, too: what else is wrong shows all the same
	if err != nil {
		return d.failed(ctx, op, err), awsapi.Session{}
	}
	evidence := []slog.Attr{slog.String("arn", input.RoleARN), slog.String("session_name", input.Name)}
	s, err := d.once.Assume(ctx, op, input, d.controller)
	if err != nil {
		f := d.failed(ctx, op, err, evidence...)
		if reason := failure.Of(err); reason.Kind == provider.ErrAccessDenied {
			d.narrow(ctx, &f, op, r, input, reason)
		}
		return f, awsapi.Session{}
	}
	f := passed("the role can be assumed, with a session policy", append(evidence, requestID(s.RequestID))...)
	return f, s
}

// narrow tells apart what AWS doesn't: it asks again with one thing changed, and drops what it gets.
func (d *checkup) narrow(ctx context.Context, f *diagnosis.Finding, op string, r provider.Request, input awsapi.SessionInput, reason *failure.Failure) {
	works := func(change func(*awsapi.SessionInput)) bool {
		changed := input
		change(&changed)
		_, err := d.once.Assume(ctx, op, changed, d.controller)
		return err == nil
	}
	key := "push_role_arn"
	if op == failure.OpAssumePull {
		key = "pull_role_arn"
	}
	refused := reason.Refusal()
	switch {
	case refused.Action == "sts:TagSession" && len(input.Tags) > 0:
		if works(func(i *awsapi.SessionInput) { i.Tags = nil }) {
			f.Summary = op + ": sts:TagSession isn't allowed for the role in " + key + ": it can be assumed without session_tags, but not with them"
		}
	case refused.Action == "sts:TagSession":
		f.Evidence = append(f.Evidence, slog.Bool("inherited_tags", true))
	case len(input.Tags) == 0 && !r.AllProjects && works(func(i *awsapi.SessionInput) { i.Tags = []awsapi.Tag{{Key: policy.TagProject, Value: r.Project}} }):
		f.Summary = op + ": the role's trust policy demands the session tag " + policy.TagProject + ", and session_tags is off"
		f.Remedy = "set session_tags: true"
	case input.ExternalID != "" && works(func(i *awsapi.SessionInput) { i.ExternalID = "" }):
		f.Summary = op + ": the role can be assumed without an external ID, but not with external_id"
		f.Remedy = "take out external_id, or demand it in the role's trust policy\n" + hint.Trust(d.Setup, op, refused.Caller)
	}
}

func (d *checkup) checkToken(ctx context.Context) diagnosis.Finding {
	t, err := d.once.Token(ctx, d.session)
	if err != nil {
		f := d.failed(ctx, failure.OpToken, err)
		if r := failure.Of(err).Refusal(); r.Action == policy.ActionToken && !r.Explicit && r.Layer != "session policy" {
			f.Remedy += "\n" + policy.Allow("*", policy.ActionToken).Pasteable()
		}
		return f
	}
	d.token = t
	return passed("ECR issues a token to the session",
		requestID(t.RequestID), slog.Time("expires_at", t.ExpiresAt))
}

// checkRoleTags assumes the push role as nobody does: without a project. With session_tags that has to be refused.
func (d *checkup) checkRoleTags(ctx context.Context) diagnosis.Finding {
	input, err := d.SessionOf(d.push())
	if err != nil {
		return d.failed(ctx, failure.OpAssumePush, err)
	}
	input.Tags, input.Policy = nil, policy.RoleTagProbe().Pasteable()
	role := input.RoleARN
	evidence := []slog.Attr{slog.String("arn", role), slog.String("session_name", input.Name)}
	s, err := d.once.Assume(ctx, failure.OpAssumePush, input, d.controller)
	switch {
	case err != nil && d.Setup.SessionTags && errors.Is(err, provider.ErrAccessDenied):
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
	case d.Setup.SessionTags:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
			Summary: "the push role can be assumed without the session tag " + policy.TagProject + ", which session_tags sets",
			Remedy: "demand it in the role's trust policy (operator policies push-trust): beside sts:AssumeRole, the condition\n" +
				`"Null": {"aws:RequestTag/` + policy.TagProject + `": "false"}`}
	}
	return passed("the push role has no tag of its own that would count as a session's", evidence...)
}
