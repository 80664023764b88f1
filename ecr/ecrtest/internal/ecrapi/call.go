package ecrapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/repos"
)

// Config says what the API is like beside its cloud: see ecrtest.Config.
type Config struct {
	// RegistryHost is the host[:port] of the image registry of the cloud's own account and region, and PlainHTTP says
	// that it speaks no TLS there.
	RegistryHost string
	PlainHTTP    bool

	ForceDeleteNeedsBatchDelete bool
	ScanningByRegistry          bool
}

// call is one call of the API while it is carried out. The cloud is locked meanwhile.
type call struct {
	cfg    Config
	cloud  *cloud.Cloud
	http   *http.Request
	body   []byte
	who    identity.Caller
	record *awswire.Call
}

// input decodes the parameters.
func (c *call) input(into any) *awserr.Error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return awserr.New("SerializationException", "%v", err)
	}
	return nil
}

// authorize decides an action of the call. repo is the repository that it is about, if there is one; add adds condition
// keys.
func (c *call) authorize(action, resource string, repo *repos.Repository, add func(iam.Context)) *awserr.Error {
	ctx := awswire.Conditions(c.cloud, c.who, c.record.Region, c.http)
	if add != nil {
		add(ctx)
	}
	d := c.cloud.Decide(c.who, c.who.Rights(), action, resource, c.record.Region, repo, ctx)
	c.record.Resource, c.record.Decision = resource, d.String()
	if !d.Allowed {
		return awserr.New("AccessDeniedException", "%s", cloud.Denial(c.who, action, resource, d))
	}
	return nil
}

// registryOf finds the registry that a call names by account, by default the caller's.
func (c *call) registryOf(account string) (*repos.Registry, *awserr.Error) {
	if account == "" {
		account = c.who.Account()
	}
	if !cloud.IsAccount(account) {
		return nil, awserr.InvalidParameter("registryId", "must satisfy regular expression '[0-9]{12}'")
	}
	return c.cloud.Registries.Of(account, c.record.Region), nil
}

// repositoryInput is what most operations begin with.
type repositoryInput struct {
	RegistryID string `json:"registryId"`
	Name       string `json:"repositoryName"`
}

// named authorizes an operation on a repository, and only then says whether there is one.
func (c *call) named(in repositoryInput) (*repos.Repository, *awserr.Error) {
	if err := repos.CheckName(in.Name); err != nil {
		return nil, err
	}
	reg, err := c.registryOf(in.RegistryID)
	if err != nil {
		return nil, err
	}
	repo := reg.Repositories[in.Name]
	if err := c.authorize("ecr:"+c.record.Action, reg.ARN(in.Name), repo, nil); err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, repos.Missing(in.Name, reg.Key.Account)
	}
	return repo, nil
}

// byARN authorizes an operation on the repository of an ARN.
func (c *call) byARN(arn string, add func(iam.Context)) (*repos.Repository, *awserr.Error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != c.cloud.Partition || parts[2] != "ecr" || parts[3] != c.record.Region ||
		!cloud.IsAccount(parts[4]) || !strings.HasPrefix(parts[5], "repository/") {
		return nil, awserr.New("InvalidParameterException", "Invalid parameter at 'resourceArn' failed to satisfy constraint: "+
			"'Invalid ARN'")
	}
	name := strings.TrimPrefix(parts[5], "repository/")
	if err := repos.CheckName(name); err != nil {
		return nil, err
	}
	repo := c.cloud.Registries.Of(parts[4], parts[3]).Repositories[name]
	if err := c.authorize("ecr:"+c.record.Action, arn, repo, add); err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, repos.Missing(name, parts[4])
	}
	return repo, nil
}

// ownRegistry authorizes an operation on the caller's registry, which IAM knows no resource for.
func (c *call) ownRegistry() (*repos.Registry, *awserr.Error) {
	if err := c.authorize("ecr:"+c.record.Action, "*", nil, nil); err != nil {
		return nil, err
	}
	return c.cloud.Registries.Of(c.who.Account(), c.record.Region), nil
}

// answer begins the answer of most operations on a repository.
func answer(r *repos.Repository) map[string]any {
	return map[string]any{"registryId": r.Key.Account, "repositoryName": r.Name}
}

// registryHost is the image registry's host for an account: where the cloud's own is, and AWS's name for others.
func (c *call) registryHost(account, region string) string {
	if c.isOwn(account, region) {
		return c.cfg.RegistryHost
	}
	return c.cloud.RegistryHost(account, region)
}

func (c *call) isOwn(account, region string) bool {
	return account == c.cloud.Account && region == c.cloud.Region
}

func (c *call) proxyEndpoint(account string) string {
	scheme := "https://"
	if c.cfg.PlainHTTP && c.isOwn(account, c.record.Region) {
		scheme = "http://"
	}
	return scheme + c.registryHost(account, c.record.Region)
}
