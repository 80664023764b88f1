package ecr

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider"
)

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
	credentials aws.Credentials // which expire by this machine's clock
	readAt      time.Time       // AWS's time of the answer
	ends        time.Time       // AWS's time of its end
	requestID   string
}

func (s session) secrets() []string {
	return []string{s.credentials.SecretAccessKey, s.credentials.SessionToken}
}

// details join the session to AWS CloudTrail. None is secret, unless a hostile endpoint put one there.
func (s session) details() []slog.Attr {
	return []slog.Attr{
		slog.String("session_access_key_id", scrub.Key(s.credentials.AccessKeyID, s.secrets())),
		slog.String("sts_request_id", s.requestID),
	}
}

func (a *assumer) assume(ctx context.Context, input *sts.AssumeRoleInput) (session, error) {
	asController := func(o *sts.Options) { o.Credentials = a.controller.credentials }
	out, err := a.client.AssumeRole(ctx, input, asController)
	if a.controller.forgetEnded(err) {
		out, err = a.client.AssumeRole(ctx, input, asController)
	}
	if err != nil {
		return session{}, err
	}
	s := session{credentials: keysOf(out.Credentials)}
	s.readAt, _ = dateOf(out.ResultMetadata)
	s.ends, _ = out.ResultMetadata.Get(endKey{}).(time.Time)
	requestID, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	s.requestID = scrub.ID(requestID)
	return s, nil
}

// keysOf takes what checkedSessions let through.
func keysOf(c *types.Credentials) aws.Credentials {
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken,
		CanExpire: true, Expires: *c.Expiration,
	}
}
