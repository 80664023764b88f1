package service

import (
	"fmt"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// ensures returns the option that makes p's repositories, if that is configured and they don't appear by themselves.
func ensures(c config.Server, p provider.Provider) ([]endpoint.Option, error) {
	onPush, _ := provider.As[repository.PushCreator](p)
	if !c.EnsureRepositories || onPush != nil && onPush.CreatesOnPush() {
		return nil, nil
	}
	m, err := repository.ManagerOf(p)
	if err != nil {
		return nil, fmt.Errorf("server.ensure_repositories: %w", err)
	}
	return []endpoint.Option{endpoint.WithRepositories(m)}, nil
}
