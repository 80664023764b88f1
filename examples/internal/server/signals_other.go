//go:build !unix

package server

import "os"

// notifyForget does nothing: there is no such signal here, and a restart does the same.
func notifyForget(chan<- os.Signal) {}

// notifyReload likewise.
func notifyReload(chan<- os.Signal) {}
