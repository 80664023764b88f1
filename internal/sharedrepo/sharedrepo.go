// Package sharedrepo is the rule for repositories that every project may read.
package sharedrepo

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// namePattern is a repository's name (OCI distribution-spec, "Pulling manifests").
var namePattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// Check reports what is wrong with an entry of shared_repositories where projects' repositories begin with prefix. The error is the end
// of a sentence and doesn't hold the entry.
func Check(entry, prefix string) error {
	path, pattern := strings.CutSuffix(entry, "/*")
	if !namePattern.MatchString(path) {
		return errors.New("must be a repository's name in the registry, such as base, or everything below one, such as mirror/*; * stands only after a last /")
	}
	if pattern {
		path += "/"
	}
	overlaps := prefix != "" && (strings.HasPrefix(path, prefix) || pattern && strings.HasPrefix(prefix, path))
	if prefix == "" {
		first, _, _ := strings.Cut(path, "/")
		overlaps = provider.ValidateProject(first) == nil
	}
	if overlaps {
		return errors.New("must not be where projects' repositories are: every project could read them")
	}
	return nil
}

// Has reports whether repository is one of entries, which were checked.
func Has(entries []string, repository string) bool {
	return namePattern.MatchString(repository) && slices.ContainsFunc(entries, func(entry string) bool {
		folder, pattern := strings.CutSuffix(entry, "*")
		return entry == repository || pattern && strings.HasPrefix(repository, folder)
	})
}
