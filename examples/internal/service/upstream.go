package service

import (
	"sync"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// upstream is a provider that several services may share, one after the other.
type upstream struct {
	provider.Provider
	services atomic.Int64
	once     sync.Once
	err      error
}

func newUpstream(p provider.Provider) *upstream {
	u := &upstream{Provider: p}
	u.services.Store(1)
	return u
}

// share is for one service more, by who has one of them.
func (u *upstream) share() *upstream {
	u.services.Add(1)
	return u
}

// release is for one less. The last one closes the provider.
func (u *upstream) release() error {
	if u.services.Add(-1) > 0 {
		return nil
	}
	u.once.Do(func() { u.err = provider.Close(u.Provider) })
	return u.err
}
