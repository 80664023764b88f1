package ecr

import (
	"encoding/json"
	"errors"
	"slices"
)

// strangers returns the principals, other than those of account in partition, that a repository policy allows anything, whatever its
// conditions; an error if the policy can't be understood, as nobody knows then whom it lets in.
func strangers(policy, partition, account string) ([]string, error) {
	var document struct {
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		return nil, errors.New("the repository's policy isn't JSON")
	}
	type statement struct {
		Effect                  string
		Principal, NotPrincipal json.RawMessage
	}
	var statements []statement
	if err := json.Unmarshal(document.Statement, &statements); err != nil {
		var one statement
		if err := json.Unmarshal(document.Statement, &one); err != nil {
			return nil, errors.New("the repository's policy has no statements that can be read")
		}
		statements = []statement{one}
	}
	var found []string
	for _, s := range statements {
		if s.Effect == "Deny" {
			continue
		}
		if len(s.NotPrincipal) > 0 || len(s.Principal) == 0 {
			found = append(found, "everybody but some (NotPrincipal)")
			continue
		}
		principals, err := principalsOf(s.Principal)
		if err != nil {
			return nil, err
		}
		for _, p := range principals {
			if p != account && !ofAccount(p, partition, account) {
				found = append(found, p)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// principalsOf returns the principals of an element, those of other kinds than AWS with their kind.
func principalsOf(element json.RawMessage) ([]string, error) {
	var all string
	if json.Unmarshal(element, &all) == nil {
		return []string{all}, nil
	}
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(element, &kinds); err != nil {
		return nil, errors.New("the repository's policy has a Principal that can't be read")
	}
	var found []string
	for kind, value := range kinds {
		var list []string
		if err := json.Unmarshal(value, &list); err != nil {
			var one string
			if err := json.Unmarshal(value, &one); err != nil {
				return nil, errors.New("the repository's policy has a Principal that can't be read")
			}
			list = []string{one}
		}
		for _, p := range list {
			if kind != "AWS" {
				p = kind + ":" + p
			}
			found = append(found, p)
		}
	}
	return found, nil
}

func ofAccount(principal, partition, account string) bool {
	a, ok := parseARN(principal) // without wildcards
	return ok && a.Partition == partition && (a.Service == "iam" || a.Service == "sts") && a.AccountID == account && a.Resource != ""
}
