package tokenissuer

import (
	"context"
	"log/slog"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Outcome is what became of an exchange.
type Outcome string

const (
	// Issued means that the client got a token.
	Issued Outcome = "issued"
	// Refused means that it asked for what it doesn't get (4xx).
	Refused Outcome = "refused"
	// Failed means that the service couldn't answer (5xx).
	Failed Outcome = "failed"
	// Canceled means that the client went away before there was an answer: what would have been Failed otherwise.
	Canceled Outcome = "canceled"
)

// An Exchange is the audit record of one request to /token. It holds no secret.
type Exchange struct {
	// RemoteAddr is the address that the request came from: the last proxy's, behind one.
	RemoteAddr string
	// SourceAddr is the address before trusted proxies; empty without [WithSource].
	SourceAddr string
	// Grant is the id of the grant that was shown, once it was verified; empty where the password was something else.
	Grant string
	// Subject is the grant's caller, or who the password belongs to; empty while that isn't known.
	Subject string
	// Project, ProjectID and AllProjects are the grant's.
	Project     string
	ProjectID   string
	AllProjects bool
	// Asked and Granted are what was asked for and what the token can do, as scopes. What isn't a repository is "other".
	Asked, Granted []string
	// Outcome, Status (HTTP) and Code (of the error; empty when issued) are the answer.
	Outcome Outcome
	Status  int
	Code    string
	// Kind is the error's kind; empty when there is none.
	Kind provider.Kind
	// ExpiresAt is the token's end; zero when there is none.
	ExpiresAt time.Time
	// Duration is how long the exchange took.
	Duration time.Duration
	// Err is the cause of a refusal or failure, for the operator. It may be nil.
	Err error
}

// LogValue implements [slog.LogValuer]: a group of the fields that are set.
func (e Exchange) LogValue() slog.Value { return slog.GroupValue(e.attrs()...) }

func (e Exchange) attrs() []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("outcome", string(e.Outcome)),
		slog.Int("status", e.Status),
		slog.Duration("duration", e.Duration),
		slog.String("remote_addr", e.RemoteAddr),
	)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("source_addr", e.SourceAddr)
	text("grant", e.Grant)
	text("subject", e.Subject)
	text("project", e.Project)
	text("project_id", e.ProjectID)
	if e.AllProjects {
		attrs = append(attrs, slog.Bool("all_projects", true))
	}
	if len(e.Asked) > 0 {
		attrs = append(attrs, slog.Any("asked", e.Asked))
	}
	if len(e.Granted) > 0 {
		attrs = append(attrs, slog.Any("granted", e.Granted))
	}
	text("code", e.Code)
	text("kind", string(e.Kind))
	if !e.ExpiresAt.IsZero() {
		attrs = append(attrs, slog.Time("expires_at", e.ExpiresAt))
	}
	if e.Err != nil {
		text("error", e.Err.Error())
	}
	return attrs
}

// Log returns the hook that writes exchanges to logger, nil being [slog.Default] at that time: what was issued at level info, refusals at warn, failures
// at error. It fails as the logger's handler does: where the log can't be written, no token is handed out (see [WithAudit]). A level that the handler leaves
// out is no failure.
func Log(logger *slog.Logger) func(context.Context, Exchange) error {
	return func(ctx context.Context, e Exchange) error {
		l := logger
		if l == nil {
			l = slog.Default()
		}
		level := slog.LevelInfo
		switch e.Outcome {
		case Issued, Canceled:
		case Refused:
			level = slog.LevelWarn
		case Failed:
			level = slog.LevelError
		}
		h := l.Handler()
		if !h.Enabled(ctx, level) {
			return nil
		}
		record := slog.NewRecord(time.Now(), level, "registry token", 0) // by the handler: a Logger's methods keep its errors to themselves
		record.AddAttrs(e.attrs()...)
		return h.Handle(ctx, record)
	}
}
