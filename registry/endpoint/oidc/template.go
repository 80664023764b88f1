package oidc

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

var templateForm = regexp.MustCompile(`\A([a-z0-9-]*)\{([^{}]+)\}([a-z0-9-]*)\z`)

// template is a configured project: a name, or a claim's value with text around it.
type template struct {
	before, claim, after string // without a claim, before is the name
}

// parseTemplate returns what is wrong with text, or "".
func parseTemplate(text string) (template, string) {
	if !strings.ContainsAny(text, "{}") {
		if provider.ValidateProject(text) != nil {
			return template{}, "isn't a project's name: " + provider.ProjectRule
		}
		return template{before: text}, ""
	}
	m := templateForm.FindStringSubmatch(text)
	if m == nil || provider.ValidateProject(m[1]+"a"+m[3]) != nil {
		return template{}, "must be a project's name in which one part may be a claim in braces, such as team-{repository}: " + provider.ProjectRule
	}
	return template{before: m[1], claim: m[2], after: m[3]}, ""
}

// fixers are the claims that, given a text without a star, fix what comes before the last "/" of the named one. On issuers that strangers share the
// pinned claims have to be there beside.
func fixers(claim string) []string {
	switch claim {
	case "repository":
		return []string{"repository_owner_id", "repository_owner", "repository_id"}
	case "project_path":
		return []string{"namespace_id", "namespace_path", "project_id"}
	}
	return nil
}

// fixed reports whether values of the template's claim have one text before their last "/", by these claims of its rule, whatever that text is.
func (t template) fixed(configured map[string]string) bool {
	for _, key := range fixers(t.claim) {
		if value, ok := configured[key]; ok && exact(value) {
			return true
		}
	}
	own := configured[t.claim]
	slash := strings.LastIndexByte(own, '/')
	return slash >= 0 && exact(own[:slash])
}

// problem says why no token can fill the template; "" if one may.
func (t template) problem(configured map[string]string) string {
	if t.claim == "" {
		return ""
	}
	if problem := keyProblem(t.claim); problem != "" {
		return problem
	}
	if names := fixers(t.claim); names != nil && !t.fixed(configured) {
		return "takes the part after the last / of a claim whose other part no claim of the rule fixes: two owners would share projects; add " + strings.Join(names, " or ") + " without *"
	}
	return ""
}

// meets reports whether both may make the same name, of which not both are configured.
func (t template) meets(other template) bool {
	if t.claim == "" {
		t, other = other, t
	}
	if t.claim == "" {
		return false
	}
	if other.claim == "" {
		return len(other.before) > len(t.before)+len(t.after) && strings.HasPrefix(other.before, t.before) && strings.HasSuffix(other.before, t.after)
	}
	return (strings.HasPrefix(t.before, other.before) || strings.HasPrefix(other.before, t.before)) &&
		(strings.HasSuffix(t.after, other.after) || strings.HasSuffix(other.after, t.after))
}

// fill returns the project, or "" where the claim isn't there, isn't one text, has an owner's part that the rule doesn't fix, or makes no valid name. Nothing
// is folded or cut.
func (t template) fill(c claims, configured map[string]string) string {
	name := t.before
	if t.claim != "" {
		v, _ := c.get(t.claim)
		value, ok := text(v)
		if !ok {
			return ""
		}
		if slash := strings.LastIndexByte(value, '/'); slash >= 0 {
			if !t.fixed(configured) && !ownersText(value[:slash], configured) {
				return ""
			}
			value = value[slash+1:]
		}
		name = strings.Clone(name + value + t.after) // a copy, whatever is empty
	}
	if provider.ValidateProject(name) != nil {
		return ""
	}
	return name
}

// ownersText reports whether a claim of the rule, other than those that a caller may choose, demands this very text.
func ownersText(owner string, configured map[string]string) bool {
	for key, value := range configured {
		if value == owner && exact(value) && !slices.Contains(chosen, key) {
			return true
		}
	}
	return false
}
