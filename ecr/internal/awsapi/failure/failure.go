// Package failure is what AWS says when a call fails: read, classified and scrubbed, in words that know nothing of the configuration.
package failure

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/source"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/transport"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A Failure is a call that failed. Nothing in it is a secret, nor is any of it an answer's body. It unwraps to a [smithy.APIError] made of
// what is shown, and to the context's error; errors.Is knows it by its kind.
type Failure struct {
	// Op is the step that failed: that of the [Call], or the one inside of it that failed.
	Op string
	// Project is the call's.
	Project string
	Kind    provider.Kind
	// Operation is the SDK's call that failed, such as "AssumeRole"; empty if it was none.
	Operation string
	// Code and Message are those of AWS's API; empty if it isn't AWS that refused.
	Code, Message string
	// RequestID is AWS's number of the request; empty if there is none.
	RequestID string
	// HTTPStatus is the answer's; 0 if there was none. Of a source's it is in Source.
	HTTPStatus int
	// Source is the source of credentials that failed; nil if none did.
	Source *source.Source
	// Search is why no credentials were found, with OpCredentials.
	Search Search
	// Network is the network's part in it; nil if it has none.
	Network *probe.Failure
	// ClockOffset is how far AWS's clock is ahead of this machine's, if the answer is Dated.
	ClockOffset time.Duration
	Dated       bool

	cause error
	// Behind functions, as printers follow fields.
	refusal func() Refusal
	secrets func() []string
}

// A Call is one that failed, as far as its caller knows it.
type Call struct {
	Op string
	// Project is the project that it was made for, if it was for one.
	Project string
	// Account and Repository are names of ours, beside the project's, that AWS's message may hold.
	Account, Repository string
	// Secrets are what is kept out, beside what was sent.
	Secrets []string
	// Retried is the error after which the call was being tried again when its context ended; nil if it wasn't.
	Retried error
}

// New makes the failure of a call with ctx that returned err. It is the only place that does.
func New(ctx context.Context, call Call, err error) *Failure {
	f := &Failure{Op: call.Op, Project: call.Project}
	var step *in
	if errors.As(err, &step) {
		f.Op, err = step.op, step.err
	}
	secrets := append(slices.Clone(call.Secrets), transport.Sent(err)...)
	if call.Retried != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = call.Retried
	}
	refusal := refusalOf(err)
	f.Kind = kindOf(ctx, f.Op, err)
	f.cause = Cause(err, secrets, call.Account, call.Repository, call.Project)
	f.refusal, f.secrets = func() Refusal { return refusal }, func() []string { return secrets }
	var said smithy.APIError
	if errors.As(f.cause, &said) {
		f.Code, f.Message = said.ErrorCode(), said.ErrorMessage()
	}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		f.Operation = operation.OperationName
	}
	var numbered interface{ ServiceRequestID() string }
	if errors.As(err, &numbered) {
		f.RequestID = scrub.ID(numbered.ServiceRequestID())
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		f.HTTPStatus = response.HTTPStatusCode()
	}
	if asked := sourceOf(err); asked != nil {
		f.Source = &asked.Source
	}
	if f.Op == OpCredentials {
		f.Search = searchOf(err)
	}
	if network, ok := probe.Explain(err); ok {
		f.Network = &network
	}
	f.ClockOffset, f.Dated = clockOffset(err)
	return f
}

// Of finds the failure in err, nil if there is none.
func Of(err error) *Failure {
	var f *Failure
	if err == nil || !errors.As(err, &f) {
		return nil
	}
	return f
}

// CodeOf is the code that AWS refused with in err, as it is shown; empty if it didn't.
func CodeOf(err error) string {
	if f := Of(err); f != nil {
		return f.Code
	}
	return ""
}

// Error says what AWS said.
func (f *Failure) Error() string { return f.cause.Error() }

// Unwrap returns what is left of the SDK's error.
func (f *Failure) Unwrap() error { return f.cause }

// Is reports whether target is the failure's kind.
func (f *Failure) Is(target error) bool {
	kind, ok := target.(provider.Kind)
	return ok && kind == f.Kind
}

// Refusal is what AWS refused, as it says; the zero Refusal if it refused nothing.
func (f *Failure) Refusal() Refusal { return f.refusal() }

// Redact takes out of a text that was made of the failure the names that hold a piece of a secret.
func (f *Failure) Redact(text string) string { return scrub.Redact(text, f.secrets()) }
