//go:build unix

package server

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyForget sends SIGUSR1 to c: the operator's word that what is kept is no good any more.
func notifyForget(c chan<- os.Signal) { signal.Notify(c, syscall.SIGUSR1) }

// notifyReload sends SIGHUP to c: the operator's word that the configuration changed.
func notifyReload(c chan<- os.Signal) { signal.Notify(c, syscall.SIGHUP) }
