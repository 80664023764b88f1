package policy

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
)

// Strangers returns the principals, other than those of the account, that a repository's policy allows anything, whatever its
// conditions; an error if the policy can't be understood, as nobody knows then whom it lets in.
func (s Setup) Strangers(policy string) ([]string, error) {
	return s.strangers(policy, func(texts) bool { return true })
}

// StrangersHere is [Setup.Strangers] for a policy whose statements may be about others' repositories, as the registry's are: only
// those count whose resources, if they name any, reach ours.
func (s Setup) StrangersHere(policy string) ([]string, error) {
	ours := s.RepositoryARN("")
	return s.strangers(policy, func(resources texts) bool {
		return len(resources) == 0 || slices.ContainsFunc(resources, func(r string) bool { return Reaches(r, ours) })
	})
}

func (s Setup) strangers(policy string, counts func(resources texts) bool) ([]string, error) {
	var whole struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &whole); err != nil {
		return nil, errors.New("the repository's policy isn't JSON")
	}
	statements, err := grantsOf(whole.Statement)
	if err != nil {
		return nil, errors.New("the repository's policy has no statements that can be read")
	}
	var found []string
	for _, g := range statements {
		if g.Effect == "Deny" || !counts(g.Resource) {
			continue
		}
		if len(g.NotPrincipal) > 0 || len(g.Principal) == 0 {
			found = append(found, "everybody but some (NotPrincipal)")
			continue
		}
		principals, err := principalsOf(g.Principal)
		if err != nil {
			return nil, err
		}
		for _, p := range principals {
			if p != s.AccountID && !s.isOwn(p) {
				found = append(found, p)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// isOwn reports whether a principal is the account's own.
func (s Setup) isOwn(principal string) bool {
	a, ok := ParseARN(principal) // without wildcards
	return ok && a.Partition == s.Partition && (a.Service == "iam" || a.Service == "sts") && a.AccountID == s.AccountID && a.Resource != ""
}

// grant is a statement of a policy that anybody may have written.
type grant struct {
	Effect                  string
	Principal, NotPrincipal json.RawMessage
	Resource                texts
}

// grantsOf reads a statement or a list of them.
func grantsOf(element json.RawMessage) ([]grant, error) {
	var one grant
	if json.Unmarshal(element, &one) == nil {
		return []grant{one}, nil
	}
	var list []grant
	err := json.Unmarshal(element, &list)
	return list, err
}

// principalsOf returns the principals of an element, those of other kinds than AWS with their kind.
func principalsOf(element json.RawMessage) ([]string, error) {
	unreadable := errors.New("the repository's policy has a Principal that can't be read")
	var all string
	if json.Unmarshal(element, &all) == nil {
		return []string{all}, nil
	}
	var kinds map[string]texts
	if err := json.Unmarshal(element, &kinds); err != nil {
		return nil, unreadable
	}
	var found []string
	for kind, list := range kinds {
		for _, p := range list {
			if kind != "AWS" {
				p = kind + ":" + p
			}
			found = append(found, p)
		}
	}
	return found, nil
}

// texts is a text or a list of them, as IAM has it.
type texts []string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *texts) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*[]string)(t)) == nil {
		return nil
	}
	var one string
	err := json.Unmarshal(b, &one)
	*t = texts{one}
	return err
}

// Reaches reports whether a pattern, in which * stands for any text and ? for one character, matches a repository of prefix and
// some project's name.
func Reaches(pattern, prefix string) bool {
	// open are the places in pattern from which what comes next may be matched.
	open := make([]bool, len(pattern)+1)
	open[0] = true
	for i := range len(prefix) {
		next := make([]bool, len(pattern)+1)
		for place := range len(pattern) {
			if !open[place] {
				continue
			}
			switch pattern[place] {
			case '*':
				next[place], open[place+1] = true, true // it takes one character more, or ends before
			case '?', prefix[i]:
				next[place+1] = true
			}
		}
		open = next
	}
	for place, is := range open {
		if is && projectPattern.MatchString(pattern[place:]) {
			return true
		}
	}
	return false
}

// projectPattern matches a pattern that a project's name may match.
var projectPattern = regexp.MustCompile(`^[a-z0-9*?-]+$`)
