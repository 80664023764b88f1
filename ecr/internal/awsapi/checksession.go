package awsapi

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
)

// endKey is where an answer's metadata have a session's expiration as AWS has it.
type endKey struct{}

// checkedSessions makes every client of STS, those that the SDK finds its own credentials with too, take a session only if it is
// the one that was asked for, and count its life as sessionEnd does: its expiration is one of this machine's clock then, with
// which the SDK compares it.
func checkedSessions() []func(*middleware.Stack) error {
	check := middleware.InitializeMiddlewareFunc("RiseCheckSession", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		asked := time.Now()
		out, metadata, err := next.HandleInitialize(ctx, in)
		if err != nil {
			return out, metadata, err
		}
		switch session := out.Result.(type) {
		case *sts.AssumeRoleOutput:
			input, _ := in.Parameters.(*sts.AssumeRoleInput)
			if session.Credentials != nil && session.Credentials.Expiration != nil {
				metadata.Set(endKey{}, *session.Credentials.Expiration)
			}
			err = checkSession(asked, metadata, input.RoleArn, input.RoleSessionName, input.DurationSeconds, session.AssumedRoleUser, session.Credentials)
		case *sts.AssumeRoleWithWebIdentityOutput:
			input, _ := in.Parameters.(*sts.AssumeRoleWithWebIdentityInput)
			err = checkSession(asked, metadata, input.RoleArn, input.RoleSessionName, input.DurationSeconds, session.AssumedRoleUser, session.Credentials)
		}
		return out, metadata, err
	})
	return []func(*middleware.Stack) error{
		func(s *middleware.Stack) error { return s.Initialize.Add(check, middleware.After) },
	}
}

// checkSession checks an answer to a call that was begun at asked, and sets its expiration.
func checkSession(
	asked time.Time, metadata middleware.Metadata, role, session *string, seconds *int32, user *types.AssumedRoleUser, c *types.Credentials,
) error {
	switch {
	case c == nil:
		return BadAnswer("it holds no credentials")
	case aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "":
		return BadAnswer("its credentials lack the access key id, the secret access key or the session token")
	case c.Expiration == nil:
		return BadAnswer("its credentials lack the expiration")
	}
	if user == nil {
		user = &types.AssumedRoleUser{}
	}
	if err := checkAssumed(aws.ToString(role), aws.ToString(session), aws.ToString(user.Arn)); err != nil {
		return err
	}
	date, ok := dateOf(metadata)
	switch {
	case !ok:
		return Undated
	case !c.Expiration.After(date):
		return BadAnswer("its credentials expired at " + c.Expiration.UTC().Format(time.RFC3339) + ", before it was given")
	}
	c.Expiration = aws.Time(sessionEnd(asked, date, *c.Expiration, seconds))
	return nil
}

// checkAssumed compares the session that STS gave with the role and name that were asked for. A session's ARN has the role's
// name without its path.
func checkAssumed(roleARN, session, got string) error {
	role, _ := arn.Parse(roleARN) // or AWS would have refused it
	role.Service, role.Resource = "sts", "assumed-role/"+role.Resource[strings.LastIndexByte(role.Resource, '/')+1:]+"/"+session
	if got == role.String() {
		return nil
	}
	what := "another role or session name"
	switch a, err := arn.Parse(got); {
	case err != nil:
		what = "none that it names"
	case a.Partition != role.Partition:
		what = "another partition"
	case a.AccountID != role.AccountID:
		what = "another account"
	}
	return BadAnswer("the session in it is of " + what + ", not the one that was asked for")
}

// keysOf takes what checkedSessions let through.
func keysOf(c *types.Credentials) aws.Credentials {
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken,
		CanExpire: true, Expires: *c.Expiration,
	}
}
