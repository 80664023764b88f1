package providertest_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

func TestVending(t *testing.T) {
	t.Parallel()
	providertest.Run(t, newVendingHarness)
}

func newVendingHarness(t *testing.T) providertest.Harness {
	upstream := newUpstream(t) // the double: an API that vends logins, and a registry that honours them
	return providertest.Harness{
		Provider:     newVending(upstream),
		Type:         "vending",
		Capabilities: []providertest.Capability{providertest.Has[io.Closer]()},
		Transport:    upstream,
		HandOver:     upstream.handOver,
		Suspend:      upstream.suspend,
		Secrets:      func() []string { return []string{apiKey} },
		Calls:        func() int { return int(upstream.calls.Load()) },
		Expiry:       func(c provider.Credentials) time.Time { return loginExpiry(c.Username) },
		Faults: map[providertest.Ability]func(){
			providertest.Denied:      upstream.fails(http.StatusForbidden, "no"),
			providertest.Throttled:   upstream.fails(http.StatusTooManyRequests, "later"),
			providertest.Unavailable: upstream.fails(http.StatusBadGateway, "oops"),
			providertest.Malformed:   upstream.fails(http.StatusOK, `{"username": `),
			providertest.Expired:     upstream.vendsExpired,
			providertest.GrantsLess:  upstream.grants(less),
			providertest.GrantsMore:  upstream.grants(more),
			providertest.Hanging:     upstream.hangs,
		},
	}
}
