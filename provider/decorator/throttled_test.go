package decorator_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

func TestNoteThrottled(t *testing.T) {
	t.Parallel()
	decorator.NoteThrottled(t.Context(), provider.ErrThrottled) // nobody listens
	var notes []error
	ctx := decorator.OnThrottled(t.Context(), func(err error) { notes = append(notes, err) })
	decorator.NoteThrottled(context.WithoutCancel(ctx), provider.ErrThrottled)
	require.Equal(t, []error{provider.ErrThrottled}, notes)
}
