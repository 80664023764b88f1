// Package diagnosis finds out why a provider's credentials aren't issued or don't work: ordered checks, of which each says what
// it found and, in an operator's words, what to do.
//
// A service or an operator's program runs a provider's with [Of], through decorators. A provider that has one implements
// [Diagnoser], most easily with [RunChecks]: it runs a list of checks in order, skips those whose grounds failed, and ends in time
// whatever hangs.
package diagnosis
