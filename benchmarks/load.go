package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// ask asks p for n projects at once, by workers goroutines, and returns how long it took.
func ask(ctx context.Context, p provider.Provider, name string, n, workers int) (time.Duration, error) {
	var next atomic.Int64
	failures := make([]error, workers)
	var wait sync.WaitGroup
	start := time.Now()
	for i := range workers {
		wait.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= n {
					return
				}
				if _, err := p.Credentials(ctx, provider.Request{Project: fmt.Sprintf("%s-%d", name, k), Access: provider.Push}); err != nil {
					failures[i] = errors.Join(failures[i], err)
				}
			}
		})
	}
	wait.Wait()
	return time.Since(start), errors.Join(failures...)
}

// warm is how long it takes until so many projects have a credential, and how many connections were opened: the median of rounds, as one would be the machine's luck.
func warm(ctx context.Context, u *upstream, p provider.Provider, projects, rounds int) (took time.Duration, opened int64, err error) {
	u.latency.Store(int64(25 * time.Millisecond))
	defer u.latency.Store(0)
	before := u.counts()
	var warmed []time.Duration
	for round := range rounds {
		took, failed := ask(ctx, p, fmt.Sprintf("warm-%d", round), projects, 256)
		warmed, err = append(warmed, took), errors.Join(err, failed)
	}
	return median(warmed), u.counts().minus(before).opened / int64(rounds), err
}

// herd is what 1,000 callers of one cold key cost.
func herd(ctx context.Context, u *upstream, p provider.Provider) (counts, error) {
	before := u.counts()
	failures := make([]error, 1000)
	begin := make(chan struct{})
	var wait sync.WaitGroup
	for i := range failures {
		wait.Go(func() {
			<-begin
			_, failures[i] = p.Credentials(ctx, provider.Request{Project: "herd", Access: provider.Push})
		})
	}
	close(begin)
	wait.Wait()
	return u.counts().minus(before), errors.Join(failures...)
}

// besideNoise is by how many issues' time a subject's first credential is later than alone, while connections of another subject ask for
// ever new projects: the worst of rounds' medians. All ask the endpoint.
func besideNoise(ctx context.Context, u *upstream, connections, rounds int) (float64, error) {
	const asked = 5
	p, err := built(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = provider.Close(p) }()
	u.latency.Store(int64(25 * time.Millisecond))
	defer u.latency.Store(0)
	h := endpoint.New(p, func(r *http.Request) (caller, error) { return caller(r.Header.Get("Subject")), nil },
		func(context.Context, caller, provider.Request) error { return nil },
		endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	first := func(ctx context.Context, subject, project string) (time.Duration, error) {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+project, nil)
		r.Header.Set("Subject", subject)
		w, start := httptest.NewRecorder(), time.Now()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return 0, fmt.Errorf("answered %d", w.Code)
		}
		return time.Since(start), nil
	}
	times := func(name string) (time.Duration, error) {
		var took []time.Duration
		for i := range asked {
			d, err := first(ctx, name, fmt.Sprintf("%s-%d", name, i))
			if err != nil {
				return 0, err
			}
			took = append(took, d)
		}
		return median(took), nil
	}
	alone, err := times("alone")
	if err != nil {
		return 0, err
	}
	noise, cancel := context.WithCancel(ctx)
	var next atomic.Int64
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	for range connections {
		wait.Go(func() {
			for noise.Err() == nil {
				_, _ = first(noise, "noisy", fmt.Sprintf("noisy-%d", next.Add(1)))
			}
		})
	}
	for next.Load() < int64(connections) { // until all wait
		time.Sleep(time.Millisecond)
	}
	var worst float64
	for round := range rounds {
		beside, err := times(fmt.Sprintf("quiet-%d", round))
		if err != nil {
			return 0, err
		}
		worst = max(worst, ratio(beside-alone, alone))
	}
	return worst, nil
}

// coldBeside is how long 20 cold keys take at 50 ms a call, and the 99th percentile of hits on a warm key meanwhile.
func coldBeside(ctx context.Context, u *upstream, p provider.Provider, round int) (cold, hit time.Duration, err error) {
	if _, err := p.Credentials(ctx, push); err != nil {
		return 0, 0, err
	}
	u.latency.Store(int64(50 * time.Millisecond))
	defer u.latency.Store(0)
	done := make(chan struct{})
	var hits []time.Duration
	var failed error
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Microsecond):
			}
			start := time.Now()
			_, err := p.Credentials(ctx, push)
			hits, failed = append(hits, time.Since(start)), errors.Join(failed, err)
		}
	})
	cold, err = ask(ctx, p, fmt.Sprintf("cold-%d", round), 20, 20)
	close(done)
	wait.Wait()
	slices.Sort(hits)
	if len(hits) == 0 {
		return cold, 0, errors.Join(err, failed, errors.New("no hits meanwhile"))
	}
	return cold, hits[len(hits)*99/100], errors.Join(err, failed)
}
