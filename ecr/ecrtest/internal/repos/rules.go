package repos

import (
	"slices"
	"strings"
	"time"
)

// Template is a repository creation template.
type Template struct {
	Prefix        string   // without the slash at its end, or ROOT
	AppliedFor    []string // CREATE_ON_PUSH, PULL_THROUGH_CACHE, REPLICATION
	Tags          map[string]string
	TagMutability string
	Policy        string
	CreatedAt     time.Time
}

// CacheRule is a pull-through cache rule.
type CacheRule struct {
	Prefix, Upstream string
	CreatedAt        time.Time
}

// Templates are those of a registry.
type Templates []*Template

// For finds the creation template for a repository that a push is to create: the one with the longest prefix,
// or else ROOT's; nil when there is none.
func (ts Templates) For(name string) *Template {
	var best *Template
	for _, t := range ts {
		if !slices.Contains(t.AppliedFor, "CREATE_ON_PUSH") {
			continue
		}
		if t.Prefix == "ROOT" && best == nil ||
			strings.HasPrefix(name, t.Prefix+"/") && (best == nil || best.Prefix == "ROOT" || len(t.Prefix) > len(best.Prefix)) {
			best = t
		}
	}
	return best
}
