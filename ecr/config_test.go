package ecr_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func validConfig() ecr.Config {
	c := ecr.DefaultConfig()
	c.Region, c.AccountID = "eu-west-1", "123456789012"
	c.PushRoleARN = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
	return c
}

// problems are the keys that err complains of, with what it says.
func problems(err error) map[string]string {
	found := map[string]string{}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			maps.Copy(found, problems(e))
		}
	} else if problem, ok := err.(*provider.ConfigError); ok { //nolint:errorlint // a leaf of the tree
		found[problem.Key] = problem.Problem
	}
	return found
}

func TestConfigValid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ecr.Config){
		"minimal": func(*ecr.Config) {},
		"no defaults": func(c *ecr.Config) {
			*c = ecr.Config{Region: c.Region, AccountID: c.AccountID, PushRoleARN: c.PushRoleARN}
		},
		"role with path": func(c *ecr.Config) { c.PushRoleARN = "arn:aws:iam::123456789012:role/team/a/push_role+=,.@-x" },
		"all roles": func(c *ecr.Config) {
			c.RoleARN, c.PullRoleARN = "arn:aws:iam::123456789012:role/controller", "arn:aws:iam::123456789012:role/pull"
			c.ExternalID, c.RoleExternalID = "a/b:c@d", strings.Repeat("x", 1224)
		},
		"static keys": func(c *ecr.Config) {
			c.AccessKeyID, c.SecretAccessKey = provider.NewSecret("AKIA"), provider.NewSecret("x")
		},
		"shortest session": func(c *ecr.Config) { c.SessionDuration = 15 * time.Minute },
		"longest session":  func(c *ecr.Config) { c.SessionDuration = 12 * time.Hour },
		"flat prefix":      func(c *ecr.Config) { c.RepoPrefix = "team-" },
		"longest prefix":   func(c *ecr.Config) { c.RepoPrefix = strings.Repeat("a", 192) + "/" },
		"host with port":   func(c *ecr.Config) { c.RegistryHost = "localhost:5000" },
		"vpc endpoint":     func(c *ecr.Config) { c.RegistryHost = "123456789012.dkr.ecr.eu-west-1.vpce.example.com" },
		"dual stack host elsewhere": func(c *ecr.Config) {
			c.Region, c.PushRoleARN = "us-iso-east-1", "arn:aws-iso:iam::123456789012:role/x"
			c.UseDualStack, c.RegistryHost = true, "registry.example.com"
		},
		"ids":          func(c *ecr.Config) { c.ProjectIDs, c.RemoveAfter = true, new(time.Second) },
		"at once":      func(c *ecr.Config) { c.RemoveAfter = new(time.Duration(0)) },
		"a day's half": func(c *ecr.Config) { c.RemoveAfter = new(12 * time.Hour) },
		"repositories": func(c *ecr.Config) {
			c.Installation, c.KMSKeyARN = "prod", "arn:aws:kms:eu-west-1:999999999999:key/0b1c2d3e-aaaa-bbbb-cccc-ddddeeeeffff"
			c.ImageTagMutability, c.ImageTagMutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"latest", "dev-*"}
			c.MaxImageCount, c.UntaggedExpireDays, c.RemoveAfter = 10, 7, new(time.Duration(0))
			c.Tags = map[string]string{"team": "Plattform & Co"[:9], "cost-center": ""}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validConfig()
			change(&c)
			require.NoError(t, c.Validate())
			_, err := ecr.New(t.Context(), c, hermetic())
			require.NoError(t, err)
		})
	}
}

