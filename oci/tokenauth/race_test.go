//go:build race

package tokenauth_test

// some is of how many of what a real registry does nearly all of the work for one is tried: the race detector sees nothing there.
const some = 5
