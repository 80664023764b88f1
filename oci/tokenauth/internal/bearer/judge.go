package bearer

import (
	"slices"
	"strings"
)

// Verdict is how what a token can do compares with what was asked for.
type Verdict uint8

const (
	// Exact is: it is the same.
	Exact Verdict = iota + 1
	// Less is: something of it is missing, and there is nothing more.
	Less
	// More is: there is something that wasn't asked for.
	More
)

// Judge compares. what says where they differ, in words that end a sentence which begins with "the token"; they hold nothing of the token but
// names of actions that registries know.
func (c Claims) Judge(repository string, actions ...string) (v Verdict, what string) {
	var granted []string
	for _, e := range c.Access {
		switch {
		case e.Type != "repository":
			return More, "is good for something else than repositories"
		case e.Name != repository:
			return More, "is good for another repository too"
		}
		granted = append(granted, e.Actions...)
	}
	for _, action := range granted {
		if !slices.Contains(actions, action) {
			return More, "allows " + known(action) + " too"
		}
	}
	var missing []string
	for _, action := range actions {
		if !slices.Contains(granted, action) {
			missing = append(missing, action)
		}
	}
	switch {
	case len(missing) == 0:
		return Exact, "is what was asked for"
	case len(missing) == len(actions):
		return Less, "allows nothing of " + strings.Join(actions, " and ")
	}
	return Less, "doesn't allow " + strings.Join(missing, " and ")
}

func known(action string) string {
	switch action {
	case "pull", "push", "delete", "*", "scanner-pull", "admin":
		return action
	}
	return "another action"
}
