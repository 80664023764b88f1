package audit

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/lines"
)

// Stream is where the log goes, and the audit where it has no file: the process's stderr. One that nobody reads holds up nobody: the log's lines are dropped then,
// and counted.
type Stream struct {
	// Logger logs to it.
	Logger *slog.Logger
	// Writer writes to it.
	Writer *lines.Writer
	// Format is the log's.
	Format Format
}

// NewStream returns a stream to w, whose log leaves out what is below level. It has to be closed.
func NewStream(w io.Writer, level slog.Level, format Format) *Stream {
	writer := lines.New(w, Missed(format))
	return &Stream{slog.New(leveled{format(writer.Lossy()), level}), writer, format}
}

// Close writes what waits, for a moment.
func (s *Stream) Close() error { return s.Writer.Close(closing) }

// Say writes text to w, which may hang: for a moment.
func Say(w io.Writer, text string) error {
	done := make(chan error, 1)
	go func() { _, err := io.WriteString(w, text); done <- err }()
	late := time.NewTimer(closing)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errors.New("the output hangs")
	}
}
