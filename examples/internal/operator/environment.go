package operator

import (
	"context"
	"errors"
	"io"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/ecrlocal"
	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// environment is what a command works with.
type environment struct {
	context.Context //nolint:containedctx // a command's Run has one parameter of ours
	factory         *registry.Factory
	loader          configload.Loader
	name            string // of the program
	stdout, stderr  io.Writer
	// local is the double of AWS that a server of mode ecr-local runs; nil: there is none.
	local *ecrlocal.Account
}

// useLocalAWS has the mode ecr-local reach the server's double, if the environment says where that is.
func (env *environment) useLocalAWS() error {
	if config.BuiltInMode(env.loader) != ecrlocal.Mode {
		return nil
	}
	account, ok, err := ecrlocal.Read(env.loader.LookupEnv)
	if ok {
		env.local, env.loader.LookupEnv = &account, account.Lookup(env.loader.LookupEnv)
	}
	return err
}

// errSaid is what a command fails with that has printed all there is to say.
var errSaid = errors.New("failed")

// load reads the configuration and builds its provider, which runs every check there is. Where the keys are the server's own it signs with others:
// see ownKeys.
func (env *environment) load() (config.Config, provider.Provider, error) {
	c, err := env.configuration()
	if err != nil {
		return config.Config{}, nil, err
	}
	add := &builders.Additions{}
	if c.OwnKeys() {
		keys, err := embedded.NewKeys()
		if err != nil {
			return config.Config{}, nil, err
		}
		add.TokenIssuer = append(add.TokenIssuer, keys.Option())
	}
	if env.local != nil {
		add.ECR = append(add.ECR, env.local.Option())
	}
	p, err := env.factory.Build(add.In(env), c.Registry)
	if err == nil && env.local != nil && !add.Taken { // it would ask AWS itself
		return config.Config{}, nil, errors.Join(errors.New("mode "+ecrlocal.Mode+" needs a factory with the ecr builder of package app"), provider.Close(p))
	}
	return c, p, err
}

// ownKeys refuses what needs the keys of a server whose keys are nowhere else.
func ownKeys(c config.Config) error {
	if c.OwnKeys() {
		return errors.New("the embedded registry's keys are made by the server at each start, and are nowhere else: ask the running server for a credential")
	}
	return nil
}

// configuration is the server's or, with a section, one that has nothing but that.
func (env *environment) configuration() (c config.Config, err error) {
	if env.loader.Section == "" {
		return config.Load(env.loader, env.factory)
	}
	c.Registry, err = config.LoadRegistry(env.loader, env.factory)
	return c, err
}
