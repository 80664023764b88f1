package ecr

import "github.com/rise-deploy/rise-registry-go/provider"

// SessionPolicy returns the session policy that r's session gets from a provider with configuration c, as JSON:
// [Provider.SessionPolicy] without a provider. It reads neither the environment nor the network.
//
// Errors are [provider.ErrMisconfigured] for c, and for r those of [Provider.Credentials] that need no call upstream.
func SessionPolicy(c Config, r provider.Request) (string, error) {
	if err := c.Validate(); err != nil {
		return "", &provider.Error{Kind: provider.ErrMisconfigured, Op: "make session policy", Err: err}
	}
	arn, err := repositoryARN(c)
	if err != nil {
		return "", &provider.Error{Kind: provider.ErrMisconfigured, Op: "make session policy", Err: err}
	}
	return (&Provider{config: c.withDefaults(), repositoryARN: arn}).SessionPolicy(r)
}
