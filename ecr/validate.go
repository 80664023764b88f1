package ecr

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Limits of AWS; see the API references of STS AssumeRole and of ECR.
const (
	maxSessionDuration     = 12 * time.Hour
	maxChainedDuration     = time.Hour
	maxExternalID          = 1224
	maxRepositoryName      = 256
	maxTags                = 50
	reservedTags           = 8 // what we add ourselves, and room for more
	maxTagKey              = 128
	maxTagValue            = 256
	maxMutabilityExclusion = 5
	maxLifecycleCount      = 1<<31 - 1
)

// None of these lets *, ?, $ or white space through: what they match may become part of a policy.
var (
	kmsKeyPattern         = regexp.MustCompile(`^key/[A-Za-z0-9-]{1,128}$`)
	externalIDPattern     = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{2,}$`)
	repositoryNamePattern = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	installationPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	plainKey              = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	tagPattern            = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	keyPattern            = regexp.MustCompile(`^[!-~]*$`)
	exclusionPattern      = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)
)

// Validate returns everything that is wrong with c, as joined [*provider.ConfigError] values that hold no configured value.
// It reads neither the environment nor the network.
func (c Config) Validate() error {
	c = c.withDefaults()
	v := &validator{}
	partition := v.region(c.Region)
	v.stsRegion(c.STSRegion, partition)
	v.required("account_id", c.AccountID, policy.IsAccount, "must be an AWS account id of 12 digits")
	v.role("push_role_arn", c.PushRoleARN, partition, c.AccountID, true)
	v.role("pull_role_arn", c.PullRoleARN, partition, c.AccountID, false)
	v.role("role_arn", c.RoleARN, partition, c.AccountID, false)
	v.externalID("role_external_id", c.RoleExternalID)
	v.externalID("external_id", c.ExternalID)
	if c.RoleExternalID != "" && c.RoleARN == "" {
		v.fail("role_external_id", "is for role_arn, which isn't set")
	}
	v.repoPrefix(c.RepoPrefix)
	v.keys(c)
	v.sessionDuration(c)
	v.registryHost(c.RegistryHost)
	v.dualStack(c, partition)
	v.repositories(c, partition)
	v.shared(c)
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) fail(key, format string, args ...any) {
	v.errs = append(v.errs, provider.NewConfigError(key, format, args...))
}

func (v *validator) required(key, value string, fits func(string) bool, rule string) {
	if value == "" {
		v.fail(key, "is required: it %s", rule)
		return
	}
	v.optional(key, value, fits, rule)
}

func (v *validator) optional(key, value string, fits func(string) bool, rule string) {
	if value != "" && !fits(value) {
		v.fail(key, "%s", rule)
	}
}

// region returns the region's partition, or "" when there is none to compare with.
func (v *validator) region(region string) string {
	v.required("region", region, policy.IsRegion, "must be an AWS region such as eu-west-1")
	if !policy.IsRegion(region) {
		return ""
	}
	partition, _, err := policy.ResolveRegion(region)
	if err != nil {
		v.fail("region", "is in no partition that the AWS SDK knows")
	}
	return partition
}

func (v *validator) stsRegion(region, partition string) {
	if region == "" {
		return
	}
	if !policy.IsRegion(region) {
		v.fail("sts_region", "must be an AWS region such as eu-west-1")
		return
	}
	if own, _, err := policy.ResolveRegion(region); err != nil || (partition != "" && own != partition) {
		v.fail("sts_region", "must be in the registry's partition, %s", partition)
	}
}

func (v *validator) role(key, value, partition, account string, required bool) {
	if value == "" {
		if required {
			v.fail(key, "is required: it must be the ARN of an IAM role such as arn:aws:iam::123456789012:role/rise-backend-ecr-push")
		}
		return
	}
	a, ok := policy.ParseARN(value)
	switch {
	case !ok || !policy.IsPrincipal(a) || !strings.HasPrefix(a.Resource, "role/"):
		v.fail(key, "must be the ARN of an IAM role such as arn:aws:iam::123456789012:role/rise-backend-ecr-push, without wildcards or variables")
	case partition != "" && a.Partition != partition:
		v.fail(key, "must be in partition %s, which is the region's", partition)
	case policy.IsAccount(account) && a.AccountID != account:
		v.fail(key, "must be a role of the account in account_id")
	}
}

func (v *validator) externalID(key, value string) {
	if value != "" && (len(value) > maxExternalID || !externalIDPattern.MatchString(value)) {
		v.fail(key, "must be 2 to %d characters of A-Z, a-z, 0-9 and _+=,.@:/-", maxExternalID)
	}
}

func (v *validator) repoPrefix(prefix string) {
	name := prefix + "a"
	longest := len(prefix) + provider.MaxProjectLength
	switch {
	case !repositoryNamePattern.MatchString(name):
		v.fail("repo_prefix", "must begin an ECR repository name: a-z and 0-9, in parts separated by single . _ - or /, such as rise/")
	case longest > maxRepositoryName:
		v.fail("repo_prefix", "must be at most %d characters, so that every project's repository name fits ECR's %d",
			maxRepositoryName-provider.MaxProjectLength, maxRepositoryName)
	}
}

func (v *validator) keys(c Config) {
	for _, k := range []struct {
		key    string
		secret provider.Secret
	}{{"access_key_id", c.AccessKeyID}, {"secret_access_key", c.SecretAccessKey}, {"session_token", c.SessionToken}} {
		if err := k.secret.Validate(); err != nil {
			v.fail(k.key, "%s", err)
		} else if !keyPattern.MatchString(k.secret.Reveal()) {
			v.fail(k.key, "has white space or a character inside that no key of AWS has")
		}
	}
	id, secret := !c.AccessKeyID.IsZero(), !c.SecretAccessKey.IsZero()
	switch {
	case id && !secret:
		v.fail("secret_access_key", "is required with access_key_id: static keys are both or neither")
	case secret && !id:
		v.fail("access_key_id", "is required with secret_access_key: static keys are both or neither")
	case !c.SessionToken.IsZero() && !id:
		v.fail("session_token", "goes with access_key_id and secret_access_key, which aren't set")
	}
}

func (v *validator) sessionDuration(c Config) {
	d := c.SessionDuration
	switch {
	case d < awsapi.ShortestSession || d > maxSessionDuration:
		v.fail("session_duration", "must be between 15m and 12h")
	case d%time.Second != 0:
		v.fail("session_duration", "must be whole seconds")
	case c.RoleARN != "" && d > maxChainedDuration:
		v.fail("session_duration", "must be at most 1h together with role_arn: AWS limits sessions of a role assumed by a role (role chaining) to one hour")
	}
}

func (v *validator) registryHost(text string) {
	if text == "" {
		return
	}
	if strings.Contains(text, "://") {
		v.fail("registry_host", "must be a host or host:port, without a scheme")
		return
	}
	host, port, err := hostport.Split(text)
	switch {
	case err != nil:
		v.fail("registry_host", "%s", err)
	case hostport.Join(host, port) != text:
		v.fail("registry_host", "must be lower case, and an IPv6 address in its shortest form")
	case port == "" && !hostport.IsRegistry(host):
		v.fail("registry_host", "must have a dot or a port: image references take anything else for a Docker Hub name")
	}
}

func (v *validator) dualStack(c Config, partition string) {
	if c.UseDualStack && partition != "" && c.RegistryHost == "" && dualStackSuffixes[partition] == "" {
		v.fail("use_dual_stack", "isn't known to exist in partition %s; set registry_host if it does", partition)
	}
}

func (v *validator) repositories(c Config, partition string) {
	v.optional("installation", c.Installation, installationPattern.MatchString, "must be at most 63 characters of A-Z, a-z, 0-9 and ._-, the first a letter or digit")
	if after := *c.RemoveAfter; after < 0 {
		v.fail("remove_after", "must not be negative")
	} else if after > 0 && after < awsapi.LongestToken && !c.ProjectIDs {
		v.fail("remove_after", "must be at least 12h without project_ids: tokens live that long, and whoever still holds a former project's could "+
			"write into the repository of the name's next owner")
	}
	v.mutability(c)
	if c.KMSKeyARN != "" {
		switch a, ok := policy.ParseARN(c.KMSKeyARN); {
		case !ok || a.Service != "kms" || !policy.IsAccount(a.AccountID) || !kmsKeyPattern.MatchString(a.Resource):
			v.fail("kms_key_arn", "must be the ARN of a KMS key such as arn:aws:kms:eu-west-1:123456789012:key/ID, not of an alias")
		case partition != "" && a.Partition != partition:
			v.fail("kms_key_arn", "must be in partition %s, which is the region's", partition)
		case partition != "" && a.Region != c.Region:
			v.fail("kms_key_arn", "must be in the registry's region")
		}
	}
	v.count("max_image_count", c.MaxImageCount)
	v.count("untagged_expire_days", c.UntaggedExpireDays)
	v.tags(c.Tags)
}

// shared comes last: how long session policies get is only known of a configuration that is right otherwise.
func (v *validator) shared(c Config) {
	const key = "shared_repositories"
	for i, entry := range c.SharedRepositories {
		name := strings.TrimSuffix(entry, "/*")
		if err := sharedrepo.Check(entry, c.RepoPrefix); err != nil {
			v.fail(fmt.Sprintf("%s[%d]", key, i), "%s", err)
		} else if !repositoryNamePattern.MatchString(name) || len(name) > maxRepositoryName {
			v.fail(fmt.Sprintf("%s[%d]", key, i), "is a name that ECR has no repository of: at most %d characters of a-z and 0-9, in parts separated by single . _ - or /",
				maxRepositoryName)
		}
	}
	if len(v.errs) > 0 {
		return
	}
	setup, err := c.setup()
	if err != nil {
		v.fail("region", "is in no partition that the AWS SDK knows")
		return
	}
	switch fit, length, err := setup.SharedThatFit(); {
	case err != nil:
		v.fail(key, "make no session policy: %s", err)
	case fit < len(c.SharedRepositories):
		v.fail(key, "has %d too many, from the end: with all %d, session policies would get up to %d characters, of which AWS allows %d; leave them out, or name several "+
			"by one pattern such as mirror/*", len(c.SharedRepositories)-fit, len(c.SharedRepositories), length, policy.MaxSession)
	}
}

func (v *validator) count(key string, n int) {
	if n < 0 || n > maxLifecycleCount {
		v.fail(key, "must be between 0 and %d", maxLifecycleCount)
	}
}

func (v *validator) mutability(c Config) {
	mode, exclusions := types.ImageTagMutability(c.ImageTagMutability), c.ImageTagMutabilityExclusions
	if !slices.Contains(mode.Values(), mode) {
		v.fail("image_tag_mutability", "must be one of %s", joined(mode.Values()))
		return
	}
	excluding := strings.HasSuffix(string(mode), "_WITH_EXCLUSION")
	const key = "image_tag_mutability_exclusions"
	switch {
	case excluding && len(exclusions) == 0:
		v.fail(key, "is required with %s", mode)
	case !excluding && len(exclusions) > 0:
		v.fail(key, "goes with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION as image_tag_mutability only")
	case len(exclusions) > maxMutabilityExclusion:
		v.fail(key, "must be at most %d patterns", maxMutabilityExclusion)
	}
	for i, pattern := range exclusions {
		if !exclusionPattern.MatchString(pattern) || strings.Count(pattern, "*") > 2 {
			v.fail(fmt.Sprintf("%s[%d]", key, i), "must be 1 to 128 characters of A-Z, a-z, 0-9, ._- and at most two *")
		}
	}
}

func (v *validator) tags(tags map[string]string) {
	if len(tags) > maxTags-reservedTags {
		v.fail("tags", "must be at most %d: AWS allows %d on a resource, and some are ours", maxTags-reservedTags, maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value, path := tags[key], tagPath(key)
		lower := strings.ToLower(key)
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || !tagPattern.MatchString(key):
			v.fail("tags", "has a key that AWS refuses: keys are 1 to %d letters, digits, spaces and _.:/=+-@", maxTagKey)
		case strings.HasPrefix(lower, "aws:") || strings.HasPrefix(lower, "rise:"):
			v.fail(path, "is reserved: keys must not begin with rise: or aws:")
		case utf8.RuneCountInString(value) > maxTagValue || !tagPattern.MatchString(value):
			v.fail(path, "must be at most %d letters, digits, spaces and _.:/=+-@", maxTagValue)
		}
	}
}

// tagPath is a tag's key path as configload writes it.
func tagPath(key string) string {
	if plainKey.MatchString(key) {
		return "tags." + key
	}
	return "tags[" + strconv.Quote(key) + "]"
}

func joined[T ~string](values []T) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return strings.Join(texts, ", ")
}
