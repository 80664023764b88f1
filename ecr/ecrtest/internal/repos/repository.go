package repos

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// Key says which registry: each account has one in each region.
type Key struct{ Account, Region string }

// Repository is a repository and what is recorded of its images.
type Repository struct {
	ARN       string
	Name      string
	Key       Key
	CreatedAt time.Time
	Settings
	LifecycleText string
	PolicyText    string
	Policy        *iam.Policy // PolicyText, parsed; nil for none
	Tags          Tags
	Images        Images
}

// Missing makes ECR's error for a repository that isn't there.
func Missing(name, account string) *awserr.Error {
	return awserr.New("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", name, account)
}
