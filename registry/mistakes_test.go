package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// full has every key of type ecr set, so that rules across keys have something to say.
var full = []string{
	"region: eu-west-1", "account_id: '123456789012'", "push_role_arn: arn:aws:iam::123456789012:role/push", "repo_prefix: team-",
	"role_arn: arn:aws:iam::123456789012:role/controller", "role_external_id: ext-1", "external_id: ext-2",
	"pull_role_arn: arn:aws:iam::123456789012:role/pull", "access_key_id: AKIA", "secret_access_key: hunter2", "session_token: hunter3",
	"session_duration: 15m", "session_tags: true", "use_fips: true", "use_dual_stack: true", "registry_host: r.example.com", "insecure: true",
	"installation: prod", "auto_remove: true", "remove_after: 13h", "image_tag_mutability: MUTABLE_WITH_EXCLUSION",
	"image_tag_mutability_exclusions: [latest]", "scan_on_push: false", "kms_key_arn: arn:aws:kms:eu-west-1:123456789012:key/a",
	"max_image_count: 5", "untagged_expire_days: 6", "tags: {team: a}",
}

// A value that doesn't decode isn't followed by what rules say about its absence.
func TestNoMistakeIsReportedForAnother(t *testing.T) {
	t.Parallel()
	f := factory(t)
	file := func(broken ...string) string {
		text := "registry:\n  type: ecr\n"
		for _, line := range full {
			key, _, _ := strings.Cut(line, ":")
			for _, b := range broken {
				if key == b {
					line = key + ": ${UNSET_" + key + "}"
				}
			}
			text += "  " + line + "\n"
		}
		return text
	}
	_, err := load(t, f, map[string]string{"development.yaml": file()})
	require.NoError(t, err)
	for i, line := range full {
		key, _, _ := strings.Cut(line, ":")
		want := fmt.Sprintf("development.yaml:%d: registry.%s: variable UNSET_%s is not set", i+3, key, key)
		_, err := load(t, f, map[string]string{"development.yaml": file(key)})
		require.EqualError(t, err, want)
		for j, line := range full[:i] {
			other, _, _ := strings.Cut(line, ":")
			_, err := load(t, f, map[string]string{"development.yaml": file(key, other)})
			require.EqualError(t, err, fmt.Sprintf("development.yaml:%d: registry.%s: variable UNSET_%s is not set\n", j+3, other, other)+want)
		}
	}
}

// A value that doesn't decode hides no other mistake, and what is missing is missing from a place.
func TestEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, factory(t), map[string]string{
		"development.yaml": "listen: ${L}\nregistry:\n  type: ecr\n  account_id: 12345\n  session_duration: 1 hour\n  scan_on_push: perhaps\n  regoin: eu-west-1\n",
		"local.yaml":       "# mine\nregistry:\n  secret_access_key: hunter2\n  cache: {max_entries: 0, max_in_flight: many}\n",
	})
	require.EqualError(t, err, strings.Join([]string{
		"development.yaml:1: listen: variable L is not set",
		"development.yaml:4: registry.account_id: must be an AWS account id of 12 digits",
		"development.yaml:5: registry.session_duration: must be a duration with a unit, such as 90s, 15m or 1h30m",
		"development.yaml:6: registry.scan_on_push: must be true or false",
		`development.yaml:7: registry.regoin: unknown key; did you mean "region"?`,
		"local.yaml:2: registry.access_key_id: is required with secret_access_key: static keys are both or neither",
		"local.yaml:2: registry.push_role_arn: is required: it must be the ARN of an IAM role such as arn:aws:iam::123456789012:role/rise-backend-ecr-push",
		"local.yaml:4: registry.cache.max_entries: must be at least 1",
		"local.yaml:4: registry.cache.max_in_flight: must be a whole number, in decimal digits without leading zeros",
	}, "\n"))
}
