package operator

import (
	"context"
	"io"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// environment is what a command works with.
type environment struct {
	context.Context //nolint:containedctx // a command's Run has one parameter of ours
	factory         *registry.Factory
	loader          configload.Loader
	stdout, stderr  io.Writer
}

// load reads the configuration and builds its provider, which runs every check there is.
func (env *environment) load() (config.Config, provider.Provider, error) {
	c, err := env.configuration()
	if err != nil {
		return config.Config{}, nil, err
	}
	p, err := env.factory.Build(env, c.Registry)
	return c, p, err
}

// configuration is the server's or, with a section, one that has nothing but that.
func (env *environment) configuration() (c config.Config, err error) {
	if env.loader.Section == "" {
		return config.Load(env.loader, env.factory)
	}
	c.Registry, err = config.LoadRegistry(env.loader, env.factory)
	return c, err
}
