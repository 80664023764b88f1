// Package policy is the one place that knows IAM: ARNs, actions, tags, documents, the statements of every session and role, and
// who is a stranger. What a configuration names is a [Setup], of which everything is made. Nothing here reads the environment or
// asks the network.
package policy

import "time"

// Setup is what a configuration of type ecr names, as far as rights and sessions depend on it, with defaults filled in. [Setup.Resolved]
// makes it whole. It is for reading only, also by several goroutines at once; the zero Setup names nothing.
type Setup struct {
	// Region and AccountID are the registry's. Partition, such as "aws-cn", and Domain, such as "amazonaws.com.cn", are the region's.
	Region, AccountID, Partition, Domain string
	// RepoPrefix is what a project's name is put behind to make its repository's.
	RepoPrefix string
	// SharedRepositories can be pulled from by every session: names in the registry, or all below one, such as "mirror/*".
	SharedRepositories []string
	// Installation names this installation in repositories' tags, "" for none.
	Installation string
	// Tags are put on repositories beside our own.
	Tags map[string]string

	// RoleARN is the controller role's, "" where the process already runs as it, with its external ID, "" for none.
	RoleARN, RoleExternalID string
	// PushRoleARN and PullRoleARN are the roles of sessions, the latter "" for none; ExternalID is the external ID of both, "" for none.
	PushRoleARN, PullRoleARN, ExternalID string
	// SessionTags tells whether a project's session is tagged with it.
	SessionTags bool
	// SessionDuration is how long a session of theirs lives, in whole seconds. No policy depends on it.
	SessionDuration time.Duration
	// ProjectIDs tells whether every request and repository call has to name the project's id.
	ProjectIDs bool

	// KMSKeyARN is the key that encrypts repositories, "" for ECR's own.
	KMSKeyARN string
	// AutoRemove tells whether released repositories are deleted, and ExpiresImages whether there is a lifecycle policy, which deletes images.
	AutoRemove, ExpiresImages bool
}

// Resolved returns s with the partition and domain of its region. It fails where the AWS SDK knows neither.
func (s Setup) Resolved() (Setup, error) {
	var err error
	s.Partition, s.Domain, err = ResolveRegion(s.Region)
	return s, err
}

// ARN returns the ARN of the registry's repository of that name.
func (s Setup) ARN(repository string) string {
	return "arn:" + s.Partition + ":ecr:" + s.Region + ":" + s.AccountID + ":repository/" + repository
}

// RepositoryARN returns the ARN of a project's repository.
func (s Setup) RepositoryARN(project string) string { return s.ARN(s.RepoPrefix + project) }

// AllRepositories matches the ARNs of the repositories under the prefix.
func (s Setup) AllRepositories() string { return s.ARN(s.RepoPrefix + "*") }

// shared returns the ARNs of the shared repositories, nil where there are none.
func (s Setup) shared() []string {
	if len(s.SharedRepositories) == 0 {
		return nil
	}
	arns := make([]string, len(s.SharedRepositories))
	for i, entry := range s.SharedRepositories {
		arns[i] = s.ARN(entry)
	}
	return arns
}

// Roles returns the roles that the controller assumes.
func (s Setup) Roles() []string {
	roles := []string{s.PushRoleARN}
	if s.PullRoleARN != "" && s.PullRoleARN != s.PushRoleARN {
		roles = append(roles, s.PullRoleARN)
	}
	return roles
}
