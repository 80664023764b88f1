package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// sizes are how much of everything is done.
type sizes struct {
	rounds, slowRounds, operations, slowOperations, hitOperations, requests, warm, noise int
}

// result is what one operation of a subject costs: medians over rounds, and calls over all of them.
type result struct {
	name             string
	time             time.Duration
	slower           float64 // by the first subject's time: the median of the rounds' ratios
	allocs           float64
	sts, ecr, opened float64 // an operation
	operations       int
}

// measure runs the subjects in turns, so that the machine's other work hits all of them, operations at a time.
func measure(ctx context.Context, u *upstream, subjects []subject, rounds, operations int) ([]result, error) {
	times, allocs := make([][]time.Duration, len(subjects)), make([][]float64, len(subjects))
	total := make([]counts, len(subjects))
	for range rounds {
		for i, s := range subjects {
			for range 3 { // connections that were given up meanwhile aren't the steady state
				if err := s.get(ctx); err != nil {
					return nil, fmt.Errorf("%s: %w", s.name, err)
				}
			}
			runtime.GC()
			var before, after runtime.MemStats
			called := u.counts()
			runtime.ReadMemStats(&before)
			start := time.Now()
			for range operations {
				if err := s.get(ctx); err != nil {
					return nil, fmt.Errorf("%s: %w", s.name, err)
				}
			}
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			times[i] = append(times[i], took/time.Duration(operations))
			allocs[i] = append(allocs[i], float64(after.Mallocs-before.Mallocs)/float64(operations))
			total[i] = total[i].plus(u.counts().minus(called))
		}
	}
	results := make([]result, len(subjects))
	for i, s := range subjects {
		n := float64(rounds * operations)
		ratios := make([]float64, rounds)
		for k := range ratios {
			ratios[k] = float64(times[i][k]) / float64(times[0][k])
		}
		results[i] = result{
			name: s.name, time: median(times[i]), slower: median(ratios), allocs: median(allocs[i]), operations: rounds * operations,
			sts: float64(total[i].sts) / n, ecr: float64(total[i].ecr) / n, opened: float64(total[i].opened) / n,
		}
	}
	return results, nil
}

func median[T time.Duration | float64](values []T) T {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[len(values)/2]
}

// scaling is the time of an operation with 2 goroutines by that with 1, the median of rounds.
func scaling(ctx context.Context, get func(context.Context) error, rounds, operations int) float64 {
	timed := func(goroutines int) time.Duration {
		var wait sync.WaitGroup
		start := time.Now()
		for range goroutines {
			wait.Go(func() {
				for range operations / goroutines {
					_ = get(ctx)
				}
			})
		}
		wait.Wait()
		return time.Since(start)
	}
	var ratios []float64
	for range rounds {
		one := timed(1)
		ratios = append(ratios, float64(timed(2))/float64(one))
	}
	return median(ratios)
}

func find(results []result, name string) result {
	for _, r := range results {
		if r.name == name {
			return r
		}
	}
	return result{}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
