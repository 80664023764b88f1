package config

import "slices"

// fixed are the keys, and sections, that are settled once the server listens.
var fixed = []string{
	"server.listen", "server.metrics_listen", "server.limits.connections", "server.limits.requests", "server.limits.scrapes_per_second", "server.limits.header_bytes",
	"server.limits.header_timeout", "audit", "embedded_registry",
}

// fixedByRegistry are those of the registry section that the embedded registry was made with.
var fixedByRegistry = []string{"registry.type", "registry.registry_url", "registry.token_service", "registry.token_issuer"}

// NeedRestart returns those of the changed keys that a running server which has c can't take from another configuration.
func (c Config) NeedRestart(next Config, changed []string) []string {
	return slices.DeleteFunc(slices.Clone(changed), func(key string) bool {
		within := func(section string) bool { return Below(key, section) }
		switch {
		case slices.ContainsFunc(fixed, within):
			return false
		case c.EmbeddedRegistry.Listen != "" && slices.Contains(fixedByRegistry, key):
			return false
		case Below(key, "server.tls"):
			return c.Server.TLS.Enabled() == next.Server.TLS.Enabled()
		}
		return true
	})
}
