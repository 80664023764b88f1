// Package riseregistry is the root of a library that hosting services embed to hand out short-lived container-registry
// credentials, each good for one project's repository and nothing else.
//
// The packages, in the order in which a newcomer meets them:
//
//   - provider: the contract that every registry type implements, and the values it deals in
//   - provider/repository, provider/diagnosis, provider/decorator: what a provider may do beside, and what those around it tell it
//   - oci: registries that speak the OCI distribution API, reached with the client's own login
//   - oci/tokenissuer: registries whose tokens this service signs, each for one repository
//   - oci/tokenauth: registries with a token server of their own, whose tokens say that they are for one repository
//   - oci/imageregistry: a small registry in memory, for development and tests
//   - ecr: AWS Elastic Container Registry, scoped with session policies
//   - registry: choosing a provider from configuration
//   - registry/cache: reuse of credentials; the factory of package registry puts one around every provider
//   - registry/endpoint: the credentials endpoint as an http.Handler
//   - registry/client: credentials asked of an endpoint, for what uses a registry
//   - registry/reconcile: repositories kept in step with projects
//   - configload: layered YAML with environment substitution, usable on its own
//   - ecr/iampolicy: the IAM policies that an ECR configuration needs
//   - provider/providertest: the conformance suite for providers
//   - ecr/ecrtest: AWS STS, ECR and its image registry in one process, for tests
//   - oci/tokenauth/tokenauthtest: the token servers of GitLab, Harbor, Quay, Docker Hub and others, for tests
//
// Start with the README, then with package provider. docs/architecture.md has the way of a request through the files.
package riseregistry
