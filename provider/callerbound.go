package provider

// CallerBound is the capability of credentials that are each one caller's own: a request should say whose ([Request].Caller), so that
// what is done with them shows in the audit of the provider, and they aren't kept to be handed out again, as another caller's
// would be.
type CallerBound interface {
	// CallerBound does nothing: having it says so.
	CallerBound()
}

// BoundToCallers reports whether p, or what it decorates, is [CallerBound].
func BoundToCallers(p Provider) bool {
	_, ok := As[CallerBound](p)
	return ok
}
