package iampolicy

import (
	"cmp"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// setupOf is what a valid configuration names, as far as policies depend on it.
func setupOf(c ecr.Config) (policy.Setup, error) {
	if err := c.Validate(); err != nil {
		return policy.Setup{}, err
	}
	s, err := policy.Setup{
		Region: c.Region, AccountID: c.AccountID, RepoPrefix: cmp.Or(c.RepoPrefix, ecr.DefaultConfig().RepoPrefix),
		SharedRepositories: c.SharedRepositories, Installation: c.Installation, Tags: c.Tags, RoleARN: c.RoleARN, RoleExternalID: c.RoleExternalID,
		PushRoleARN: c.PushRoleARN, PullRoleARN: c.PullRoleARN, ExternalID: c.ExternalID, SessionTags: c.SessionTags,
		KMSKeyARN: c.KMSKeyARN, AutoRemove: c.AutoRemove, ExpiresImages: c.MaxImageCount > 0 || c.UntaggedExpireDays > 0,
	}.Resolved()
	if err != nil {
		return policy.Setup{}, provider.NewConfigError("region", "is in no partition that the AWS SDK knows")
	}
	return s, nil
}

// pullSetupOf is setupOf where there is a pull role.
func pullSetupOf(c ecr.Config) (policy.Setup, error) {
	s, err := setupOf(c)
	switch {
	case err != nil:
		return policy.Setup{}, err
	case s.PullRoleARN == "":
		return policy.Setup{}, provider.NewConfigError("pull_role_arn", "is required for the pull role's policies")
	case s.PullRoleARN == s.PushRoleARN:
		return policy.Setup{}, provider.NewConfigError("pull_role_arn", "must not be push_role_arn: their rights differ")
	}
	return s, nil
}
