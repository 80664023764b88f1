package configload_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ecrExample is the example of the configuration contract for type ecr.
const ecrExample = `registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: arn:aws:iam::123456789012:role/rise-backend-ecr-push
  # all below optional
  repo_prefix: rise/            # literal, default "rise/"
  role_arn: ""                  # controller role, assumed first when set (unless already that role)
  role_external_id: ""          # for role_arn
  external_id: ""               # for the push role
  pull_role_arn: ""             # allows the registry-wide pull credential, which alone uses it
  access_key_id: ""             # static keys outside AWS: both or neither
  secret_access_key: ""
  session_token: ""
  session_duration: 1h          # 15m to 12h; above 1h is an error together with role_arn (chaining)
  session_tags: false           # tag sessions with rise:project (the Terraform module turns it on)
  sts_region: ""                # where STS is asked; default region
  project_ids: false            # every request and repository call names its project's id: a former owner's credentials die with the hand-over of a name
  use_fips: false
  use_dual_stack: false
  registry_host: ""             # overrides the computed host (PrivateLink, tests)
  insecure: false               # a plain-HTTP AWS_ENDPOINT_URL* off loopback
  cache: {enabled: true, min_remaining: 15m, max_entries: 100000, max_in_flight: 64, max_per_second: 200}
  # repositories
  installation: ""              # names this installation in tags; needed before anything is released or purged
  auto_remove: false            # released repositories are deleted (after remove_after), or only tagged as orphaned
  remove_after: 24h             # 0s deletes at once: only for services that never reuse a name
  image_tag_mutability: MUTABLE # or IMMUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION
  image_tag_mutability_exclusions: []
  scan_on_push: true
  kms_key_arn: ""
  max_image_count: 0            # lifecycle policy: keep the newest N, 0 = none
  untagged_expire_days: 0
  tags: {}                      # not rise:* or aws:*
`

const ociExample = `registry:
  type: oci-client-auth
  registry_url: rise-registry:5000
  namespace: rise-apps                  # default ""
  client_registry_url: localhost:5000   # default registry_url
  insecure: false                       # plain HTTP; always allowed on loopback, elsewhere only when declared
`

func TestECRExample(t *testing.T) {
	t.Parallel()
	var got service
	require.NoError(t, load(dev(ecrExample), nil, &got))
	require.Equal(t, common{Type: "ecr", Cache: cache{true, 15 * time.Minute, 100000, 64, 200}}, got.Reg.common)
	require.Equal(t, &ecr{
		Region: "eu-west-1", AccountID: "123456789012", PushRoleARN: "arn:aws:iam::123456789012:role/rise-backend-ecr-push",
		RepoPrefix: "rise/", SessionDuration: time.Hour, RemoveAfter: 24 * time.Hour, ImageTagMutability: "MUTABLE",
		ScanOnPush: true,
	}, got.Reg.part)
}

func TestSwitchTypeInLocal(t *testing.T) {
	t.Parallel()
	var got service
	require.NoError(t, load(files{"development.yaml": ecrExample, "local.yaml": ociExample}, nil, &got))
	require.Equal(t, &oci{RegistryURL: "rise-registry:5000", Namespace: "rise-apps", ClientRegistryURL: "localhost:5000"},
		got.Reg.part)
	require.NoError(t, load(files{"development.yaml": ociExample, "local.yaml": ecrExample}, nil, &got))
	require.IsType(t, &ecr{}, got.Reg.part)
}

// Every value of the ECR example is a variable, and all are unset: all are reported at once, each where it is.
func TestECRExampleAllUnset(t *testing.T) {
	t.Parallel()
	var content strings.Builder
	content.WriteString("registry:\n")
	var want []string
	n := 1
	add := func(indent, path, key string) {
		n++
		name := strings.ToUpper(key)
		fmt.Fprintf(&content, "%s%s: ${%s}\n", indent, key, name)
		want = append(want, fmt.Sprintf("config/development.yaml:%d: %s%s: variable %s is not set", n, path, key, name))
	}
	for _, key := range []string{"type", "region", "account_id", "push_role_arn", "repo_prefix", "role_arn", "role_external_id",
		"external_id", "pull_role_arn", "access_key_id", "secret_access_key", "session_token", "session_duration",
		"session_tags", "sts_region", "project_ids", "use_fips", "use_dual_stack", "registry_host", "insecure", "installation", "auto_remove",
		"remove_after", "image_tag_mutability", "image_tag_mutability_exclusions", "scan_on_push", "kms_key_arn",
		"max_image_count", "untagged_expire_days", "tags"} {
		add("  ", "registry.", key)
	}
	content.WriteString("  cache:\n")
	n++
	for _, key := range []string{"enabled", "min_remaining", "max_entries", "max_in_flight", "max_per_second"} {
		add("    ", "registry.cache.", key)
	}
	var got service
	require.Equal(t, want, lines(load(dev(content.String()), nil, &got)))
}
