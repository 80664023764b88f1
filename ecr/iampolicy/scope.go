package iampolicy

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The tags of repositories, and their values, that rights depend on.
const (
	tagManaged      = "rise:managed"
	tagInstallation = "rise:installation"
	tagProject      = "rise:project"
	tagOrphaned     = "rise:orphaned"
	tagOrphanedAt   = "rise:orphaned-at"
	tagSuspended    = "rise:suspended"
	tagProjectID    = "rise:project-id"

	resourceTag = "aws:ResourceTag/"
	requestTag  = "aws:RequestTag/"
	yes         = "true"
)

// scope is a valid configuration and what follows from it.
type scope struct {
	ecr.Config
	partition, domain string
	repositories      string // ARN up to and including "repository/"
}

func newScope(c ecr.Config) (scope, error) {
	if err := c.Validate(); err != nil {
		return scope{}, err
	}
	if c.RepoPrefix == "" {
		c.RepoPrefix = ecr.DefaultConfig().RepoPrefix
	}
	endpoint, err := awsecr.NewDefaultEndpointResolver().ResolveEndpoint(c.Region, awsecr.EndpointResolverOptions{})
	if err != nil {
		return scope{}, provider.NewConfigError("region", "is in no partition that the AWS SDK knows")
	}
	u, err := url.Parse(endpoint.URL)
	if err != nil {
		return scope{}, provider.NewConfigError("region", "has no endpoint that the AWS SDK knows")
	}
	_, domain, ok := strings.Cut(u.Hostname(), "."+c.Region+".")
	if !ok {
		return scope{}, provider.NewConfigError("region", "has no endpoint that the AWS SDK knows")
	}
	return scope{
		Config: c, partition: endpoint.PartitionID, domain: domain,
		repositories: fmt.Sprintf("arn:%s:ecr:%s:%s:repository/", endpoint.PartitionID, c.Region, c.AccountID),
	}, nil
}

// all matches the repositories of the prefix.
func (s scope) all() Strings { return Strings{s.repositories + s.RepoPrefix + "*"} }

// own are the tags that make a repository this installation's: in a condition, keys with prefix before the tag.
func (s scope) own(prefix string) map[string]Strings {
	tags := map[string]Strings{prefix + tagManaged: {yes}}
	if s.Installation != "" {
		tags[prefix+tagInstallation] = Strings{s.Installation}
	}
	return tags
}

// roles are the roles that the controller assumes.
func (s scope) roles() Strings {
	roles := Strings{s.PushRoleARN}
	if s.PullRoleARN != "" && s.PullRoleARN != s.PushRoleARN {
		roles = append(roles, s.PullRoleARN)
	}
	return roles
}

// tagKeys are the keys of configured tags, in order.
func (s scope) tagKeys() (Strings, error) {
	keys := slices.Sorted(maps.Keys(s.Tags))
	var errs []error
	for _, key := range keys {
		// IAM's pattern for policy documents is [\u0009\u000A\u000D\u0020-\u00FF]+.
		if strings.ContainsFunc(key, func(r rune) bool { return r > 0xFF || r < ' ' }) {
			errs = append(errs, provider.NewConfigError("tags", "has a key that no IAM policy can name: letters must be of ISO 8859-1"))
		}
	}
	return keys, errors.Join(errs...)
}

func document(limit int, what string, statements ...Statement) (Document, error) {
	d := Document{Version: "2012-10-17", Statement: statements}
	if n := d.Size(); n > limit {
		return Document{}, provider.NewConfigError(what, "make a policy of %d characters, which is more than the %d that AWS allows", n, limit)
	}
	return d, nil
}

func merge(parts ...map[string]Strings) map[string]Strings {
	merged := map[string]Strings{}
	for _, part := range parts {
		maps.Copy(merged, part)
	}
	return merged
}
