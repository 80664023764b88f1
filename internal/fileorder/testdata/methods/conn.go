// Package methods has a type whose methods are in two files, and call each other.
package methods

type conn struct{ server *server }

func (c conn) handle() { c.server.log() }
