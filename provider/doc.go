// Package provider is the contract between a hosting service and a container registry: given a project, hand out a
// short-lived credential for that project's repository and nothing else.
//
// A service asks a [Provider] and gives the answer to its tenant:
//
//	p, err := factory.Build(ctx, cfg.Registry) // or ecr.New, oci.NewClientAuth, your own
//	...
//	c, err := provider.Issue(ctx, p, provider.Request{Project: "hello", Access: provider.Push})
//	if err != nil {
//		return err // errors.Is(err, provider.ErrAccessDenied) and so on
//	}
//	config, err := c.DockerConfig() // a config.json that docker, BuildKit, crane and kaniko read
//
// Instead of writing files, a Go program may pass [NewKeychain] to go-containerregistry: it asks the provider again on
// each use, so that a long push outlives a short credential.
//
// Two more capabilities are looked up with a function each: [Repositories] makes projects' repositories and lets go of them
// without losing images by mistake, and [Diagnose] finds out why credentials aren't issued or don't work.
//
// # Writing a provider
//
// Implement [Provider]'s two methods and wrap a constructor with [NewBuilder]; registry.NewFactory takes the builder
// beside ours. What else a provider can do, it says by implementing optional interfaces ([Typed], [io.Closer],
// [RepositoryManager], [Diagnoser], ...), which are looked up with [As], through decorators. The contract that a provider keeps:
//
//   - A project's name is checked with [ValidateProject] (by [Request.Validate]) before it reaches anything else. A
//     provider may refuse more names, never accept more.
//   - [Credentials] do exactly what was asked, or there are none: never a broader scope, never another identity, never
//     an expired credential.
//   - Every failure is an [Error] with a [Kind], and no error, log line or detail holds a secret.
//   - Calls end soon after their context does.
//   - A provider is safe for concurrent use.
package provider
