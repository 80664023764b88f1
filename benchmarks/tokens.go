package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// loaders is how many connections ask for tokens without a pause.
const loaders = 16

// tokens measures /token: exchanges a second by its floor's, and what the endpoint's callers wait for while exchanges run at full load.
func (r *report) tokens(ctx context.Context, n sizes) error {
	kept, err := built(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close(kept) }()
	if _, err := kept.Credentials(ctx, push); err != nil {
		return err
	}
	i, err := newIssuer(ctx)
	if err != nil {
		return err
	}
	h, err := compare(i.token, i.floor, i.exchanges, nil, n.rounds, n.requests/2)
	if err != nil {
		return fmt.Errorf("/token: %w", err)
	}
	made, err := grantsMade(i.provider, n.slowRounds, n.requests)
	if err != nil {
		return fmt.Errorf("grants: %w", err)
	}
	_, _ = fmt.Fprintf(r.w, "\n/token of oci-token-issuer, with audit log, beside a bare handler that does one HMAC check and one ES256 signature:\n"+
		"%.0f and %.0f exchanges/s, %.0f and %.0f allocations an exchange; and the endpoint hands out %.0f grants/s\n", h.ours, h.bare, h.ourAllocs, h.bareAllocs, made)
	r.atLeast("/token: exchanges/s by the bare handler's", h.ratio, 0.8)
	r.atMost("/token: time on a core by the bare handler's", h.cost, 1.25)

	var found [3][2][]time.Duration // alone, beside the floor, beside ours
	for range 2*n.slowRounds + 1 {  // the machine's other work shows in a 99th percentile
		for k, load := range []http.Handler{nil, i.floor, i.token} {
			waits, err := waitsBeside(load, i, kept, max(n.requests/16, 100))
			if err != nil {
				return err
			}
			for row, w := range waits {
				found[k][row] = append(found[k][row], w)
			}
		}
	}
	_, _ = fmt.Fprintf(r.w, "\nWhat the endpoint's callers wait for, 99th percentile, alone and while %d connections exchange without a pause:\n\n", loaders)
	for row, name := range []string{"a credential that is kept", "a new grant"} {
		alone, bare, ours := median(found[0][row]), median(found[1][row]), median(found[2][row])
		_, _ = fmt.Fprintf(r.w, "- %s: %s alone, %s beside the bare handler's exchanges, %s beside ours\n", name, rounded(alone), rounded(bare), rounded(ours))
		r.atMost("the endpoint beside full load at /token, 99th percentile of "+name+": by that beside the bare handler's load", ratio(ours, bare), 1.5)
	}
	return nil
}

// grantsMade is how many credentials of this type the endpoint hands out in a second.
func grantsMade(p provider.Provider, rounds, requests int) (float64, error) {
	server := httptest.NewServer(ourHandler(p))
	defer server.Close()
	var all []float64
	for range rounds {
		s, err := throughput(server, []string{endpointRequest}, requests)
		if err != nil {
			return 0, err
		}
		all = append(all, s.perSecond)
	}
	return median(all), nil
}

// waitsBeside asks the endpoint for what is kept and for new grants in turns, n times each, while load is exchanged with at full load (nil: none), and returns
// the 99th percentiles of both.
func waitsBeside(load http.Handler, i issuer, kept provider.Provider, n int) (waits [2]time.Duration, err error) {
	stop, err := loaded(load, i.exchanges)
	if err != nil {
		return waits, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var times [2][]time.Duration
	var callers [2]*connection
	for k, p := range []provider.Provider{kept, i.provider} {
		server := httptest.NewServer(ourHandler(p))
		defer server.Close()
		if callers[k], err = connect(server); err != nil {
			return waits, err
		}
		defer callers[k].close()
	}
	for range n {
		for k, c := range callers {
			start := time.Now()
			if err := c.send(endpointRequest); err != nil {
				return waits, err
			}
			times[k] = append(times[k], time.Since(start))
		}
	}
	for k, t := range times {
		slices.Sort(t)
		waits[k] = t[n*99/100]
	}
	return waits, nil
}

// loaded has many connections ask h without a pause, until stop is called.
func loaded(h http.Handler, texts []string) (stop func() error, err error) {
	if h == nil {
		return func() error { return nil }, nil
	}
	server := httptest.NewServer(h)
	done, failures := make(chan struct{}), make([]error, loaders)
	var wait sync.WaitGroup
	stop = func() error {
		close(done)
		wait.Wait()
		server.Close()
		return errors.Join(failures...)
	}
	for k := range loaders {
		c, err := connect(server)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		wait.Go(func() {
			defer c.close()
			for at := k; failures[k] == nil; at++ {
				select {
				case <-done:
					return
				default:
					failures[k] = c.send(texts[at%len(texts)])
				}
			}
		})
	}
	return stop, nil
}
