// Package upcall has none: what is called upwards was handed down.
package upcall

type handler interface{ handle() }

func loop(h handler, done func()) {
	h.handle()
	done()
}
