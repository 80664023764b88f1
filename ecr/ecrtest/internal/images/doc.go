// Package images is ECR's image registry: the OCI distribution API with ECR's rules, over oci/imageregistry, which holds what is pushed. A Registry is one
// account's in one region. It knows nothing of identities, policies and time: whoever sends a request, and what else there is to know of repositories, it asks
// through Caller and Repository. Protocol answers these from the cloud.
//
// The files, from those that others use to those that use them: caller.go (what the registry asks), answer.go (how it answers), action.go (the ECR actions that
// a request needs), registry.go (what is pushed), manifest.go (what ECR looks at in one), request.go (who may do what), handle.go (a request from its arrival to
// its answer), contents.go (the registries of all accounts and regions), session.go (what the cloud answers), protocol.go (all of it together).
package images
