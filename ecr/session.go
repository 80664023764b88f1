package ecr

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxSessionName is STS's limit for RoleSessionName; its characters are [\w+=,.@-].
const maxSessionName = 64

// allProjects stands for the project in the name of a registry-wide session. No project contains an @.
const allProjects = "@all"

// plainCaller is a caller's name that fits as it stands. It has no dot: only names that end in a hash have one.
var plainCaller = regexp.MustCompile(`^[A-Za-z0-9_+=,@-]+$`)

// sessionName returns rise-push-<project> or rise-pull-<project>, with @<caller> after it for a caller's own session: what
// CloudTrail shows. A name that is too long, or a caller that STS takes no such name of, keeps its beginning and ends in a
// dot and a hash; no project and no other name contains a dot, so no two projects and no two callers share a session name.
func sessionName(r provider.Request) string {
	who := r.Project
	if r.AllProjects {
		who = allProjects
	}
	fits := true
	if r.Caller != "" {
		who += "@" + r.Caller
		fits = plainCaller.MatchString(r.Caller)
	}
	name := "rise-" + r.Access.String() + "-" + who
	if fits && len(name) <= maxSessionName {
		return name
	}
	sum := sha256.Sum256([]byte(who))
	hash := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
	name = strings.Map(func(r rune) rune {
		if r == '@' || plainCaller.MatchString(string(r)) {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), maxSessionName-1-len(hash))] + "." + hash
}