func TestConfigInvalid(t *testing.T) {
	t.Parallel()
	const role = "must be the ARN of an IAM role such as arn:aws:iam::123456789012:role/rise-backend-ecr-push"
	for name, test := range map[string]struct {
		change func(*ecr.Config)
		want   map[string]string // the beginning of each problem by key
	}{
		"nothing set": {func(c *ecr.Config) { *c = ecr.Config{} }, map[string]string{
			"region": "is required", "account_id": "is required", "push_role_arn": "is required",
		}},
		"region":           {func(c *ecr.Config) { c.Region = "eu-west-*" }, map[string]string{"region": "must be an AWS region such as eu-west-1"}},
		"region injection": {func(c *ecr.Config) { c.Region = "eu-west-1.evil.com/" }, map[string]string{"region": "must be an AWS region"}},
		"short account":    {func(c *ecr.Config) { c.AccountID = "12345" }, map[string]string{"account_id": "must be an AWS account id of 12 digits"}},
		"account wildcard": {func(c *ecr.Config) { c.AccountID = "*" }, map[string]string{"account_id": "must be an AWS account"}},
		"role wildcard":    {func(c *ecr.Config) { c.PushRoleARN = "arn:aws:iam::123456789012:role/*" }, map[string]string{"push_role_arn": role}},
		"role variable":    {func(c *ecr.Config) { c.PushRoleARN = "arn:aws:iam::123456789012:role/${aws:username}" }, map[string]string{"push_role_arn": role}},
		"role is a user":   {func(c *ecr.Config) { c.PushRoleARN = "arn:aws:iam::123456789012:user/x" }, map[string]string{"push_role_arn": role}},
		"role is a name":   {func(c *ecr.Config) { c.PushRoleARN = "rise-backend-ecr-push" }, map[string]string{"push_role_arn": role}},
		"role of another account": {func(c *ecr.Config) { c.PushRoleARN = "arn:aws:iam::999999999999:role/x" }, map[string]string{
			"push_role_arn": "must be a role of the account in account_id",
		}},
		"role of another partition": {func(c *ecr.Config) { c.PushRoleARN = "arn:aws-cn:iam::123456789012:role/x" }, map[string]string{
			"push_role_arn": "must be in partition aws, which is the region's",
		}},
		"china with a commercial role": {func(c *ecr.Config) { c.Region = "cn-north-1" }, map[string]string{
			"push_role_arn": "must be in partition aws-cn",
		}},
		"pull role":       {func(c *ecr.Config) { c.PullRoleARN = "arn:aws:iam::999999999999:role/x" }, map[string]string{"pull_role_arn": "must be a role of the account"}},
		"controller role": {func(c *ecr.Config) { c.RoleARN = "arn:aws:iam::123456789012:role/?" }, map[string]string{"role_arn": role}},
		"external ids": {func(c *ecr.Config) { c.ExternalID, c.RoleExternalID = "a b", "x" }, map[string]string{
			"external_id": "must be 2 to 1224 characters", "role_external_id": "is for role_arn, which isn't set",
		}},
		"long external id": {func(c *ecr.Config) { c.ExternalID = strings.Repeat("x", 1225) }, map[string]string{"external_id": "must be 2 to 1224 characters"}},
		"half a key":       {func(c *ecr.Config) { c.AccessKeyID = provider.NewSecret("AKIA") }, map[string]string{"secret_access_key": "is required with access_key_id: static keys are both or neither"}},
		"other half":       {func(c *ecr.Config) { c.SecretAccessKey = provider.NewSecret("x") }, map[string]string{"access_key_id": "is required with secret_access_key: static keys are both or neither"}},
		"a lone token":     {func(c *ecr.Config) { c.SessionToken = provider.NewSecret("x") }, map[string]string{"session_token": "goes with access_key_id and secret_access_key"}},
		"keys as files have them": {func(c *ecr.Config) {
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken = provider.NewSecret("AKIA\n"), provider.NewSecret("x\r"), provider.NewSecret("\ufeffx")
		}, map[string]string{
			"access_key_id": "ends in the end of a line", "secret_access_key": "ends in the end of a line", "session_token": "holds a byte order mark",
		}},
		"keys in quotes": {func(c *ecr.Config) {
			c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(`"AKIA"`), provider.NewSecret("$AWS_SECRET_ACCESS_KEY")
		}, map[string]string{"access_key_id": "has quotes around it", "secret_access_key": "is the name of a variable"}},
		"keys that no header can carry": {func(c *ecr.Config) {
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken = provider.NewSecret("AK\nIA"), provider.NewSecret("x y"), provider.NewSecret("x\u200by")
		}, map[string]string{
			"access_key_id": "has white space or a character inside", "secret_access_key": "has white space or a character inside",
			"session_token": "has white space or a character inside",
		}},
		"short session":    {func(c *ecr.Config) { c.SessionDuration = 14 * time.Minute }, map[string]string{"session_duration": "must be between 15m and 12h"}},
		"long session":     {func(c *ecr.Config) { c.SessionDuration = 13 * time.Hour }, map[string]string{"session_duration": "must be between 15m and 12h"}},
		"negative session": {func(c *ecr.Config) { c.SessionDuration = -time.Hour }, map[string]string{"session_duration": "must be between 15m and 12h"}},
		"broken second":    {func(c *ecr.Config) { c.SessionDuration = time.Hour - time.Millisecond }, map[string]string{"session_duration": "must be whole seconds"}},
		"chained session": {func(c *ecr.Config) {
			c.SessionDuration, c.RoleARN = 2*time.Hour, "arn:aws:iam::123456789012:role/controller"
		}, map[string]string{"session_duration": "must be at most 1h together with role_arn"}},
		"STS's region":         {func(c *ecr.Config) { c.STSRegion = "Europe" }, map[string]string{"sts_region": "must be an AWS region"}},
		"STS, other partition": {func(c *ecr.Config) { c.STSRegion = "cn-north-1" }, map[string]string{"sts_region": "must be in the registry's partition, aws"}},
		"prefix wildcard":      {func(c *ecr.Config) { c.RepoPrefix = "rise*/" }, map[string]string{"repo_prefix": "must begin an ECR repository name"}},
		"prefix upwards":       {func(c *ecr.Config) { c.RepoPrefix = "rise/../" }, map[string]string{"repo_prefix": "must begin an ECR"}},
		"prefix with slash":    {func(c *ecr.Config) { c.RepoPrefix = "/rise/" }, map[string]string{"repo_prefix": "must begin an ECR"}},
		"prefix in capital":    {func(c *ecr.Config) { c.RepoPrefix = "Rise/" }, map[string]string{"repo_prefix": "must begin an ECR"}},
		"prefix variable":      {func(c *ecr.Config) { c.RepoPrefix = "${aws:username}/" }, map[string]string{"repo_prefix": "must begin an ECR"}},
		"long prefix":          {func(c *ecr.Config) { c.RepoPrefix = strings.Repeat("a", 193) + "/" }, map[string]string{"repo_prefix": "must be at most 193 characters"}},
		"host with scheme":     {func(c *ecr.Config) { c.RegistryHost = "https://x.example.com" }, map[string]string{"registry_host": "must be a host or host:port, without a scheme"}},
		"host with path":       {func(c *ecr.Config) { c.RegistryHost = "x.example.com/y" }, map[string]string{"registry_host": "must have a host name"}},
		"host with login":      {func(c *ecr.Config) { c.RegistryHost = "u:p@x.example.com" }, map[string]string{"registry_host": "must have a host name"}},
		"host with a port of its own": {func(c *ecr.Config) { c.RegistryHost = "x.example.com:99999" }, map[string]string{
			"registry_host": "must have a port between 1 and 65535",
		}},
		"host that is Docker Hub's": {func(c *ecr.Config) { c.RegistryHost = "registry" }, map[string]string{"registry_host": "must have a dot or a port"}},
		"dual stack nowhere": {func(c *ecr.Config) {
			c.Region, c.PushRoleARN, c.UseDualStack = "us-iso-east-1", "arn:aws-iso:iam::123456789012:role/x", true
		}, map[string]string{"use_dual_stack": "isn't known to exist in partition aws-iso"}},
		"installation":     {func(c *ecr.Config) { c.Installation = "prod*" }, map[string]string{"installation": "must be at most 63 characters"}},
		"a token's life":   {func(c *ecr.Config) { c.RemoveAfter = new(12*time.Hour - time.Second) }, map[string]string{"remove_after": "must be at least 12h without project_ids: tokens live that long"}},
		"short life":       {func(c *ecr.Config) { c.AutoRemove, c.RemoveAfter = true, new(time.Nanosecond) }, map[string]string{"remove_after": "must be at least 12h without project_ids"}},
		"remove after":     {func(c *ecr.Config) { c.RemoveAfter = new(-time.Second) }, map[string]string{"remove_after": "must not be negative"}},
		"mutability":       {func(c *ecr.Config) { c.ImageTagMutability = "SOMETIMES" }, map[string]string{"image_tag_mutability": "must be one of MUTABLE, IMMUTABLE, "}},
		"no exclusions":    {func(c *ecr.Config) { c.ImageTagMutability = "MUTABLE_WITH_EXCLUSION" }, map[string]string{"image_tag_mutability_exclusions": "is required with MUTABLE_WITH_EXCLUSION"}},
		"exclusions alone": {func(c *ecr.Config) { c.ImageTagMutabilityExclusions = []string{"x"} }, map[string]string{"image_tag_mutability_exclusions": "goes with MUTABLE_WITH_EXCLUSION and"}},
		"bad exclusions": {func(c *ecr.Config) {
			c.ImageTagMutability, c.ImageTagMutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"ok", "a***", "", "x y", "5", "6"}
		}, map[string]string{
			"image_tag_mutability_exclusions":    "must be at most 5 patterns",
			"image_tag_mutability_exclusions[1]": "must be 1 to 128 characters", "image_tag_mutability_exclusions[2]": "must be 1 to 128 characters",
			"image_tag_mutability_exclusions[3]": "must be 1 to 128 characters",
		}},
		"key alias":              {func(c *ecr.Config) { c.KMSKeyARN = "arn:aws:kms:eu-west-1:123456789012:alias/x" }, map[string]string{"kms_key_arn": "must be the ARN of a KMS key"}},
		"key of another region":  {func(c *ecr.Config) { c.KMSKeyARN = "arn:aws:kms:us-east-1:123456789012:key/x" }, map[string]string{"kms_key_arn": "must be in the registry's region"}},
		"key, another partition": {func(c *ecr.Config) { c.KMSKeyARN = "arn:aws-cn:kms:eu-west-1:123456789012:key/x" }, map[string]string{"kms_key_arn": "must be in partition aws"}},
		"counts":                 {func(c *ecr.Config) { c.MaxImageCount, c.UntaggedExpireDays = -1, -2 }, map[string]string{"max_image_count": "must be between 0 and", "untagged_expire_days": "must be between 0 and"}},
		"tags": {func(c *ecr.Config) {
			c.Tags = map[string]string{"rise:managed": "false", "AWS:x": "y", "ok": strings.Repeat("v", 257), "a*": "b"}
		}, map[string]string{
			`tags["rise:managed"]`: "is reserved", `tags["AWS:x"]`: "is reserved", "tags.ok": "must be at most 256", "tags": "has a key that AWS refuses",
		}},
		"too many tags": {func(c *ecr.Config) {
			c.Tags = map[string]string{}
			for i := range 43 {
				c.Tags[fmt.Sprint("key", i)] = "v"
			}
		}, map[string]string{"tags": "must be at most 42"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validConfig()
			test.change(&c)
			err := c.Validate()
			found := problems(err)
			require.ElementsMatch(t, keys(test.want), keys(found), "%v", err)
			for key, beginning := range test.want {
				require.True(t, strings.HasPrefix(found[key], beginning), "%s: %s", key, found[key])
			}
			_, err = ecr.New(t.Context(), c, hermetic())
			require.ErrorIs(t, err, provider.ErrMisconfigured)
		})
	}
}

