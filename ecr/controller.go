package ecr

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

const (
	controllerSession = "rise-controller"
	// Every role may be assumed for an hour, chained or not.
	controllerDuration = time.Hour
	// A session is renewed this long before it ends, so that no call is signed with one that ends on the way.
	controllerExpiryWindow = 5 * time.Minute
	// The SDK lets a renewal outlive the caller that caused it, since others may wait for it too.
	controllerTimeout = 30 * time.Second
)

const (
	opCredentials      = "find AWS credentials"
	opCallerIdentity   = "get caller identity"
	opAssumeController = "assume controller role"
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

func newController(c Config, client *sts.Client, base aws.CredentialsProvider) *controller {
	controller := &controller{client: client, base: base, roleARN: c.RoleARN, externalID: c.RoleExternalID}
	if c.RoleARN == "" {
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
		return aws.Credentials{}, &stepError{op: opCredentials, err: errNoCredentials}
	}
	creds, err := c.base.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &stepError{op: opCredentials, err: err}
	}
	if !creds.HasKeys() {
		return aws.Credentials{}, &stepError{op: opCredentials, err: errNoKeys}
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
		return aws.Credentials{}, &stepError{op: opCallerIdentity, err: err}
	}
	if isRole {
		return base, nil
	}
	input := &sts.AssumeRoleInput{
		RoleArn:         aws.String(c.roleARN),
		RoleSessionName: aws.String(controllerSession),
		DurationSeconds: aws.Int32(int32(controllerDuration / time.Second)),
	}
	if c.externalID != "" {
		input.ExternalId = aws.String(c.externalID)
	}
	out, err := c.client.AssumeRole(ctx, input)
	if err != nil {
		return aws.Credentials{}, &stepError{op: opAssumeController, err: err}
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
		return false, badAnswer("it names no identity, or two")
	}
	account, role, ok := policy.AssumedRole(aws.ToString(out.Arn))
	same := ok && policy.IsRole(c.roleARN, account, role)
	c.isRole.Store(&same)
	return same, nil
}
