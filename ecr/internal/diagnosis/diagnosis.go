// Package diagnosis is the checks of ecr's diagnosis: each makes the call that a request would make, once, and says what is wrong in the
// configuration's words. It changes nothing.
//
// Files: this one lists the checks, a file each for what they look at; checkup.go is what they share, subject.go what they are told.
package diagnosis

import (
	"context"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// The checks, in order.
const (
	checkConfig         = "config"
	checkCredentials    = "credentials"
	checkSTS            = "sts"
	checkClock          = "clock"
	checkIdentity       = "identity"
	checkControllerRole = "controller_role"
	checkPushRole       = "push_role"
	checkPullRole       = "pull_role"
	checkToken          = "token"
	checkRegistryHost   = "registry_host"
	checkRegistry       = "registry"
	checkRepository     = "repository"
	checkAccess         = "repository_access"
	checkIsolation      = "isolation"
	checkRepoPolicy     = "repository_policy"
	checkShared         = "shared_repositories"
	checkRegistryPolicy = "registry_policy"
	checkTemplates      = "creation_templates"
	checkCacheRules     = "pull_through_rules"
	checkSigning        = "managed_signing"
	checkRoleTags       = "push_role_tags"
)

// Checks makes the checks of one run.
func (s Subject) Checks(o diagnosis.Options) []diagnosis.Check {
	d := &checkup{Subject: s, o: o, once: s.AWS.Once(o.Project, s.Setup.RepoPrefix+o.Project), host: probe.NewHost(s.AWS.Transport())}
	checks := []diagnosis.Check{
		{ID: checkConfig, Run: d.checkConfig},
		{ID: checkCredentials, Run: d.checkCredentials},
		{ID: checkSTS, Needs: []string{checkCredentials}, Run: d.checkSTS},
		{ID: checkClock, Needs: []string{checkSTS}, Run: d.checkClock},
		{ID: checkIdentity, Needs: []string{checkSTS}, Run: d.checkIdentity},
	}
	if s.Setup.RoleARN != "" {
		checks = append(checks, diagnosis.Check{ID: checkControllerRole, Needs: []string{checkIdentity}, Run: d.checkControllerRole})
	}
	controller := []string{checkIdentity, checkControllerRole}
	checks = append(checks, diagnosis.Check{ID: checkPushRole, Needs: controller, Run: d.checkPushRole})
	if s.Setup.PullRoleARN != "" {
		checks = append(checks, diagnosis.Check{ID: checkPullRole, Needs: controller, Run: d.checkPullRole})
	}
	checks = append(checks,
		diagnosis.Check{ID: checkToken, Needs: []string{checkPushRole}, Run: d.checkToken},
		diagnosis.Check{ID: checkRegistryHost, Needs: []string{checkToken}, Run: d.checkRegistryHost},
		diagnosis.Check{ID: checkRegistry, Needs: []string{checkToken}, Run: d.checkRegistry},
	)
	if o.Project != "" {
		checks = append(checks,
			diagnosis.Check{ID: checkRepository, Needs: controller, Run: d.checkRepository},
			diagnosis.Check{ID: checkAccess, Needs: []string{checkRegistry, checkRepository}, Run: d.checkAccess},
			diagnosis.Check{ID: checkIsolation, Needs: []string{checkRegistry}, Run: d.checkIsolation},
			diagnosis.Check{ID: checkRepoPolicy, Needs: []string{checkIdentity, checkControllerRole, checkRepository}, Run: d.checkRepositoryPolicy},
		)
	}
	if len(s.Setup.SharedRepositories) > 0 {
		checks = append(checks, diagnosis.Check{ID: checkShared, Needs: []string{checkRegistry}, Run: d.checkShared})
	}
	checks = append(checks,
		diagnosis.Check{ID: checkRegistryPolicy, Needs: controller, Run: d.checkRegistryPolicy},
		diagnosis.Check{ID: checkTemplates, Needs: controller, Run: d.checkTemplates},
		diagnosis.Check{ID: checkCacheRules, Needs: controller, Run: d.checkCacheRules},
		diagnosis.Check{ID: checkSigning, Needs: controller, Run: d.checkSigning},
		diagnosis.Check{ID: checkRoleTags, Needs: []string{checkToken}, Run: d.checkRoleTags},
	)
	for i, check := range checks {
		checks[i].Run = func(ctx context.Context) diagnosis.Finding { return d.clean(check.Run(ctx)) }
	}
	return checks
}
