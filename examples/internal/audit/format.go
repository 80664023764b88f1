package audit

import (
	"io"
	"log/slog"
)

// Format makes a handler that writes records as lines, each with one Write.
type Format func(io.Writer) slog.Handler

// JSON is the format of an audit file.
func JSON(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// Text is the log's format for people.
func Text(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
}
