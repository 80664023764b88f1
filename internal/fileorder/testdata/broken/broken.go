// Package broken doesn't compile.
package broken

var _ int = "text"
