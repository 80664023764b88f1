package customprovider_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestProvider(t *testing.T) {
	t.Parallel()
	key := provider.NewSecret("0123456789abcdef0123456789abcdef")
	b := customprovider.Builder()
	section, ok := b.NewConfig().(*customprovider.Config)
	require.True(t, ok)
	_, err := b.Build(t.Context(), section)
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "host: must be host or host:port")
	require.ErrorContains(t, err, "key: must be at least 32 characters")
	section.Host, section.Key = "registry.example.com", key
	p, err := b.Build(t.Context(), section)
	require.NoError(t, err)

	for _, access := range []provider.Access{provider.Pull, provider.Push} {
		c, err := provider.Issue(t.Context(), p, provider.Request{Project: "hello", Access: access})
		require.NoError(t, err)
		project, got, ok := customprovider.Check(key, c.Username, c.Password.Reveal(), time.Now())
		require.True(t, ok)
		require.Equal(t, "hello", project)
		require.Equal(t, access, got)
		_, _, ok = customprovider.Check(key, c.Username, c.Password.Reveal(), c.ExpiresAt)
		require.False(t, ok, "it ends when it says")
		_, _, ok = customprovider.Check(provider.NewSecret("x"), c.Username, c.Password.Reveal(), time.Now())
		require.False(t, ok)
	}
	_, err = p.Credentials(t.Context(), provider.Request{AllProjects: true, Access: provider.Pull})
	require.ErrorIs(t, err, provider.ErrUnsupported)
	_, err = p.Credentials(t.Context(), provider.Request{})
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	_, err = p.Repository("a/b", provider.Client)
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Credentials(ctx, provider.Request{Project: "hello", Access: provider.Pull})
	require.ErrorIs(t, err, context.Canceled)
}
