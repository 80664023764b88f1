// Package oidc authenticates and authorizes callers of package endpoint by the OIDC tokens that CI systems and clusters give their jobs, so that no caller stores a
// secret.
//
//	type Auth struct {
//		OIDC []oidc.Issuer `yaml:"oidc"` // configload validates each; call oidc.Validate in Auth's own Validate
//	}
//
//	callers, err := oidc.New(cfg.Auth.OIDC, logger)
//	...
//	mux.Handle("/api/v1/registry/credentials", endpoint.New(p, callers.Authenticate, callers.Authorize))
//
// The same two functions are what [endpoint.Logins] takes. A service that has other callers too tries one after the other, with a caller type of its own.
//
// # Which tokens
//
// A token is accepted if a configured issuer signed it, with an asymmetric algorithm, for the configured audience alone; if it has exp, iat and sub, lives at most 24 hours, and
// is valid now, by clocks that may be a minute apart; and if one of the issuer's rules matches it. Whatever else is ErrUnauthenticated: 401. Where the issuer's keys couldn't be
// had, there is no telling, and that is 503, for callers of this issuer alone. A bearer token can be used by whoever sees it, until it ends: nothing here notices.
//
// Keys are fetched with the first token, one fetch at a time, and renewed when they are ten minutes old; while that fails, those that are there go on being used. A key that isn't among them
// is looked for by a fetch, unless they are less than a minute old. A verified token is remembered until it ends, or until the issuer's keys change. A file
// of keys is read again every two seconds while tokens come: what is in it counts, or what it held last, while it can't be read.
//
// # Rules
//
// The first rule whose claims all match decides, whatever comes after it. A claim's name goes into objects with "/": the longest claim whose whole name it is, or begins with before a "/", and so on
// inside that one: kubernetes.io/namespace, https://sts.amazonaws.com//aws_account. Strings are compared byte for byte, numbers and booleans by their text in the token, and a list matches where one element does. In a
// configured value, * is one or more characters other than / and :, and alone it says that the claim is there.
//
// A project may have one claim in braces. It is the claim's value after its last "/", and what comes before has to be fixed by the same rule's claims, since otherwise two owners' repositories
// of one name would share a project: {repository} needs repository_owner_id, repository_id or repository_owner; {project_path} needs namespace_id, project_id or namespace_path; of other claims, what comes before has to be the
// text of one of the rule's. Nothing is folded or cut: what makes no valid name gives no project. Whoever may name what the claim is about chooses among the projects: for {repository}, whoever may create or rename repositories of that owner.
// Two owners with one template share its projects, of which [Issuer.Warnings] tell.
//
// Issuers that strangers share need an id of the owner in each rule, since names can be registered again; the error says which. The package knows GitHub, gitlab.com, Google, Buildkite and HCP Terraform; of another that strangers share, the operator has to take the owner's id. Everybody else's rules need one claim that tells
// something, or exclusive: true.
//
// Why a token is refused, the log says: which rule came closest, and which claims differed, by name. To an operator who has the token, [Diagnose] says more.
package oidc
