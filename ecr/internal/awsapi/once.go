package awsapi

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
)

// Once asks as a diagnosis does, which shows what happens and counts its calls: each call once, and again only to correct a clock, with
// the keys that it is given. It keeps the secrets that pass through it out of failures. It is safe for concurrent use, as a check that hangs
// may be left behind.
type Once struct {
	client *Client
	about  Step

	mu      sync.Mutex
	secrets []string
}

// Once returns an asker whose failures are about that project and its repository.
func (c *Client) Once(project, repository string) *Once {
	o := &Once{client: c, about: Step{Project: project, Repository: repository}}
	o.hide(c.config.AccessKeyID.Reveal(), c.config.SecretAccessKey.Reveal(), c.config.SessionToken.Reveal())
	return o
}

func (o *Once) hide(secrets ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range secrets {
		if s != "" {
			o.secrets = append(o.secrets, s)
		}
	}
}

// Secrets are those that were seen, which nothing that is shown may hold.
func (o *Once) Secrets() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.secrets)
}

// Failed makes a step's failure of err, unless it is one already.
func (o *Once) Failed(ctx context.Context, op string, err error) *failure.Failure {
	if f := failure.Of(err); f != nil {
		return f
	}
	step := o.about
	step.Op = op
	return o.client.failed(ctx, step, err, o.Secrets())
}

// retryOnce tries again only to correct a clock.
type retryOnce struct{ aws.NopRetryer }

func (retryOnce) IsErrorRetryable(err error) bool { return failure.IsClock(err) }

func (retryOnce) MaxAttempts() int { return 2 }

func (retryOnce) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

// Keys are credentials that calls are signed with. The zero Keys sign nothing.
type Keys struct {
	// Source is where the SDK found them.
	Source string
	// Expires is when they end, by this machine's clock; zero if they don't.
	Expires time.Time
	// LongLived: they have no session token.
	LongLived bool

	credentials func() aws.Credentials // a function, as printers follow fields
}

func keys(c aws.Credentials) Keys {
	k := Keys{Source: c.Source, LongLived: c.SessionToken == "", credentials: func() aws.Credentials { return c }}
	if c.CanExpire {
		k.Expires = c.Expires
	}
	return k
}

func (k Keys) provider() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		if k.credentials == nil {
			return aws.Credentials{}, nil
		}
		return k.credentials(), nil
	})
}

// Keys are the session's.
func (s Session) Keys() Keys { return keys(s.credentials) }

// Base finds what the controller role is assumed with, or what is used where there is none.
func (o *Once) Base(ctx context.Context) (Keys, error) {
	base := o.client.parts().controller.base
	if base == nil {
		return Keys{}, o.Failed(ctx, failure.OpCredentials, errNoCredentials)
	}
	c, err := base.Retrieve(ctx)
	o.hide(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	if err != nil {
		return Keys{}, o.Failed(ctx, failure.OpCredentials, err)
	}
	return keys(c), nil
}

func (o *Once) asking(k Keys) func(*sts.Options) {
	return func(options *sts.Options) { options.Retryer, options.Credentials = retryOnce{}, k.provider() }
}

// Identity is whom STS knows.
type Identity struct {
	// ARN is as STS gave it.
	ARN, RequestID string
	// ClockOffset is how far AWS's clock is ahead of this machine's, if the answer is Dated.
	ClockOffset time.Duration
	Dated       bool
}

// Identity asks STS who has the keys.
func (o *Once) Identity(ctx context.Context, k Keys) (Identity, error) {
	out, err := o.client.parts().sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, o.asking(k))
	if err != nil {
		return Identity{}, o.Failed(ctx, failure.OpCallerIdentity, err)
	}
	identity := Identity{ARN: aws.ToString(out.Arn), RequestID: requestID(out.ResultMetadata)}
	date, ok := dateOf(out.ResultMetadata)
	identity.ClockOffset, identity.Dated = time.Until(date), ok
	return identity, nil
}

// Assume assumes a role, with a session policy or not at all.
func (o *Once) Assume(ctx context.Context, op string, input SessionInput, k Keys) (Session, error) {
	if input.Policy == "" {
		return Session{}, o.Failed(ctx, op, errors.New("no session policy"))
	}
	out, err := o.client.parts().sts.AssumeRole(ctx, input.call(), o.asking(k))
	if err != nil {
		return Session{}, o.Failed(ctx, op, err)
	}
	s := newSession(out.Credentials, out.ResultMetadata)
	o.hide(s.secrets()...)
	return s, nil
}

// Token is [Client.Token].
func (o *Once) Token(ctx context.Context, s Session) (Token, error) {
	t, err := o.client.token(ctx, s, func(options *ecr.Options) { options.Retryer = retryOnce{} })
	if err != nil {
		return Token{}, o.Failed(ctx, failure.OpToken, err)
	}
	o.hide(t.Password.Reveal())
	return t, nil
}
