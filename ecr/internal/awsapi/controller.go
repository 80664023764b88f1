package awsapi

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

// ControllerSession is the name of the sessions of the controller role.
const ControllerSession = "rise-controller"

const (
	// Every role may be assumed for an hour, chained or not.
	controllerDuration = time.Hour
	// A session is renewed this long before it ends, so that no call is signed with one that ends on the way.
	controllerExpiryWindow = 5 * time.Minute
	// The SDK lets a renewal outlive the caller that caused it, since others may wait for it too.
	controllerTimeout = 30 * time.Second
)

var (
	errNoCredentials = errors.New("the AWS SDK's default chain has none")
	errNoKeys        = errors.New("the credentials that were found are empty")
)

// controller is the identity that assumes the push role: base, which is what the SDK found or static keys, or the session
// of the controller role on top of it.
type controller struct {
	credentials aws.CredentialsProvider // the outcome

	client     *sts.Client // as base
	base       aws.CredentialsProvider
	roleARN    string
	externalID string

	isRole atomic.Pointer[bool]            // whether base is the role itself; nil before it was looked up
	last   atomic.Pointer[aws.Credentials] // to keep them out of errors
}

func newController(client *sts.Client, base aws.CredentialsProvider, roleARN, externalID string) *controller {
	controller := &controller{client: client, base: base, roleARN: roleARN, externalID: externalID}
	if roleARN == "" {
		controller.credentials = aws.CredentialsProviderFunc(controller.retrieveBase)
		return controller
	}
	controller.credentials = aws.NewCredentialsCache(
		aws.CredentialsProviderFunc(controller.retrieve),
		func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = controllerExpiryWindow },
	)
	return controller
}

func (c *controller) secrets() []string {
	if last := c.last.Load(); last != nil {
		return []string{last.SecretAccessKey, last.SessionToken}
	}
	return nil
}

func (c *controller) retrieveBase(ctx context.Context) (aws.Credentials, error) {
	if c.base == nil {
		return aws.Credentials{}, failure.In(failure.OpCredentials, errNoCredentials)
	}
	creds, err := c.base.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, failure.In(failure.OpCredentials, err)
	}
	if !creds.HasKeys() {
		return aws.Credentials{}, failure.In(failure.OpCredentials, errNoKeys)
	}
	c.last.Store(&creds)
	return creds, nil
}

// retrieve assumes the controller role, unless base is that role already: a role doesn't trust itself by itself.
func (c *controller) retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, controllerTimeout)
	defer cancel()
	base, err := c.retrieveBase(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	isRole, err := c.baseIsRole(ctx)
	if err != nil {
		return aws.Credentials{}, failure.In(failure.OpCallerIdentity, err)
	}
	if isRole {
		return base, nil
	}
	input := &sts.AssumeRoleInput{
		RoleArn:         aws.String(c.roleARN),
		RoleSessionName: aws.String(ControllerSession),
		DurationSeconds: aws.Int32(int32(controllerDuration / time.Second)),
	}
	if c.externalID != "" {
		input.ExternalId = aws.String(c.externalID)
	}
	out, err := c.client.AssumeRole(ctx, input)
	if err != nil {
		return aws.Credentials{}, failure.In(failure.OpAssumeController, err)
	}
	creds := keysOf(out.Credentials)
	c.last.Store(&creds)
	return creds, nil
}

// baseIsRole asks once: the answer can't change while the process runs.
func (c *controller) baseIsRole(ctx context.Context) (bool, error) {
	if known := c.isRole.Load(); known != nil {
		return *known, nil
	}
	out, err := c.client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return false, err
	}
	if account := policy.AccountOf(aws.ToString(out.Arn)); account == "" || account != aws.ToString(out.Account) {
		return false, BadAnswer("it names no identity, or two")
	}
	account, role, ok := policy.AssumedRole(aws.ToString(out.Arn))
	same := ok && policy.IsRole(c.roleARN, account, role)
	c.isRole.Store(&same)
	return same, nil
}

func (c *controller) forget() {
	for _, kept := range []any{c.base, c.credentials} {
		if k, ok := kept.(interface{ Invalidate() }); ok {
			k.Invalidate()
		}
	}
}

// forgetEnded forgets credentials that, so says err, have ended. The SDK keeps them until this machine's clock says so, which may have
// been set back, or be behind and there was nothing to correct their end by. It reports whether to ask again.
func (c *controller) forgetEnded(err error) bool {
	if err == nil {
		return false
	}
	var api smithy.APIError
	code, last := "", c.last.Load()
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	if code != "ExpiredToken" && code != "ExpiredTokenException" || last == nil || !last.CanExpire {
		return false
	}
	c.forget()
	return true
}
