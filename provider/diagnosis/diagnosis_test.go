package diagnosis_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// patient is a provider with a diagnosis.
type patient struct {
	provider.Provider
	asked []diagnosis.Options
}

func (p *patient) Diagnose(_ context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	p.asked = append(p.asked, o)
	return func(yield func(diagnosis.Finding) bool) {
		_ = yield(diagnosis.Finding{Check: "a", Status: diagnosis.Passed}) && yield(diagnosis.Finding{Check: "b", Status: diagnosis.Failed})
	}
}

// wrapper is a decorator.
type wrapper struct{ provider.Provider }

func (w wrapper) Unwrap() provider.Provider { return w.Provider }

func TestOf(t *testing.T) {
	t.Parallel()
	p := &patient{}
	o := diagnosis.Options{Project: "hello", ProjectID: "p-1", WriteProbe: true}
	findings, err := diagnosis.Of(t.Context(), wrapper{p}, o)
	require.NoError(t, err)
	var checks []string
	for f := range findings {
		checks = append(checks, f.Check)
	}
	require.Equal(t, []string{"a", "b"}, checks)
	require.Equal(t, []diagnosis.Options{o}, p.asked)

	_, err = diagnosis.Of(t.Context(), wrapper{&struct{ provider.Provider }{}}, diagnosis.Options{})
	require.ErrorIs(t, err, provider.ErrUnsupported)
	for _, o := range []diagnosis.Options{{Project: "../x"}, {WriteProbe: true}, {ProjectID: "p-1"}, {Project: "hello", ProjectID: "*"}} {
		_, err = diagnosis.Of(t.Context(), p, o)
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
	}
	require.Len(t, p.asked, 1)
}
