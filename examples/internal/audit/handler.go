package audit

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
)

// handler is a slog.Handler of records: each is made a line by its own goroutine, and then written by put, which fails it. All levels are records.
type handler struct {
	put  func([]byte) error
	pool *sync.Pool // of *encoder
}

type encoder struct {
	line   bytes.Buffer
	format slog.Handler // writes to line
}

func newHandler(format Format, put func([]byte) error) slog.Handler {
	return handler{put, &sync.Pool{New: func() any {
		e := &encoder{}
		e.format = format(&e.line)
		return e
	}}}
}

// Enabled implements slog.Handler.
func (handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	e := h.pool.Get().(*encoder)
	defer h.pool.Put(e)
	e.line.Reset()
	if err := e.format.Handle(ctx, r); err != nil {
		return err
	}
	if size, ok := ctx.Value(sizeKey{}).(*int); ok {
		*size = e.line.Len()
	}
	return h.put(e.line.Bytes())
}

// sizeKey is where a record's size is asked for.
type sizeKey struct{}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(f slog.Handler) slog.Handler { return f.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return h.with(func(f slog.Handler) slog.Handler { return f.WithGroup(name) })
}

func (h handler) with(change func(slog.Handler) slog.Handler) slog.Handler {
	return handler{h.put, &sync.Pool{New: func() any {
		e := h.pool.New().(*encoder)
		e.format = change(e.format)
		return e
	}}}
}
