// Package cache makes a provider's credentials reusable: few upstream calls answer many requests.
//
// It is a decorator, as oauth2.ReuseTokenSource is for a TokenSource:
//
//	p, err := ecr.New(ctx, config)
//	...
//	cached := cache.New(p, cache.Options{})
//	defer provider.Close(cached)
//	c, err := provider.Issue(ctx, cached, provider.Request{Project: "hello", Access: provider.Push})
//
// registry.Factory puts one around what it builds, unless the configuration says cache: {enabled: false}.
//
// # What it does
//
// A credential answers requests that are equal to the one it was issued for, in every field. It is reused until half of
// its life is gone. From then on the next request for it has it refreshed in the background, and requests still get the
// old one. It isn't handed out any more when less than [Options].MinRemaining is left, or less than a quarter of its
// life if that is shorter. Its life counts from when the provider returned it, by the wall clock and by the monotonic one: whichever is
// ahead ends it, so that neither a machine that was suspended nor a clock that was set back makes it last longer. One that doesn't expire, a
// client's own login included, is kept as if it lived an hour.
//
// One issue per request is in progress at a time, and all who ask meanwhile wait for it. Each leaves when its own
// context ends, with [provider.ErrTimeout]; the issue goes on without it, under [Options].IssueTimeout, and its result
// is kept. It sees the values of the first caller's context (for tracing) but not its end. At most
// [Options].MaxInFlight issues run at once, and [Options].MaxPerSecond are started a second. Further ones queue; what is still queued when nobody waits for it any more isn't
// issued. A hit waits for none of this: it takes no lock, but for the one hit that has the refresh started.
//
// The queue is fair by caller, as [decorator.OnBehalfOf] or else the request's Caller tells; who tells nothing is one with all
// others who don't. Callers take turns, and each one's issues come in the order in which it asked; one that several callers wait for
// comes when the first of them has a turn. So however much one asks for, another waits for one issue of
// it at most, and for one that runs to end. Refreshes come behind all callers, but not behind all that they ask for: one takes the
// turn of a caller that had one since the last refresh.
//
// What the provider returns is checked by [decorator.IssueForReuse] before it is kept.
//
// # Failures
//
// A failed issue is an error for those who waited for it. The next one for the same request is made a second later at
// the earliest, and after each further failure in a row twice as late, up to five seconds. Until then the request is
// answered with the last error, whose RetryAfter says how long. The count starts anew after a success, or two to three
// minutes without an attempt. Requests that differ in their Caller alone fail together, as a caller has no rights of its own.
//
// A failed refresh leaves the old credential in use, as long as it may be; the next one is tried a second later at the
// earliest, and after each further failure in a row twice as late, up to a minute. But where the provider says for
// certain that there is no credential for this request any more, the old one is dropped at once:
// [provider.ErrAccessDenied], [provider.ErrNotFound], [provider.ErrNotOurs], [provider.ErrOrphaned],
// [provider.ErrConflict], [provider.ErrUnsupported] and [provider.ErrInvalidRequest].
//
// Throttling slows issuing instead of failing it: after [provider.ErrThrottled] no issue is started for its RetryAfter,
// but for at least a second and at most ten, and the one that was throttled is made again, as long as somebody waits
// for it: before all others of its callers the first time, behind them after that. A caller whose context ends in the meantime gets
// ErrThrottled; so does one whose turn doesn't come for [Options].MaxPerSecond, and one whose issue, or whose turn, waits while the provider waits throttling out by itself and says so
// with [decorator.NoteThrottled]. Adapting the rate is left to the provider, which knows its upstream.
//
// A panic of the provider is an error without a kind, that is, a bug.
//
// # Forgetting
//
// [Cache.Forget] removes a project's credentials, for a service that deletes a project or learns of a leak, and [Cache.ForgetAll]
// everybody's, for when the upstream's side of them is gone: a role was made again, sessions were revoked. The
// upstream removes none: whoever holds a credential can use it until it expires.
//
// A project is forgotten by itself where its repository is released, restored, adopted, suspended or purged, or made or given back by
// EnsureRepository, through the manager that [repository.ManagerOf] finds in the cache, as registry/reconcile does. Other processes, and whoever
// holds the wrapped provider's own manager, have to say so.
package cache
