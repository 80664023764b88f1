package tokenauthtest

import (
	"slices"
	"strings"
)

// Account is one at the registry.
type Account struct {
	Username, Password string
	// Rights are the actions that it may do, by repository: a name, or with /* at the end all below a name.
	Rights map[string][]string
}

// Access is what a token can do on a repository.
type Access struct {
	Repository string
	Actions    []string
}

// may are the account's actions on a repository, in a fixed order.
func (a *Account) may(repository string) []string {
	var all []string
	if a == nil {
		return all
	}
	for pattern, actions := range a.Rights {
		above, below := strings.CutSuffix(pattern, "*")
		if pattern == repository || below && strings.HasPrefix(repository, above) {
			all = append(all, actions...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// parse reads scopes: several, each maybe of several.
func parse(scopes []string) (asked []Access) {
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		rest, ok := strings.CutPrefix(scope, "repository:")
		end := strings.LastIndexByte(rest, ':')
		if ok && end > 0 {
			asked = append(asked, Access{rest[:end], strings.Split(rest[end+1:], ",")})
		}
	}
	return asked
}

// grant is what of the asked is given to an account.
func (b behavior) grant(asked []Access, account *Account) (granted []Access) {
	for _, a := range asked {
		may := account.may(a.Repository)
		if b.everything {
			if slices.Contains(may, "pull") && slices.Contains(may, "push") && slices.Contains(may, "delete") {
				may = append([]string{"*"}, may...)
			}
			granted = append(granted, Access{a.Repository, may})
			continue
		}
		var actions []string
		for _, action := range a.Actions {
			if slices.Contains(may, action) && !slices.Contains(actions, action) {
				actions = append(actions, action)
			}
		}
		if len(actions) > 0 {
			granted = append(granted, Access{a.Repository, actions})
		}
	}
	return granted
}
