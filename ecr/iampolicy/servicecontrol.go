package iampolicy

import (
	"errors"
	"slices"

	"github.com/rise-deploy/rise-registry-go/ecr"
)

// ServiceControl returns a service control policy (AWS Organizations) that reserves tags rise:… on repositories under the
// prefix: only the controller and Options.Operators may set or remove them, or create repositories with them. Rights
// depend on these tags, so that whoever else may tag there could open or close repositories.
//
// It is for the registry's account or above it; it doesn't bind an organization's management account. It only denies:
// the account needs another policy that allows, as FullAWSAccess. Other installations under the same prefix in the
// same registry have to be named in Operators.
func ServiceControl(c ecr.Config, o Options) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	controller, err := s.controller(o)
	if err := errors.Join(err, s.principals("operators", o.Operators)); err != nil {
		return Document{}, err
	}
	return document(MaxServiceControl, "operators", Statement{
		Sid: "ReserveTags", Effect: "Deny", Resource: s.all(),
		Action: Strings{"ecr:CreateRepository", "ecr:TagResource", "ecr:UntagResource"},
		Condition: map[string]map[string]Strings{
			"ForAnyValue:StringLike": {"aws:TagKeys": reservedKeys()},
			"ArnNotEquals":           {"aws:PrincipalArn": slices.Concat(Strings{controller}, o.Operators)},
		},
	})
}

// reservedKeys match rise:… in every spelling: condition keys such as aws:ResourceTag/rise:managed don't tell upper from
// lower case, values such as those of aws:TagKeys do (IAM User Guide, "AWS global condition context keys").
func reservedKeys() Strings {
	var keys Strings
	for _, r := range "rR" {
		for _, i := range "iI" {
			for _, s := range "sS" {
				for _, e := range "eE" {
					keys = append(keys, string([]rune{r, i, s, e})+":*")
				}
			}
		}
	}
	return keys
}
