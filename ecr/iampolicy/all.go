package iampolicy

import "github.com/rise-deploy/rise-registry-go/ecr"

// A Policy is a document with the name of what it is for.
type Policy struct {
	// Name is one of those that [All] lists.
	Name string
	// Document is the policy.
	Document Document
}

// All returns every policy that c and o have a use for, in this order: controller, controller-trust (where o says who
// assumes it), push, push-trust, pull and pull-trust (with pull_role_arn), user (where o names principals), key (with
// kms_key_arn), diagnose and service-control. It needs to know the controller.
func All(c ecr.Config, o Options) ([]Policy, error) {
	without := func(build func(ecr.Config) (Document, error)) func(ecr.Config, Options) (Document, error) {
		return func(c ecr.Config, _ Options) (Document, error) { return build(c) }
	}
	pulls := c.PullRoleARN != ""
	var policies []Policy
	for _, one := range []struct {
		name   string
		wanted bool
		build  func(ecr.Config, Options) (Document, error)
	}{
		{"controller", true, without(Controller)},
		{"controller-trust", o.trusts(), ControllerTrust},
		{"push", true, without(Push)},
		{"push-trust", true, PushTrust},
		{"pull", pulls, without(Pull)},
		{"pull-trust", pulls, PullTrust},
		{"user", len(o.Principals) > 0, User},
		{"key", c.KMSKeyARN != "", Key},
		{"diagnose", true, Diagnose},
		{"service-control", true, ServiceControl},
	} {
		if !one.wanted {
			continue
		}
		d, err := one.build(c, o)
		if err != nil {
			return nil, err
		}
		policies = append(policies, Policy{one.name, d})
	}
	return policies, nil
}
