// Package provider is the contract between a hosting service and a container registry: given a project, hand out a
// short-lived credential for that project's repository and nothing else. A service asks a [Provider]:
//
//	p, err := factory.Build(ctx, cfg.Registry) // of registry.NewFactory; or ecr.New, oci.NewClientAuth, your own
//	...
//	c, err := provider.Issue(ctx, p, provider.Request{Project: "hello", Access: provider.Push})
//	if err != nil {
//		return err // errors.Is(err, provider.ErrAccessDenied) and so on
//	}
//	config, err := c.DockerConfig() // a config.json that docker, BuildKit, crane and kaniko read
//
// Instead of writing files, a Go program may pass [NewKeychain] to go-containerregistry: a long push outlives a short credential.
// What a provider may do beside is in packages of its own: provider/repository makes projects' repositories and lets go of them,
// provider/diagnosis finds out why credentials don't work.
//
// To write a provider, implement [Provider]'s two methods and wrap a constructor with [NewBuilder], which registry.NewFactory
// takes; package provider/providertest tests it. Capabilities are optional interfaces, looked up with [As]. The contract:
//
//   - A project's name is checked ([Request.Validate]) before it reaches anything else. A provider may refuse more names, never
//     accept more.
//   - [Credentials] do exactly what was asked, or there are none: never a broader scope, another identity, or an expired one.
//   - Every failure is an [Error] with a [Kind], and no error, log line or detail holds a secret.
//   - Calls end soon after their context does, and a provider is safe for concurrent use.
package provider
