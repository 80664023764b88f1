// Package decorator is what decorators of providers, such as registry/cache, and services that embed the library tell each
// other and the provider beside a request.
//
// A decorator that keeps credentials gets them from [IssueForReuse] and is a [Reuser]: [provider.Issue] then doesn't check once more
// what was checked. A service says with [OnBehalfOf] who asks; whoever lets callers wait in turns reads it with [SubjectOf]. A provider
// that waits out its upstream's throttling says so with [NoteThrottled] to whoever listens with [OnThrottled].
//
// A provider needs none of it.
package decorator
