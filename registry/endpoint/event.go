package endpoint

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Outcome is what became of a request.
type Outcome string

const (
	// Issued means that the caller got a credential.
	Issued Outcome = "issued"
	// Refused means that the caller asked for what it doesn't get (4xx), whether or not it waited for the answer.
	Refused Outcome = "refused"
	// Failed means that the service or the registry couldn't answer (5xx).
	Failed Outcome = "failed"
	// Canceled means that the caller went away, or closed its half of the connection, before there was an answer: what would
	// have been Failed otherwise.
	Canceled Outcome = "canceled"
)

// An Event is the audit record of one request. It holds no secret.
type Event struct {
	// Subject is who asked; empty before authentication.
	Subject string
	// RemoteAddr is the address that the request came from: the last proxy's, behind one.
	RemoteAddr string
	// SourceAddr is the address that the request came from before trusted proxies; empty without [WithTrustedProxies].
	SourceAddr string
	// Project and Access are what was asked for; zero when the request wasn't valid, as its text could be anything.
	Project string
	Access  provider.Access
	// Consumer is for whom the credential was asked: [provider.Cluster] only with [WithClusterCredentials], or when refused. It says nothing without a
	// Project, and nothing of a Login.
	Consumer provider.Consumer
	// ProjectID is the service's id of the project; empty without [WithProjectIDs], and before the service has named it.
	ProjectID string
	// Login says that the caller used its bearer token as a password at a token server, which asked what it may have: see
	// [Logins]. Issued means then that it may have this.
	Login bool
	// Provider is the provider's type, such as "ecr".
	Provider string
	// Outcome, Status (HTTP) and Code (of the error; empty when issued) are the answer.
	Outcome Outcome
	Status  int
	Code    string
	// Kind is the error's kind; empty when there is none.
	Kind provider.Kind
	// ExpiresAt is the credential's expiry; zero when it has none, or there is no credential.
	ExpiresAt time.Time
	// Duration is how long the request took.
	Duration time.Duration
	// Details are the caller's, if it has some, and the credential's, or the error's, such as the session's name and AWS request ids.
	Details []slog.Attr
	// Err is the cause of a refusal or failure, for the operator. It may be nil.
	Err error

	caller []slog.Attr // the caller's part of Details, until those are complete
}

// LogValue implements [slog.LogValuer]: a group of the fields that are set.
func (e Event) LogValue() slog.Value { return slog.GroupValue(e.attrs()...) }

func (e Event) attrs() []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 17),
		slog.String("outcome", string(e.Outcome)),
		slog.Int("status", e.Status),
		slog.String("provider", e.Provider),
		slog.Duration("duration", e.Duration),
		slog.String("remote_addr", e.RemoteAddr),
	)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("source_addr", e.SourceAddr)
	text("subject", e.Subject)
	text("project", e.Project)
	text("project_id", e.ProjectID)
	if e.Project != "" {
		text("access", e.Access.String())
	}
	if e.Login {
		attrs = append(attrs, slog.Bool("login", true))
	} else if e.Project != "" {
		text("consumer", e.Consumer.String())
	}
	text("code", e.Code)
	text("kind", string(e.Kind))
	if !e.ExpiresAt.IsZero() {
		attrs = append(attrs, slog.Time("expires_at", e.ExpiresAt))
	}
	if len(e.Details) > 0 {
		attrs = append(attrs, slog.GroupAttrs("details", e.Details...))
	}
	if e.Err != nil {
		text("error", e.Err.Error())
	}
	return attrs
}

func outcomeOf(ctx context.Context, status int) Outcome {
	switch {
	case status < 400: // whether or not the caller is still there
		return Issued
	case status < 500: // likewise: who closes its half of the connection reads the answer with the other
		return Refused
	case errors.Is(ctx.Err(), context.Canceled):
		return Canceled
	default:
		return Failed
	}
}

// Log returns the audit hook that writes events to logger, nil being [slog.Default] at that time: what was issued at level
// info, refusals at warn, failures at error. It fails as the logger's handler does: where the log can't be written, nothing is handed out
// (see [WithAudit]). A level that the handler leaves out is no failure.
func Log(logger *slog.Logger) func(context.Context, Event) error {
	return func(ctx context.Context, e Event) error {
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
		record := slog.NewRecord(time.Now(), level, "registry credentials", 0) // by the handler: a Logger's methods keep its errors to themselves
		record.AddAttrs(e.attrs()...)
		return h.Handle(ctx, record)
	}
}
