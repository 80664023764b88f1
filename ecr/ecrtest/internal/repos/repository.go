package repos

import (
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

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

	Images map[string]*Image // by digest; made by the first push, so that many repositories take little memory

	content Content
	tags    []tagVersion // the last one is current
}

// Content is where the bytes of a registry's images are, by repository.
type Content interface {
	// Layer returns the size in bytes of a layer, and whether there is one.
	Layer(repository, digest string) (size int64, ok bool)
	// Delete drops a tag or, given a digest, a manifest. There may be none.
	Delete(repository, reference string)
	// DeleteRepository drops all that is in a repository. There may be none.
	DeleteRepository(repository string)
}

// Missing makes ECR's error for a repository that isn't there.
func Missing(name, account string) *awserr.Error {
	return awserr.New("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", name, account)
}
