package provider_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

type section struct {
	Host  string `yaml:"host"`
	Valid bool   `yaml:"valid"`
}

func (s section) Validate() error {
	if !s.Valid {
		return provider.NewConfigError("valid", "must be true")
	}
	return nil
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var built section
	b := provider.NewBuilder("fake", func() section { return section{Host: "default"} }, func(_ context.Context, s section) (*fake, error) {
		built = s
		return &fake{}, nil
	})
	require.True(t, b.Valid())
	require.Equal(t, "fake", b.Type())
	config, ok := b.NewConfig().(*section)
	require.True(t, ok)
	require.Equal(t, &section{Host: "default"}, config)
	require.NotSame(t, config, b.NewConfig(), "sections aren't shared")

	_, err := b.Build(ctx, config)
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	require.EqualError(t, err, "build fake provider: misconfigured: valid: must be true")
	require.Zero(t, built, "an invalid section isn't built")
	config.Valid = true
	p, err := b.Build(ctx, config)
	require.NoError(t, err)
	require.IsType(t, &fake{}, p)
	require.Equal(t, section{Host: "default", Valid: true}, built)

	for _, wrong := range []any{nil, section{}, &struct{}{}, (*section)(nil), "text"} {
		_, err := b.Build(ctx, wrong)
		require.ErrorIs(t, err, provider.ErrMisconfigured, "%T", wrong)
	}
}

func TestBuilderFailures(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	b := provider.NewBuilder("fake", nil, func(context.Context, struct{}) (*fake, error) { return nil, failed })
	_, err := b.Build(t.Context(), b.NewConfig())
	require.ErrorIs(t, err, failed)

	b = provider.NewBuilder("fake", nil, func(context.Context, struct{}) (*fake, error) { return nil, nil })
	p, err := b.Build(t.Context(), b.NewConfig())
	require.ErrorIs(t, err, provider.ErrMisconfigured, "a nil provider in an interface would pass for one")
	require.Nil(t, p)

	for name, b := range map[string]provider.Builder{
		"zero":     {},
		"no type":  provider.NewBuilder("", nil, func(context.Context, struct{}) (*fake, error) { return &fake{}, nil }),
		"no build": provider.NewBuilder[struct{}, *fake]("fake", nil, nil),
	} {
		require.False(t, b.Valid(), name)
		_, err := b.Build(t.Context(), b.NewConfig())
		require.ErrorIs(t, err, provider.ErrMisconfigured, name)
	}
}
