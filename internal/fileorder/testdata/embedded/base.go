// Package embedded has a cycle that only a promoted method closes, and one of types.
package embedded

type base struct{}

func (base) run() { outermost().stop() }
