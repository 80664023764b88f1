package ecr

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Type is the type's name in configurations.
const Type = "ecr"

// Config is the configuration section of type "ecr". Region, AccountID and PushRoleARN are required. The zero value of each other
// field means its default, as leaving the key out does; [DefaultConfig] has the defaults written out.
type Config struct {
	// Region is the registry's AWS region, such as "eu-west-1". AWS_REGION is not consulted.
	Region string `yaml:"region"`
	// AccountID is the registry's AWS account: 12 digits.
	AccountID string `yaml:"account_id"`
	// PushRoleARN is the role that is assumed, with a session policy, for each project's credential.
	PushRoleARN string `yaml:"push_role_arn"`

	// RepoPrefix is put before a project's name, as it stands, to make its repository's name. Default "rise/".
	RepoPrefix string `yaml:"repo_prefix"`
	// SharedRepositories can be pulled with every credential, beside the project's own: names in the registry, such as "base", or
	// with /* at the end all below one, such as "mirror/*"; none where projects' own are. No credential writes there. They are part of
	// every session policy, which has room for about two; their names, and what the roles' policies say of them, go together
	// (iampolicy.Push, iampolicy.Pull). Nobody makes them, tags them or looks at their tags. Default: none.
	SharedRepositories []string `yaml:"shared_repositories"`
	// RoleARN is the controller role: it is assumed first, unless the process already runs as it. Default: none.
	RoleARN string `yaml:"role_arn"`
	// RoleExternalID is the external ID for RoleARN.
	RoleExternalID string `yaml:"role_external_id"`
	// ExternalID is the external ID for PushRoleARN and PullRoleARN.
	ExternalID string `yaml:"external_id"`
	// PullRoleARN allows registry-wide pull credentials (provider.Request.AllProjects), which alone use this role.
	PullRoleARN string `yaml:"pull_role_arn"`
	// AccessKeyID and SecretAccessKey are static keys, for processes outside AWS: both or neither. Default: the SDK's
	// default chain.
	AccessKeyID     provider.Secret `yaml:"access_key_id"`
	SecretAccessKey provider.Secret `yaml:"secret_access_key"`
	// SessionToken goes with temporary static keys.
	SessionToken provider.Secret `yaml:"session_token"`
	// SessionDuration is how long an assumed session lives: 15 minutes to 12 hours, in whole seconds, and at most one
	// hour with RoleARN, as roles assumed by a role can't live longer (role chaining). Default one hour.
	SessionDuration time.Duration `yaml:"session_duration"`
	// SessionTags tags each project's session with rise:project. Needs sts:TagSession for the caller and in the trust
	// policy of the push role.
	SessionTags bool `yaml:"session_tags"`
	// STSRegion is the region where STS is asked, of the registry's partition: where STS of the registry's region isn't
	// activated or can't be reached. Default: Region, or the one that AWS_ENDPOINT_URL_STS names.
	STSRegion string `yaml:"sts_region"`
	// ProjectIDs demands the project's id of every request for one project and of every repository call that says whose the
	// repository is: what has none is provider.ErrInvalidRequest. A former owner's credentials then die with the hand-over of
	// the name, whatever RemoveAfter is.
	ProjectIDs bool `yaml:"project_ids"`
	// UseFIPS and UseDualStack choose those endpoints and host names.
	UseFIPS      bool `yaml:"use_fips"`
	UseDualStack bool `yaml:"use_dual_stack"`
	// RegistryHost overrides the computed host of the image registry: host[:port].
	RegistryHost string `yaml:"registry_host"`
	// Insecure allows plain-HTTP AWS_ENDPOINT_URL* off loopback.
	Insecure bool `yaml:"insecure"`

	// Repositories is how repositories are made and let go.
	Repositories `yaml:",inline"`
}

// Repositories are the keys of [Config] for making repositories and letting them go. They are checked when a provider is
// built; issuing credentials doesn't use them.
type Repositories struct {
	// Installation names this installation in repositories' tags.
	Installation string `yaml:"installation"`
	// AutoRemove deletes released repositories, after RemoveAfter; otherwise they are only tagged as orphaned.
	AutoRemove bool `yaml:"auto_remove"`
	// RemoveAfter is how long a released repository is kept with AutoRemove. nil means 24 hours; 0 deletes at once. Tokens live
	// up to 12 hours: less than that needs Config.ProjectIDs, but for 0, which is then for services that never use a project's
	// name again.
	RemoveAfter *time.Duration `yaml:"remove_after"`
	// ImageTagMutability is MUTABLE (default), IMMUTABLE, MUTABLE_WITH_EXCLUSION or IMMUTABLE_WITH_EXCLUSION.
	ImageTagMutability string `yaml:"image_tag_mutability"`
	// ImageTagMutabilityExclusions are up to five tag patterns for the _WITH_EXCLUSION modes.
	ImageTagMutabilityExclusions []string `yaml:"image_tag_mutability_exclusions"`
	// ScanOnPush scans images when they are pushed. nil means true; new(false) turns it off where it is on.
	ScanOnPush *bool `yaml:"scan_on_push"`
	// KMSKeyARN encrypts new repositories with this key.
	KMSKeyARN string `yaml:"kms_key_arn"`
	// MaxImageCount is how many images the lifecycle policy keeps; 0 keeps all.
	MaxImageCount int `yaml:"max_image_count"`
	// UntaggedExpireDays is after how many days the lifecycle policy removes untagged images; 0 is never.
	UntaggedExpireDays int `yaml:"untagged_expire_days"`
	// Tags are put on repositories; keys must not begin with rise: or aws:.
	Tags map[string]string `yaml:"tags"`
}

const (
	defaultRepoPrefix      = "rise/"
	defaultSessionDuration = time.Hour
	defaultRemoveAfter     = 24 * time.Hour
	defaultMutability      = "MUTABLE"
)

// DefaultConfig returns a Config with every default filled in. Region, AccountID and PushRoleARN have none.
func DefaultConfig() Config {
	return Config{
		RepoPrefix:      defaultRepoPrefix,
		SessionDuration: defaultSessionDuration,
		Repositories: Repositories{
			RemoveAfter:        new(defaultRemoveAfter),
			ImageTagMutability: defaultMutability,
			ScanOnPush:         new(true),
		},
	}
}

// withDefaults fills in what is zero and has another default. A field whose zero value means something else than its default is a
// pointer.
func (c Config) withDefaults() Config {
	if c.RepoPrefix == "" {
		c.RepoPrefix = defaultRepoPrefix
	}
	if c.SessionDuration == 0 {
		c.SessionDuration = defaultSessionDuration
	}
	if c.RemoveAfter == nil {
		c.RemoveAfter = new(defaultRemoveAfter)
	}
	if c.ImageTagMutability == "" {
		c.ImageTagMutability = defaultMutability
	}
	if c.ScanOnPush == nil {
		c.ScanOnPush = new(true)
	}
	return c
}
