package awsapi

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
)

// ShortestSession is the shortest that AWS opens (STS API Reference, AssumeRole).
const ShortestSession = 15 * time.Minute

// SessionInput is a session to be had of a role.
type SessionInput struct {
	RoleARN string
	// Name is the session's, which CloudTrail shows.
	Name string
	// Policy is the session policy: nothing asks for a session without one.
	Policy string
	// ExternalID is left out if it is empty.
	ExternalID string
	// Duration is in whole seconds.
	Duration time.Duration
	Tags     []Tag
}

// Tag is one of a session or of a repository.
type Tag struct{ Key, Value string }

// call is the SDK's form. Its texts are the receiver's: one allocation for all of them.
func (s SessionInput) call() *sts.AssumeRoleInput {
	input := &sts.AssumeRoleInput{
		RoleArn: &s.RoleARN, RoleSessionName: &s.Name, Policy: &s.Policy,
		DurationSeconds: aws.Int32(int32(s.Duration / time.Second)), //nolint:gosec // 43,200 at most
	}
	if s.ExternalID != "" {
		input.ExternalId = &s.ExternalID
	}
	for _, t := range s.Tags {
		input.Tags = append(input.Tags, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return input
}

// Session is an assumed role's session. Its credentials never leave the package.
type Session struct {
	// AccessKeyID and RequestID join the session to AWS CloudTrail. Neither is secret, and neither is what a hostile endpoint put there.
	AccessKeyID, RequestID string

	credentials aws.Credentials // which expire by this machine's clock
	readAt      time.Time       // AWS's time of the answer
	ends        time.Time       // AWS's time of its end
}

// newSession takes what checkedSessions let through.
func newSession(c *types.Credentials, metadata middleware.Metadata) Session {
	s := Session{credentials: keysOf(c), RequestID: requestID(metadata)}
	s.AccessKeyID = scrub.Key(s.credentials.AccessKeyID, s.secrets())
	s.readAt, _ = dateOf(metadata)
	s.ends, _ = metadata.Get(endKey{}).(time.Time)
	return s
}

func (s Session) secrets() []string {
	return []string{s.credentials.SecretAccessKey, s.credentials.SessionToken}
}

// Assume assumes a role as the controller.
func (c *Client) Assume(ctx context.Context, step Step, input SessionInput) (Session, error) {
	p := c.parts()
	ctx = c.noting(ctx, step, p.controller.secrets)
	asController := func(o *sts.Options) { o.Credentials = p.controller.credentials }
	call := input.call()
	out, err := p.sts.AssumeRole(ctx, call, asController)
	if p.controller.forgetEnded(err) {
		out, err = p.sts.AssumeRole(ctx, call, asController)
	}
	if err != nil {
		return Session{}, c.failed(ctx, step, err, p.controller.secrets())
	}
	return newSession(out.Credentials, out.ResultMetadata), nil
}

// noting returns a context for the calls of a step, whose throttling the client's owner hears of before they end.
func (c *Client) noting(ctx context.Context, step Step, secrets func() []string) context.Context {
	return recordThrottling(ctx, func(err error) {
		if c.config.Throttled != nil {
			c.config.Throttled(ctx, c.failed(ctx, step, err, secrets()))
		}
	})
}
