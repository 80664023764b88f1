package ecr

import "github.com/rise-deploy/rise-registry-go/ecr/internal/policy"

// setup is what c names, whose defaults are filled in. iampolicy makes its own: this package shows no type of an internal one.
func (c Config) setup() (policy.Setup, error) {
	return policy.Setup{
		Region: c.Region, AccountID: c.AccountID, RepoPrefix: c.RepoPrefix, Installation: c.Installation, Tags: c.Tags,
		RoleARN: c.RoleARN, RoleExternalID: c.RoleExternalID,
		PushRoleARN: c.PushRoleARN, PullRoleARN: c.PullRoleARN, ExternalID: c.ExternalID, SessionTags: c.SessionTags,
		SessionDuration: c.SessionDuration, ProjectIDs: c.ProjectIDs,
		KMSKeyARN: c.KMSKeyARN, AutoRemove: c.AutoRemove, ExpiresImages: c.MaxImageCount > 0 || c.UntaggedExpireDays > 0,
	}.Resolved()
}
