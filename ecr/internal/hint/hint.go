// Package hint is the one place that turns a failure of AWS's into the configuration's words: which key is likely wrong, and what to do.
package hint

import (
	"log/slog"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Error makes the error of a failure that providers fail with.
func Error(s policy.Setup, f *failure.Failure) *provider.Error {
	e := &provider.Error{Kind: f.Kind, Op: f.Op, Project: f.Project, Hint: f.Redact(explain(s, f).Hint()), Err: f}
	if f.RequestID != "" {
		e.Details = append(e.Details, slog.String("request_id", f.RequestID))
	}
	return e
}

// Explain says what likely causes a failure.
func Explain(s policy.Setup, f *failure.Failure) Trouble {
	t := explain(s, f)
	return Trouble{Is: f.Redact(t.Is), Remedy: f.Redact(t.Remedy), More: f.Redact(t.More)}
}
