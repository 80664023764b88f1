package provider_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestError(t *testing.T) {
	t.Parallel()
	cause := errors.New("no answer")
	err := fmt.Errorf("outer: %w", &provider.Error{
		Kind: provider.ErrUnavailable, Op: "assume push role", Project: "hello", Hint: "check the network", Err: cause,
	})
	require.EqualError(t, err, "outer: assume push role for project hello: unavailable: no answer (hint: check the network)")
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.NotErrorIs(t, err, provider.ErrAccessDenied)
	require.ErrorIs(t, err, cause)
	require.Equal(t, provider.ErrUnavailable, provider.KindOf(err))
	require.EqualError(t, &provider.Error{Kind: provider.ErrAccessDenied}, "access denied")
	require.EqualError(t, &provider.Error{Kind: provider.ErrTimeout, Err: provider.ErrTimeout}, "timeout")
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	inner := &provider.Error{Kind: provider.ErrThrottled}
	for name, test := range map[string]struct {
		err  error
		want provider.Kind
	}{
		"nil":       {nil, ""},
		"a bug":     {errors.New("x"), ""},
		"a kind":    {fmt.Errorf("x: %w", provider.ErrConflict), provider.ErrConflict},
		"outermost": {&provider.Error{Kind: provider.ErrUnavailable, Err: inner}, provider.ErrUnavailable},
		"joined":    {errors.Join(errors.New("x"), inner), provider.ErrThrottled},
		"deadline":  {fmt.Errorf("x: %w", context.DeadlineExceeded), provider.ErrTimeout},
		"canceled":  {context.Canceled, provider.ErrTimeout},
		"a config":  {&provider.Error{Kind: provider.ErrMisconfigured, Err: provider.NewConfigError("a", "is wrong")}, provider.ErrMisconfigured},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); require.Equal(t, test.want, provider.KindOf(test.err)) })
	}
	require.ErrorIs(t, provider.NewConfigError("a.b", "must be %d", 3), provider.ErrMisconfigured)
	require.EqualError(t, provider.NewConfigError("a.b", "must be %d", 3), "a.b: must be 3")
}