func keys(m map[string]string) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// No configured value may be in an error: it may be a secret that was put into the wrong place.
func TestConfigErrorsHoldNoValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2 in the wrong place"
	s := provider.NewSecret(secret)
	c := ecr.Config{
		Region: secret, AccountID: secret, PushRoleARN: secret, RepoPrefix: secret, RoleARN: secret, RoleExternalID: secret, ExternalID: secret,
		PullRoleARN: secret, AccessKeyID: s, SessionToken: s, RegistryHost: secret,
	}
	c.Installation, c.ImageTagMutability, c.KMSKeyARN, c.Tags = secret, secret, secret, map[string]string{"k": secret + "*"}
	_, err := ecr.New(t.Context(), c, hermetic())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	require.NotContains(t, fmt.Sprintf("%+v", c.SessionToken), "hunter2")
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		region, partition string
		fips, dualStack   bool
		host              string
	}{
		{"eu-west-1", "aws", false, false, "123456789012.dkr.ecr.eu-west-1.amazonaws.com"},
		{"us-east-1", "aws", true, false, "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"},
		{"us-east-1", "aws", false, true, "123456789012.dkr-ecr.us-east-1.on.aws"},
		{"us-east-1", "aws", true, true, "123456789012.dkr-ecr-fips.us-east-1.on.aws"},
		{"cn-north-1", "aws-cn", false, false, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"},
		{"cn-northwest-1", "aws-cn", false, true, "123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn"},
		{"us-gov-west-1", "aws-us-gov", false, false, "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com"},
		{"us-gov-west-1", "aws-us-gov", true, false, "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com"},
		{"us-iso-east-1", "aws-iso", false, false, "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov"},
		{"us-isob-east-1", "aws-iso-b", false, false, "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov"},
		{"eu-isoe-west-1", "aws-iso-e", false, false, "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk"},
		{"us-isof-south-1", "aws-iso-f", false, false, "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov"},
		{"eusc-de-east-1", "aws-eusc", false, false, "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu"},
	} {
		t.Run(fmt.Sprint(test.region, " fips=", test.fips, " dualstack=", test.dualStack), func(t *testing.T) {
			t.Parallel()
			c := validConfig()
			c.Region, c.UseFIPS, c.UseDualStack = test.region, test.fips, test.dualStack
			c.PushRoleARN = "arn:" + test.partition + ":iam::123456789012:role/push"
			p, err := ecr.New(t.Context(), c, hermetic())
			require.NoError(t, err)
			for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
				repository, err := p.Repository("hello", consumer)
				require.NoError(t, err)
				require.Equal(t, test.host+"/rise/hello", repository.String())
			}
			policy, err := p.SessionPolicy(push)
			require.NoError(t, err)
			require.Contains(t, policy, `"arn:`+test.partition+`:ecr:`+test.region+`:123456789012:repository/rise/hello"`)
		})
	}
	// What the environment chooses for the SDK (AWS_USE_FIPS_ENDPOINT) chooses the image host too.
	byEnvironment, err := ecr.New(t.Context(), validConfig(), hermetic(), ecr.WithLoadOptions(config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled)))
	require.NoError(t, err)
	fips, err := byEnvironment.Repository("hello", provider.Client)
	require.NoError(t, err)
	require.Equal(t, "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com/rise/hello", fips.String())

	c := validConfig()
	c.RepoPrefix, c.RegistryHost = "team-", "localhost:5000"
	p, err := ecr.New(t.Context(), c, hermetic())
	require.NoError(t, err)
	repository, err := p.Repository("hello", provider.Client)
	require.NoError(t, err)
	require.Equal(t, "localhost:5000/team-hello", repository.String(), "the prefix is literal, the host overrides")
}

