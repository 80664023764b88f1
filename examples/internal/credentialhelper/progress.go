package credentialhelper

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
)

// progress tells a user who waits why: it prints what the client of the endpoint logs.
type progress struct{ to io.Writer }

func (progress) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (p progress) Handle(_ context.Context, r slog.Record) error {
	line := Name + ": " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		switch value := a.Value.Any().(type) {
		case time.Duration:
			line += fmt.Sprintf(", in %v", value.Round(time.Second/10))
		case error:
			line += ": " + setup.Cause(value)
		}
		return true
	})
	_, err := fmt.Fprintln(p.to, line)
	return err
}

func (p progress) WithAttrs([]slog.Attr) slog.Handler { return p }
func (p progress) WithGroup(string) slog.Handler      { return p }
