package ecr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// What AWS says leads to what has to be done.
func TestHints(t *testing.T) {
	t.Parallel()
	const create = "ecr:CreateRepository"
	for name, test := range map[string]struct {
		fault ecrtest.Fault
		kind  provider.Kind
		hint  string
	}{
		"policy too large": {
			ecrtest.Fault{Action: sts, Error: "PackedPolicyTooLarge", Message: "Packed policy consumes 108% of allotted space, please use smaller policy."},
			provider.ErrMisconfigured, "shorten repo_prefix",
		},
		"tags too large": {
			ecrtest.Fault{Action: sts, Error: "PackedPolicyTooLarge", Message: "Packed size of session tags consumes 131% of allotted space."},
			provider.ErrMisconfigured, "pass on fewer or shorter ones",
		},
		"both together": {
			ecrtest.Fault{Action: sts, Error: "PackedPolicyTooLarge", Message: "The total packed size of the session policies and session tags combined was too large."},
			provider.ErrMisconfigured, "its policy and tags together",
		},
		"not registered": {
			ecrtest.Fault{Action: sts, Error: "OptInRequired", Status: 403, Message: "The AWS Access Key Id needs a subscription for the service"},
			provider.ErrAccessDenied, "finish the account's registration",
		},
		"not registered for ECR": {ecrtest.Fault{Action: token, Error: "OptInRequired", Status: 403}, provider.ErrAccessDenied, "enable the region"},
		"KMS": {
			ecrtest.Fault{Action: create, Error: "KmsException", Message: "KMS key arn:aws:kms:eu-west-1:123456789012:key/x is disabled"},
			provider.ErrMisconfigured, "check that the key exists, is enabled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			aws.Inject(test.fault)
			p := aws.provider(t)
			_, err := provider.Issue(t.Context(), p, push)
			if test.fault.Action == create {
				_, err = p.EnsureRepository(t.Context(), provider.Project{Name: "new"}, repository.EnsureOptions{})
			}
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.hint)
		})
	}
}