func TestCustomEndpoints(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		endpoint string
		change   func(*ecr.Config)
		problem  string
	}{
		"https":             {"https://vpce.example.com", func(*ecr.Config) {}, ""},
		"loopback":          {"http://127.0.0.1:4566", func(*ecr.Config) {}, ""},
		"localhost":         {"http://localhost:4566", func(*ecr.Config) {}, ""},
		"loopback, ipv6":    {"http://[::1]:4566", func(*ecr.Config) {}, ""},
		"declared insecure": {"http://vpce.example.com", func(c *ecr.Config) { c.Insecure = true }, ""},
		"plain http":        {"http://vpce.example.com", func(*ecr.Config) {}, "AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is plain HTTP and not on loopback"},
		"no url":            {"vpce.example.com", func(*ecr.Config) {}, "must be an http or https URL"},
		"a login":           {"https://user:hunter2@vpce.example.com", func(*ecr.Config) {}, "must not hold a login"},
		"fips":              {"https://vpce.example.com", func(c *ecr.Config) { c.UseFIPS = true }, "can't be combined with use_fips or use_dual_stack"},
		"dual stack":        {"https://vpce.example.com", func(c *ecr.Config) { c.UseDualStack = true }, "can't be combined with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validConfig()
			test.change(&c)
			_, err := ecr.New(t.Context(), c, hermetic(), ecr.WithLoadOptions(config.WithBaseEndpoint(test.endpoint)))
			if test.problem == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			require.ErrorContains(t, err, test.problem)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestBrokenAWSConfiguration(t *testing.T) {
	t.Parallel()
	_, err := ecr.New(t.Context(), validConfig(), ecr.WithLoadOptions(func(*config.LoadOptions) error { return errors.New("broken profile") }))
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "broken profile")
}

// Shared repositories are names in the registry, outside the projects', and as many as a session policy has room for.
func TestConfigShared(t *testing.T) {
	t.Parallel()
	const (
		form    = "must be a repository's name in the registry, such as base"
		overlap = "must not be where projects' repositories are"
		none    = "is a name that ECR has no repository of"
	)
	for _, test := range []struct {
		prefix, entry, want string
	}{
		{"rise/", "base", ""},
		{"rise/", "mirror/*", ""},
		{"rise/", "mirror/docker.io/library/*", ""},
		{"rise/", "rise", ""}, // a repository of that name, which no project has
		{"rise/", "rise-base/*", ""},
		{"rise/", "risen/x", ""},
		{"rise/", "a/rise/*", ""},
		{"team-", "team/*", ""},
		{"", "rise/base", overlap}, // the default prefix
		{"rise/", "rise/hello", overlap},
		{"rise/", "rise/hello/*", overlap},
		{"rise/", "rise/*", overlap},
		{"rise", "rise", overlap},
		{"rise", "rise/*", overlap},
		{"rise", "risen/x", overlap},
		{"a/rise/", "a/*", overlap},
		{"a/rise-", "a/*", overlap},
		{"a/rise/", "a/rise/*", overlap},
		{"team-", "team-a/x", overlap},
		{"rise/", "*", form},
		{"rise/", "/*", form},
		{"rise/", "*/", form},
		{"rise/", "*/x", form},
		{"rise/", "base*", form},
		{"rise/", "ris*/hello", form},
		{"rise/", "ris?/hello", form},
		{"rise/", "ris?/*", form},
		{"rise/", "a/*/b", form},
		{"rise/", "a/**", form},
		{"rise/", "a/*/*", form},
		{"rise/", "a/b*", form},
		{"rise/", "", form},
		{"rise/", "/base", form},
		{"rise/", "base/", form},
		{"rise/", "a//b", form},
		{"rise/", "..", form},
		{"rise/", "../*", form},
		{"rise/", "a/../rise/hello", form},
		{"rise/", "./base", form},
		{"rise/", "Base", form},
		{"rise/", "RISE/hello", form},
		{"rise/", "ｂａｓｅ", form},
		{"rise/", "b\u0430se", form}, // Cyrillic
		{"rise/", "base\n", form},
		{"rise/", " base", form},
		{"rise/", "base,other", form},
		{"rise/", "base:latest", form},
		{"rise/", "base@sha256:00", form},
		{"rise/", "${aws:PrincipalTag/rise:project}", form},
		{"rise/", "$", form},
		{"rise/", `a","*`, form},
		{"rise/", "arn:aws:ecr:eu-west-1:123456789012:repository/base", form},
		{"rise/", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/base", ""}, // a name, of nothing that is there
		{"rise/", "ba__se", none},
		{"rise/", "ba--se/*", none},
		{"rise/", strings.Repeat("a", 257), none},
	} {
		c := validConfig()
		c.RepoPrefix, c.SharedRepositories = test.prefix, []string{"ok", test.entry}
		err := c.Validate()
		if test.want == "" {
			require.NoError(t, err, "%q with %q", test.entry, test.prefix)
			continue
		}
		found := problems(err)
		require.Len(t, found, 1)
		require.True(t, strings.HasPrefix(found["shared_repositories[1]"], test.want), "%q with %q: %v", test.entry, test.prefix, err)
		if len(test.entry) > 9 {
			require.NotContains(t, err.Error(), test.entry)
		}
		_, err = ecr.New(t.Context(), c, hermetic())
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		_, err = ecr.SessionPolicy(c, push)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
	}
}

// What fits is decided for the longest project and id, whatever the first request will be.
func TestConfigSharedFits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*ecr.Config)
		shared []string
		want   string
	}{
		{"two", nil, []string{"base", "mirror/*"}, ""},
		{"all", nil, []string{"base", "mirror/*", "x"}, ""},
		{"one too many", nil, []string{"base", "mirror/*", "x", "y"}, "has 1 too many, from the end: with all 4, session policies would get up to 2133 characters, of which AWS allows 2048; leave"},
		{"many too many", nil, slices.Repeat([]string{"a/*"}, 1000), "has 997 too many, from the end: with all 1000"},
		{"a long prefix", func(c *ecr.Config) { c.RepoPrefix = strings.Repeat("a", 192) + "/" }, []string{"base"}, "has 1 too many, from the end"},
		{"elsewhere", func(c *ecr.Config) {
			c.Region, c.PushRoleARN = "us-gov-west-1", "arn:aws-us-gov:iam::123456789012:role/x"
		}, []string{"base", "mirror/*"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := validConfig()
			c.SharedRepositories = test.shared
			if test.change != nil {
				test.change(&c)
			}
			err := c.Validate()
			if test.want != "" {
				require.True(t, strings.HasPrefix(problems(err)["shared_repositories"], test.want), "%v", err)
				return
			}
			require.NoError(t, err)
			for _, access := range []provider.Access{provider.Push, provider.Pull} {
				policy, err := ecr.SessionPolicy(c, provider.Request{Project: strings.Repeat("a", 63), ProjectID: strings.Repeat("i", 128), Access: access})
				require.NoError(t, err)
				require.LessOrEqual(t, len(policy), 2048)
			}
		})
	}
}
