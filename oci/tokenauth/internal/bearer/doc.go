// Package bearer reads what a registry's bearer token says that it can do, strictly: what two readers could understand differently is
// not understood at all. Signatures aren't verified; that is the registry's part.
package bearer
