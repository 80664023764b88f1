package ecr

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxSessionName is STS's limit for RoleSessionName; its characters are [\w+=,.@-].
const maxSessionName = 64

// allProjects stands for the project in the name of a registry-wide session. No project contains an @.
const allProjects = "@all"

// sessionName returns rise-push-<project> or rise-pull-<project>: what CloudTrail shows. A name that is too long keeps
// its beginning and ends in a dot and a hash; no project contains a dot, so no two projects share a session name.
func sessionName(r provider.Request) string {
	project := r.Project
	if r.AllProjects {
		project = allProjects
	}
	name := "rise-" + r.Access.String() + "-" + project
	if len(name) <= maxSessionName {
		return name
	}
	sum := sha256.Sum256([]byte(project))
	hash := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
	return name[:maxSessionName-1-len(hash)] + "." + hash
}
