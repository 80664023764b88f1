package ecr

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// tagProject is the session tag, and the tag of repositories, that holds the project's name.
const tagProject = "rise:project"

func projectTag(project string) []types.Tag {
	return []types.Tag{{Key: aws.String(tagProject), Value: aws.String(project)}}
}

const (
	opAssumePush = "assume push role"
	opAssumePull = "assume pull role"
)

func opAssumeRole(r provider.Request) string {
	if r.AllProjects {
		return opAssumePull
	}
	return opAssumePush
}

type assumer struct {
	client     *sts.Client
	controller *controller
}

// session is an assumed role's session. Its credentials never leave the package.
type session struct {
	credentials aws.Credentials
	requestID   string
}

func (s session) secrets() []string {
	return []string{s.credentials.SecretAccessKey, s.credentials.SessionToken}
}

// details join the session to AWS CloudTrail. None is secret, unless a hostile endpoint put one there.
func (s session) details() []slog.Attr {
	return []slog.Attr{
		slog.String("session_access_key_id", saidKey(s.credentials.AccessKeyID, s.secrets())),
		slog.String("sts_request_id", s.requestID),
	}
}

func (a *assumer) assume(ctx context.Context, input *sts.AssumeRoleInput) (session, error) {
	out, err := a.client.AssumeRole(ctx, input, func(o *sts.Options) { o.Credentials = a.controller.credentials })
	if err != nil {
		return session{}, err
	}
	c, err := checkSession(out.Credentials)
	if err != nil {
		return session{}, err
	}
	s := session{credentials: c}
	requestID, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	s.requestID = saidID(requestID)
	return s, nil
}

func checkSession(c *types.Credentials) (aws.Credentials, error) {
	switch {
	case c == nil:
		return aws.Credentials{}, badAnswer("it holds no credentials")
	case aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "":
		return aws.Credentials{}, badAnswer("its credentials lack the access key id, the secret access key or the session token")
	case c.Expiration == nil:
		return aws.Credentials{}, badAnswer("its credentials lack the expiration")
	case !c.Expiration.After(time.Now()):
		return aws.Credentials{}, badAnswer("its credentials expired at " + c.Expiration.UTC().Format(time.RFC3339))
	}
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken,
		CanExpire: true, Expires: *c.Expiration,
	}, nil
}
