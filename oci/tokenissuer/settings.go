package tokenissuer

import (
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// settings are a Config that was found right.
type settings struct {
	names          func() *oci.ClientAuth // a closure, as printers walk fields, and would come to what all of the program shares
	service        string
	issuer         string
	prefix         string // empty, or ends in a slash
	below          bool   // sub_repositories
	shared         []string
	session, token time.Duration
}

// maxSessionDuration is the longest that settings have, and so the longest that a grant lives.
const maxSessionDuration = 12 * time.Hour

// repository is what a request is for, as the registry has it.
func (s settings) repository(r provider.Request) string {
	if r.AllProjects {
		return s.prefix + "*"
	}
	return s.prefix + r.Project
}

// projectOf returns whose a repository is, if it is a project's by its name: its own, or one below.
func (s settings) projectOf(repository string) (project string, ok bool) {
	rest, ok := strings.CutPrefix(repository, s.prefix)
	if !ok {
		return "", false
	}
	project, _, below := strings.Cut(rest, "/")
	if below && !s.below || provider.ValidateProject(project) != nil {
		return "", false
	}
	return project, true
}
