// Package registry chooses a provider by configuration.
//
// A service makes a [Factory] of the provider types that it wants to offer, ours and its own, puts the factory's [Config]
// into its configuration struct, loads that, and builds:
//
//	factory, err := registry.NewFactory(ecr.Builder(), oci.ClientAuthBuilder())
//	...
//	cfg := Config{Listen: ":8080", Registry: factory.Config()}
//	if err := configload.Load(&cfg); err != nil { ... }
//	p, err := factory.Build(ctx, cfg.Registry)
//	...
//	defer provider.Close(p)
//
// Types are named by a section's "type" key. There is no global list of them: a program links what it passes.
package registry
