package provider_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestNoteThrottled(t *testing.T) {
	t.Parallel()
	provider.NoteThrottled(t.Context(), provider.ErrThrottled) // nobody listens
	var notes []error
	ctx := provider.OnThrottled(t.Context(), func(err error) { notes = append(notes, err) })
	provider.NoteThrottled(context.WithoutCancel(ctx), provider.ErrThrottled)
	require.Equal(t, []error{provider.ErrThrottled}, notes)
}
