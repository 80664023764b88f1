package iampolicy

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// User returns the only policy of a user for services outside AWS: it may assume the controller role and nothing else.
// The user belongs into Options.Principals, and role_arn into the service's configuration.
func User(c ecr.Config, o Options) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	controller, err := s.controller(o)
	if err != nil {
		return Document{}, err
	}
	if !strings.Contains(controller, ":role/") {
		return Document{}, provider.NewConfigError("controller_arn", "must be a role for a user to assume it")
	}
	return document(MaxUser, "controller_arn",
		Statement{Sid: "Assume", Effect: "Allow", Action: Strings{"sts:AssumeRole"}, Resource: Strings{controller}})
}
