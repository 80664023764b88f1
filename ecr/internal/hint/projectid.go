package hint

import (
	"fmt"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// NoProjectID is the error for what has no id where project_ids demands one.
func NoProjectID(op, project string) error {
	return &provider.Error{
		Kind: provider.ErrInvalidRequest, Op: op, Project: project,
		Err:  fmt.Errorf("%w, and project_ids demands it of every request and repository call", provider.ErrNoProjectID),
		Hint: "the service names it in provider.Request.ProjectID and provider.Project.ID, and to the endpoint with endpoint.WithProjectIDs; operator takes it as --id",
	}
}
