package identity

import (
	"fmt"
	"regexp"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// Home is where users and roles are that don't say it.
type Home struct{ Partition, Account string }

var (
	entityName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	entityARN  = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::([0-9]{12}):(user|role)/((?:[!-~]+/)?)([\w+=,.@-]{1,64})$`)
)

// entity resolves a name or ARN of a user or role.
func (h Home) entity(kind, nameOrARN string) (arn, account, name string, _ error) {
	if m := entityARN.FindStringSubmatch(nameOrARN); m != nil && m[3] == kind {
		if m[1] != h.Partition {
			return "", "", "", fmt.Errorf("%s is of partition %s; the server is of %s", nameOrARN, m[1], h.Partition)
		}
		return nameOrARN, m[2], m[5], nil
	}
	if !entityName.MatchString(nameOrARN) {
		return "", "", "", fmt.Errorf("%q is neither a %s's name nor its ARN", nameOrARN, kind)
	}
	return "arn:" + h.Partition + ":iam::" + h.Account + ":" + kind + "/" + nameOrARN, h.Account, nameOrARN, nil
}

// IsRoleARN reports whether s has the form of a role's ARN, of whatever partition.
func IsRoleARN(s string) bool {
	m := entityARN.FindStringSubmatch(s)
	return m != nil && m[3] == "role"
}

// Rights are the policies of a user or role. A value is never changed once made.
type Rights struct {
	Policies []*iam.Policy
	Boundary *iam.Policy // nil for none
}

func newRights(policies []string, boundary, what string) (*Rights, error) {
	r := &Rights{}
	for _, document := range policies {
		p, err := iam.Parse(document, iam.Identity)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		r.Policies = append(r.Policies, p)
	}
	if boundary != "" {
		p, err := iam.Parse(boundary, iam.Identity)
		if err != nil {
			return nil, fmt.Errorf("%s's boundary: %w", what, err)
		}
		r.Boundary = p
	}
	return r, nil
}
