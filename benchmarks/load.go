package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
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
