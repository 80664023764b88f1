package decorator

import "context"

type throttledKey struct{}

// OnThrottled returns a context for Credentials in which note is called with the reason each time that the provider is
// throttled upstream and is going to try again by itself. The call goes on meanwhile, so note must be quick; it may be called
// by several goroutines.
func OnThrottled(ctx context.Context, note func(error)) context.Context {
	return context.WithValue(ctx, throttledKey{}, note)
}

// NoteThrottled tells whoever asked with [OnThrottled] that the upstream throttles, and that the provider waits it out. A
// provider that does so calls it, so that callers who can't wait that long hear of throttling and not only that it took long.
// err is like one that Credentials returns, an [Error] of kind [ErrThrottled]. Where nobody asked, nothing happens.
func NoteThrottled(ctx context.Context, err error) {
	if note, ok := ctx.Value(throttledKey{}).(func(error)); ok {
		note(err)
	}
}
