package mapping

import (
	"fmt"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// LabelKey is the label of namespaces that are mapped.
const LabelKey = "rise/project"

// Label maps namespaces by their label. Who may set it, may have any project's images.
type Label struct{ Excluded Excluded }

// Project returns the project that a namespace is mapped to; "" if to none. A label that is no project's name is an error, and maps to none.
func (l Label) Project(namespace string, labels map[string]string) (string, error) {
	project, ok := labels[LabelKey]
	if !ok || l.Excluded.Has(namespace) {
		return "", nil
	}
	if provider.ValidateProject(project) != nil {
		return "", fmt.Errorf("the namespace's label %s is no project's name: %s", LabelKey, provider.ProjectRule)
	}
	return project, nil
}
