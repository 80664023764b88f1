package provider_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

type typed struct {
	fake
	typ string
}

func (p *typed) Type() string { return p.typ }

type typedWrapper struct {
	provider.Provider
	typ string
}

func (p *typedWrapper) Type() string              { return p.typ }
func (p *typedWrapper) Unwrap() provider.Provider { return p.Provider }

func TestAs(t *testing.T) {
	t.Parallel()
	inner := &typed{typ: "inner"}
	middle := &wrapper{Provider: inner}
	outer := &typedWrapper{Provider: middle, typ: "outer"}

	found, ok := provider.As[provider.Typed](outer)
	require.True(t, ok)
	require.Equal(t, "outer", found.Type(), "outermost first")
	found, ok = provider.As[provider.Typed](middle)
	require.True(t, ok)
	require.Equal(t, "inner", found.Type(), "through a decorator")
	concrete, ok := provider.As[*typed](outer)
	require.True(t, ok)
	require.Same(t, inner, concrete)
	_, ok = provider.As[interface{ Missing() }](outer)
	require.False(t, ok)
	_, ok = provider.As[provider.Typed](nil)
	require.False(t, ok)
	_, ok = provider.As[provider.Typed](&wrapper{})
	require.False(t, ok, "a decorator of nothing")
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	require.Equal(t, "inner", provider.TypeOf(&wrapper{Provider: &typed{typ: "inner"}}))
	require.Equal(t, "*provider_test.fake", provider.TypeOf(&fake{}))
	require.Equal(t, "*provider_test.fake", provider.TypeOf(&wrapper{Provider: &fake{}}))
}

func TestClose(t *testing.T) {
	t.Parallel()
	var closed []string
	errOuter, errInner := errors.New("outer failed"), errors.New("inner failed")
	p := &wrapper{name: "outer", closed: &closed, err: errOuter, Provider: &typedWrapper{
		Provider: &wrapper{name: "inner", closed: &closed, err: errInner, Provider: &fake{}},
	}}
	err := provider.Close(p)
	require.ErrorIs(t, err, errOuter)
	require.ErrorIs(t, err, errInner)
	require.Equal(t, []string{"outer", "inner"}, closed, "each once, outermost first")
	require.NoError(t, provider.Close(&fake{}))
	require.NoError(t, provider.Close(nil))
}
