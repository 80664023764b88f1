package repository_test

import (
	"context"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

type managing struct {
	repository.Manager
	plain
}

type plain struct{}

func (plain) Repository(string, provider.Consumer) (name.Repository, error) {
	return name.Repository{}, provider.ErrUnsupported
}

func (plain) Credentials(context.Context, provider.Request) (provider.Credentials, error) {
	return provider.Credentials{}, provider.ErrUnsupported
}

type onPush struct{ plain }

func (onPush) Type() string        { return "on-push" }
func (onPush) CreatesOnPush() bool { return true }

type wrapped struct{ provider.Provider }

func (w wrapped) Unwrap() provider.Provider { return w.Provider }

func TestManagerOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		provider provider.Provider
		err      string
	}{
		"capable":           {managing{}, ""},
		"through decorator": {wrapped{managing{}}, ""},
		"incapable":         {plain{}, "manage repositories: unsupported: type repository_test.plain can't"},
		"on push": {wrapped{onPush{}}, "manage repositories: unsupported: there is nothing to manage with type on-push " +
			"(hint: its repositories appear when an image is pushed to them)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := repository.ManagerOf(tt.provider)
			if tt.err == "" {
				require.NoError(t, err)
				require.NotNil(t, m)
				return
			}
			require.ErrorIs(t, err, provider.ErrUnsupported)
			require.EqualError(t, err, tt.err)
		})
	}
}
