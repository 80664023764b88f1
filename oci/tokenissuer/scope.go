package tokenissuer

import (
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxScopes is how many scopes are looked at.
const maxScopes = 32

// scope is something that is asked for: of a repository, or of something else that nobody gets.
type scope struct {
	repository string // empty: something else, or no repository's name
	pull, push bool   // of which actions; neither: others, which nobody gets
}

// repositoryPattern is a repository's name (OCI distribution-spec, "Pulling manifests").
var repositoryPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

const maxRepository = 255

// parseScopes reads the values of "scope", each of which may hold several. What isn't well-formed is left out: a type up to the first
// colon, a name, and actions after the last. Scopes of one repository are one, at the first's place.
func parseScopes(values []string) []scope {
	var scopes []scope
	at := map[string]int{}
	seen := 0
	for _, value := range values {
		for text := range strings.SplitSeq(value, " ") {
			if text == "" {
				continue
			}
			if seen++; seen > maxScopes {
				return scopes
			}
			s, ok := parseScope(text)
			if !ok {
				continue
			}
			if i, again := at[s.repository]; again {
				scopes[i].pull, scopes[i].push = scopes[i].pull || s.pull, scopes[i].push || s.push
				continue
			}
			at[s.repository] = len(scopes)
			scopes = append(scopes, s)
		}
	}
	return scopes
}

func parseScope(text string) (s scope, ok bool) {
	typ, rest, _ := strings.Cut(text, ":")
	end := strings.LastIndexByte(rest, ':')
	if typ == "" || end <= 0 || strings.Trim(rest[end+1:], ",") == "" {
		return scope{}, false
	}
	if name := rest[:end]; typ == "repository" && len(name) <= maxRepository && repositoryPattern.MatchString(name) {
		s.repository = name
		for action := range strings.SplitSeq(rest[end+1:], ",") {
			s.pull, s.push = s.pull || action == "pull", s.push || action == "push"
		}
	}
	return s, true
}

// wants is the access that a request for this scope would ask for; zero if it is for nothing that there is.
func (s scope) wants() provider.Access {
	switch {
	case s.repository == "":
	case s.push:
		return provider.Push
	case s.pull:
		return provider.Pull
	}
	return 0
}

// of is what of the scope may has: the element of a token's access.
func (s scope) of(may provider.Access) (access, bool) {
	a := access{Type: "repository", Name: s.repository}
	if s.pull && may.Includes(provider.Pull) {
		a.Actions = append(a.Actions, "pull")
	}
	if s.push && may.Includes(provider.Push) {
		a.Actions = append(a.Actions, "push")
	}
	return a, s.repository != "" && len(a.Actions) > 0
}

// String is the scope as it is asked for, in its one form. It holds names of repositories only.
func (s scope) String() string {
	if s.repository == "" {
		return "other"
	}
	var actions []string
	if s.pull {
		actions = append(actions, "pull")
	}
	if s.push {
		actions = append(actions, "push")
	}
	return "repository:" + s.repository + ":" + strings.Join(actions, ",")
}
