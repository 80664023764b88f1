package ecr

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/repositories"
)

// What the rooms below are told of a configuration whose defaults are filled in. None of them knows Config, and this package shows no type
// of theirs.

// setup is what rights and sessions depend on. iampolicy makes its own.
func (c Config) setup() (policy.Setup, error) {
	return policy.Setup{
		SharedRepositories: slices.Clone(c.SharedRepositories), // which were checked
		Region:             c.Region, AccountID: c.AccountID, RepoPrefix: c.RepoPrefix, Installation: c.Installation, Tags: c.Tags,
		RoleARN: c.RoleARN, RoleExternalID: c.RoleExternalID,
		PushRoleARN: c.PushRoleARN, PullRoleARN: c.PullRoleARN, ExternalID: c.ExternalID, SessionTags: c.SessionTags,
		SessionDuration: c.SessionDuration, ProjectIDs: c.ProjectIDs,
		KMSKeyARN: c.KMSKeyARN, AutoRemove: c.AutoRemove, ExpiresImages: c.MaxImageCount > 0 || c.UntaggedExpireDays > 0,
	}.Resolved()
}

// settings is what repositories are set to.
func (c Config) settings() repositories.Settings {
	return repositories.Settings{
		RemoveAfter: *c.RemoveAfter, ScanOnPush: *c.ScanOnPush,
		Mutability: types.ImageTagMutability(c.ImageTagMutability), MutabilityExclusions: c.ImageTagMutabilityExclusions,
		MaxImageCount: c.MaxImageCount, UntaggedExpireDays: c.UntaggedExpireDays,
	}
}
