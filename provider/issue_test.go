package provider_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	p := &fake{credentials: valid(t)}
	c, err := provider.Issue(t.Context(), p, push)
	require.NoError(t, err)
	require.Equal(t, "registry.example.com/rise/hello", c.Target.String())

	for name, change := range map[string]func(*provider.Credentials){
		"another host":               func(c *provider.Credentials) { c.Target = repository(t, "evil.example.com/rise/hello") },
		"another folder":             func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/elsewhere/hello") },
		"a name that ends like ours": func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/rise/x-hello") },
		"an expired one":             func(c *provider.Credentials) { c.ExpiresAt = time.Now().Add(-time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := valid(t)
			change(&wrong)
			got, err := provider.Issue(t.Context(), &fake{credentials: wrong}, push)
			require.ErrorIs(t, err, provider.ErrBadResponse)
			require.Zero(t, got.Password)
			require.Nil(t, got.Target)
		})
	}

	before := p.asked.Load()
	_, err = provider.Issue(t.Context(), p, provider.Request{Project: "../b", Access: provider.Push})
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	_, err = provider.Issue(t.Context(), p, provider.Request{})
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	require.Equal(t, before, p.asked.Load(), "an invalid request never reaches the provider")

	failed := errors.New("failed")
	_, err = provider.Issue(t.Context(), &fake{err: failed, credentials: valid(t)}, push)
	require.ErrorIs(t, err, failed)
}

// keychain of the process's own user, for tests.
type ownLogin struct{ asked []string }

func (o *ownLogin) Resolve(r authn.Resource) (authn.Authenticator, error) {
	o.asked = append(o.asked, r.String())
	return authn.FromConfig(authn.AuthConfig{Username: "me", Password: "mine"}), nil
}

func authorize(t *testing.T, k authn.Keychain, resource authn.Resource) (*authn.AuthConfig, error) {
	t.Helper()
	auth, err := authn.Resolve(t.Context(), k, resource)
	if err != nil {
		return nil, err
	}
	return authn.Authorization(t.Context(), auth)
}

func TestKeychain(t *testing.T) {
	t.Parallel()
	ours := repository(t, "registry.example.com/rise/hello")
	others := []authn.Resource{
		repository(t, "registry.example.com/rise/other"), repository(t, "registry.example.com/rise/hello/x"),
		repository(t, "evil.example.com/rise/hello"), ours.Registry,
	}

	t.Run("asks again on each use", func(t *testing.T) {
		t.Parallel()
		p := &fake{credentials: valid(t)}
		auth, err := provider.NewKeychain(p, push, nil).Resolve(ours)
		require.NoError(t, err)
		for range 3 {
			config, err := auth.Authorization()
			require.NoError(t, err)
			require.Equal(t, &authn.AuthConfig{Username: "AWS", Password: secretText}, config)
		}
		require.EqualValues(t, 3, p.asked.Load())
	})
	t.Run("leaves other repositories to the own login", func(t *testing.T) {
		t.Parallel()
		p, own := &fake{credentials: valid(t)}, &ownLogin{}
		for _, other := range others {
			config, err := authorize(t, provider.NewKeychain(p, push, own), other)
			require.NoError(t, err)
			require.Equal(t, "me", config.Username)
			auth, err := provider.NewKeychain(p, push, nil).Resolve(other)
			require.NoError(t, err)
			require.Equal(t, authn.Anonymous, auth)
		}
		require.Zero(t, p.asked.Load())
	})
	t.Run("never falls back", func(t *testing.T) {
		t.Parallel()
		failed, own := errors.New("failed"), &ownLogin{}
		_, err := authorize(t, provider.NewKeychain(&fake{err: failed}, push, own), ours)
		require.ErrorIs(t, err, failed)
		expired := valid(t)
		expired.ExpiresAt = time.Now().Add(-time.Second)
		_, err = authorize(t, provider.NewKeychain(&fake{credentials: expired}, push, own), ours)
		require.ErrorIs(t, err, provider.ErrBadResponse)
		_, err = authorize(t, provider.NewKeychain(&fake{}, provider.Request{}, own), ours)
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
		require.Empty(t, own.asked)
	})
	t.Run("the client's own login", func(t *testing.T) {
		t.Parallel()
		c := valid(t)
		c.Method, c.Username, c.Password = provider.ClientLogin, "", provider.Secret{}
		p, own := &fake{credentials: c}, &ownLogin{}
		config, err := authorize(t, provider.NewKeychain(p, push, own), ours)
		require.NoError(t, err)
		require.Equal(t, "me", config.Username)
		_, err = authorize(t, provider.NewKeychain(p, push, nil), ours)
		require.ErrorIs(t, err, provider.ErrUnsupported, "never anonymous unasked")
	})
	t.Run("a token", func(t *testing.T) {
		t.Parallel()
		c := valid(t)
		c.Method, c.Username = provider.RegistryToken, ""
		config, err := authorize(t, provider.NewKeychain(&fake{credentials: c}, push, nil), ours)
		require.NoError(t, err)
		require.Equal(t, &authn.AuthConfig{RegistryToken: secretText}, config)
	})
	t.Run("all projects", func(t *testing.T) {
		t.Parallel()
		c := valid(t)
		c.Access, c.Target = provider.Pull, ours.Registry
		k := provider.NewKeychain(&fake{credentials: c}, all, nil)
		for _, resource := range []authn.Resource{ours, ours.Registry, repository(t, "registry.example.com/other")} {
			config, err := authorize(t, k, resource)
			require.NoError(t, err)
			require.Equal(t, "AWS", config.Username)
		}
		auth, err := k.Resolve(repository(t, "evil.example.com/rise/hello"))
		require.NoError(t, err)
		require.Equal(t, authn.Anonymous, auth)
		_, err = provider.NewKeychain(&fake{err: provider.ErrThrottled}, all, nil).Resolve(ours)
		require.ErrorIs(t, err, provider.ErrThrottled)
	})
}
