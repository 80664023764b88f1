package hint

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

// explainDenial is about what AWS doesn't allow.
func explainDenial(s policy.Setup, op string, r failure.Refusal) Trouble {
	if r.Layer != "" && r.Layer != "role trust policy" && r.Action != "" {
		t := Trouble{Is: "no " + r.Layer + " allows " + r.Action, Remedy: "allow it there"}
		switch r.Action {
		case "ecr:PutLifecyclePolicy", "ecr:DeleteLifecyclePolicy", "ecr:TagResource", "ecr:DeleteRepository":
			t.Remedy += "; the controller's policy is made for a configuration (operator policies controller), and has to be made again where " +
				"max_image_count, untagged_expire_days, tags, installation or auto_remove changed"
		}
		if r.Explicit {
			t = Trouble{Is: "a Deny in " + r.TheLayer() + " forbids " + r.Action, Remedy: "take it out, or except this"}
		}
		if op == failure.OpToken && (r.Layer == "identity-based policy" || r.Layer == "session policy") {
			t.Remedy = "check that the role's own policy allows ecr:GetAuthorizationToken on *, and that nothing denies it"
		} else if role := roleOf(s, op); role != "" && !r.Explicit {
			t.More = policy.Assume(role).Pasteable()
		}
		return t
	}
	switch op {
	case failure.OpToken:
		return Trouble{Remedy: "check that the role's own policy allows ecr:GetAuthorizationToken on *"}
	case failure.OpAssumePush, failure.OpAssumePull, failure.OpAssumeController:
		return explainTrust(s, op, r)
	}
	if r.Action != "" {
		return Trouble{Is: r.Action + " isn't allowed", Remedy: "allow it in the controller's policy"}
	}
	return Trouble{}
}

// explainTrust is about roles that can't be assumed. AWS doesn't say why; the likeliest comes first.
func explainTrust(s policy.Setup, op string, r failure.Refusal) Trouble {
	key, idKey, id := "push_role_arn", "external_id", s.ExternalID
	identity := "the controller"
	switch op {
	case failure.OpAssumePull:
		key = "pull_role_arn"
	case failure.OpAssumeController:
		key, idKey, id, identity = "role_arn", "role_external_id", s.RoleExternalID, "this process's identity"
	}
	t := Trouble{More: Trust(s, op, r.Caller)}
	if r.Action == "sts:TagSession" {
		why := "sessions carry tags: EKS Pod Identity's pass theirs on"
		if s.SessionTags {
			why = "sessions carry tags with session_tags, and always under EKS Pod Identity"
		}
		t.Is = "sts:TagSession isn't allowed for the role in " + key + ", and " + why
		t.Remedy = "allow sts:TagSession beside sts:AssumeRole in " + identity + "'s own policy and in the role's trust policy"
		return t
	}
	if account := policy.AccountOf(r.Caller); s.RoleARN == "" && account != "" && account != s.AccountID && s.AccountID != "" {
		t.Is = "the credentials are of account " + account + ", and account_id is " + s.AccountID
		t.Remedy, t.More = "set role_arn to a controller role in account "+s.AccountID+", or correct account_id, or use credentials of that account", ""
		return t
	}
	if account, own, ok := policy.AssumedRole(r.Caller); ok && policy.IsRole(roleOf(s, op), account, own) {
		t.Is = identity + " runs as the role in " + key + " itself: a role can't assume itself, and this one is for sessions only"
		t.Remedy, t.More = "run as the controller role (the role in AWS_ROLE_ARN, of the pod or instance, or role_arn must be another one)", ""
		return t
	}
	if r.Explicit {
		t.Is = "a Deny in the trust policy of the role in " + key + " forbids " + identity + " to assume it"
		t.Remedy, t.More = "take it out, or except "+identity, ""
		return t
	}
	causes := []string{
		"its trust policy doesn't name " + identity + ", or names one that was deleted (recreating a role breaks the trust in it)",
		"the role doesn't exist",
		identity + "'s own policy lacks sts:AssumeRole on it (and sts:TagSession with session_tags or under Pod Identity)",
	}
	if op == failure.OpAssumeController {
		causes[0] = "its trust policy doesn't name this process's identity, or names one that was deleted and made again"
	}
	if r.Layer != "" { // AWS says that it is the trust policy
		causes = causes[:1]
	}
	if id != "" {
		causes = append([]string{idKey + " isn't the external ID that the role's trust policy demands"}, causes...)
	} else {
		causes[0] += ", or demands an external ID, and " + idKey + " isn't set"
	}
	if op == failure.OpAssumePush && s.AccountID != "" && !s.SessionTags {
		causes = append(causes, "its trust policy demands the session tag "+policy.TagProject+", and session_tags is off")
	}
	t.Is = "the role in " + key + " can't be assumed; likeliest first: " + strings.Join(causes, "; ")
	t.Remedy = "check that the role exists, its trust policy and its external ID (" + idKey + "), and that " + identity + " may sts:AssumeRole it"
	return t
}
