// Package tokenserver asks a registry's token server for tokens: where the registry says that it is, if that is where it may be by the
// configuration, and nowhere else. What it answers is read strictly, and never more of it than there should be.
//
// Files, from the bottom: failure.go and registries.go say what went wrong and what helps, send.go is one request and its answer, place.go
// where a login may go, challenge.go what the registry says, expiry.go until when a token is good for certain, ask.go a token.
package tokenserver
