package oidc

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc/internal/keyset"
)

const maxRemembered = 10_000

// remembered are tokens that were verified, by the hash of the whole of each: its signature isn't checked again before its end, unless the issuer's
// keys changed meanwhile.
type remembered struct {
	mu     sync.Mutex
	tokens map[[sha256.Size]byte]verified
}

type verified struct {
	caller     Caller
	keys       *keyset.Cache // of its issuer
	generation uint64        // of these
	expires    time.Time
}

func (m *remembered) get(ctx context.Context, hash [sha256.Size]byte, now time.Time) (Caller, bool) {
	m.mu.Lock()
	v, ok := m.tokens[hash]
	m.mu.Unlock()
	if !ok {
		return Caller{}, false
	}
	if v.keys.Current(ctx) != v.generation || !now.Before(v.expires) {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.tokens, hash)
		return Caller{}, false
	}
	return v.caller, true
}

func (m *remembered) put(hash [sha256.Size]byte, v verified) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = map[[sha256.Size]byte]verified{}
	}
	if len(m.tokens) >= maxRemembered {
		for some := range m.tokens { // in no order: whoever sends many can't choose whose goes
			delete(m.tokens, some)
			break
		}
	}
	m.tokens[hash] = v
}
