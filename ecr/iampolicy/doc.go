// Package iampolicy makes the IAM policies that a configuration of type ecr needs, so that they and the code can't drift
// apart.
//
//	c := ecr.Config{…, Repositories: ecr.Repositories{Installation: "prod"}}
//	o := iampolicy.Options{ControllerARN: "arn:aws:iam::123456789012:role/rise-backend"}
//	push, err := iampolicy.Push(c)             // what the push role may do
//	trust, err := iampolicy.PushTrust(c, o)    // who may assume it
//	controller, err := iampolicy.Controller(c) // what the service's own role may do
//
// Documents are JSON in a stable order ([Document]), within AWS's limits of length. The Terraform module modules/rise-aws
// makes the same ones; both are held to the files in testdata/policies.
//
// # The roles
//
// The service runs as the controller role, or assumes it (role_arn). For each credential it assumes the push role with a
// session policy; registry-wide pull credentials come from the pull role. A session may do what both the role's policy and
// the session policy allow and neither denies. The session policy names the repository. With session_tags the role's policy
// by itself demands that the repository bears the project that the session is tagged with, and denies every other one, so that a
// project stays closed to others even if a session policy were lost, whatever a repository's or the registry's policy grants to
// everybody. Set session_tags, and an installation. A session without that tag would have the role's own of that name: give
// the push role none that begins with rise:.
//
// # Without an installation
//
// Credentials don't need one, so the policies don't either: then every repository under the prefix that is tagged
// rise:managed counts as this installation's, another's included. Deleting repositories needs one: auto_remove without it
// is an error of [Controller].
//
// # What is refused
//
// A function checks all that it uses: the whole configuration ([ecr.Config.Validate]) and the options that it takes. No
// value may hold *, ? or $; principals are roles and users, never an account's root. Errors are joined
// [provider.ConfigError] values, which are [provider.ErrMisconfigured] and name the key.
//
// All this guards against bugs and tenants. Whoever takes over the controller can do what the controller may do.
package iampolicy
