package ecr

import "github.com/rise-deploy/rise-registry-go/provider"

// warning is what works, but isn't as it should be: what key is set to, what comes of it, and what to do.
type warning struct{ key, is, remedy string }

func (c Config) warnings() []warning {
	var warnings []warning
	if *c.RemoveAfter == 0 && !c.ProjectIDs {
		warnings = append(warnings, warning{"remove_after",
			"with 0s, whoever still holds a former project's token can, for up to 12h, write into the repository of the name's next owner",
			"set project_ids: true, or remove_after: 24h, unless the service never uses a project's name again"})
	}
	return warnings
}

// Warnings returns what [Config.Validate] takes and an operator should know of all the same, as [*provider.ConfigError] values
// that hold no configured value. It reads neither the environment nor the network.
func (c Config) Warnings() []error {
	var warnings []error
	for _, w := range c.withDefaults().warnings() {
		warnings = append(warnings, provider.NewConfigError(w.key, "%s: %s", w.is, w.remedy))
	}
	return warnings
}
