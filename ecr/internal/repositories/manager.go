// Package repositories makes a project's repository, keeps its settings and lets go of it. It decides; what AWS is asked, it asks through
// package awsapi.
//
// Files: manager.go and operation.go are what the rest stands on. ownership.go proves whose a repository is, retry.go waits for rights that
// follow tags late, tag.go changes tags. Above them is a file for each thing that is done.
package repositories

import (
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// Manager implements [repository.Manager]. Make it with [New]. It is safe for concurrent use.
type Manager struct {
	setup    policy.Setup
	settings Settings
	aws      *awsapi.Client
	// scansItself remembers that AWS leaves scanning to the registry, so that nobody tries again for each repository.
	scansItself atomic.Bool
}

var _ repository.Manager = (*Manager)(nil)

// New returns a manager of the repositories that setup names.
func New(setup policy.Setup, settings Settings, aws *awsapi.Client) *Manager {
	return &Manager{setup: setup, settings: settings, aws: aws}
}
