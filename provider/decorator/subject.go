package decorator

import "context"

type subjectKey struct{}

// OnBehalfOf returns a context for Credentials that says who asks, as the service calls them: whoever has to queue takes turns with
// other subjects then, so that one's noise stays its own. It isn't part of the request: subjects share a credential all the same, unless
// [Request.Caller] tells them apart.
func OnBehalfOf(ctx context.Context, subject string) context.Context {
	return context.WithValue(ctx, subjectKey{}, subject)
}

// SubjectOf returns the subject that was given to [OnBehalfOf]; empty if there was none.
func SubjectOf(ctx context.Context) string {
	subject, _ := ctx.Value(subjectKey{}).(string)
	return subject
}
