package ecr_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What removes at once, without ids, works and is warned of: by the configuration, and in the log.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*ecr.Config)
		warns  bool
	}{
		"defaults":         {func(*ecr.Config) {}, false},
		"left out in Go":   {func(c *ecr.Config) { c.RemoveAfter = nil }, false},
		"12h":              {func(c *ecr.Config) { c.RemoveAfter = new(12 * time.Hour) }, false},
		"0s":               {func(c *ecr.Config) { c.RemoveAfter = new(time.Duration(0)) }, true},
		"0s, auto_remove":  {func(c *ecr.Config) { c.AutoRemove, c.RemoveAfter = true, new(time.Duration(0)) }, true},
		"0s, project_ids":  {func(c *ecr.Config) { c.ProjectIDs, c.RemoveAfter = true, new(time.Duration(0)) }, false},
		"30m, project_ids": {func(c *ecr.Config) { c.ProjectIDs, c.RemoveAfter = true, new(30*time.Minute) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := validConfig()
			tt.change(&c)
			var log bytes.Buffer
			_, err := ecr.New(t.Context(), c, hermetic(), ecr.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			require.NoError(t, err)
			_, err = ecr.New(t.Context(), c, hermetic())
			require.NoError(t, err)
			if !tt.warns {
				require.Empty(t, c.Warnings())
				require.Empty(t, log.String())
				return
			}
			require.Len(t, c.Warnings(), 1)
			var warning *provider.ConfigError
			require.ErrorAs(t, c.Warnings()[0], &warning)
			require.Equal(t, "remove_after", warning.Key)
			require.Contains(t, warning.Problem, "for up to 12h, write into the repository of the name's next owner")
			require.Contains(t, log.String(), "level=WARN")
			require.Contains(t, log.String(), "remove_after: with 0s")
		})
	}
}
