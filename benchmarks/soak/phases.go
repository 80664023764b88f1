package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// run returns what each replica had in the beginning and in the end, after the same: every project was asked for once, by all clients, and nothing since.
func (s *soak) run(ctx context.Context) (before, after []figures, err error) {
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	s.fleet.watch(watching)
	s.found.say("every project is asked for once")
	s.clients.everything(s.asking)
	s.clients.idle()
	if before, err = s.settled(ctx, nil); err != nil {
		return nil, nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, nil, err
	}
	s.found.say("nothing goes wrong any more; all is forgotten, and every project asked for once")
	for _, r := range s.fleet.replicas {
		if err := r.forget(); err != nil {
			return nil, nil, err
		}
	}
	s.clients.everything(s.asking)
	s.clients.idle()
	if after, err = s.settled(ctx, before); err != nil {
		return nil, nil, err
	}
	unwatch()
	s.found.say("the replicas are told to end")
	return before, after, s.fleet.stop(ctx)
}

// load runs the clients, and one event after the other.
func (s *soak) load(ctx context.Context) error {
	asking, enough := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range s.asking {
		all.Go(func() { s.clients.run(asking, i%teams) })
	}
	defer all.Wait()
	defer enough()
	if err := s.pause(ctx, s.lasts/2); err != nil {
		return err
	}
	for end := time.Now().Add(s.whole); ; s.turn++ {
		for _, e := range events {
			if time.Now().After(end) {
				return nil
			}
			s.found.say("%s", e.what)
			if err := e.do(s, ctx); err != nil {
				return fmt.Errorf("%s: %w", e.what, err)
			}
			s.done++
			s.fleet.aws.ResetCalls()
			if err := s.pause(ctx, s.lasts/4); err != nil {
				return err
			}
		}
	}
}

// settled are the replicas' figures once they are as in the beginning, or after what keeps connections open has had its time.
func (s *soak) settled(ctx context.Context, before []figures) (now []figures, err error) {
	for end := time.Now().Add(2 * time.Minute); ; {
		if err := s.pause(ctx, 2*time.Second); err != nil {
			return nil, err
		}
		now = nil
		for _, r := range s.fleet.replicas {
			f, err := r.figures()
			if err != nil {
				return nil, errors.Join(errors.New(r.name), err)
			}
			now = append(now, f)
		}
		back := true
		for i := range before {
			back = back && now[i].back(before[i])
		}
		if back || time.Now().After(end) {
			return now, nil
		}
	}
}

func (s *soak) targets(before, after []figures) (all []target) {
	none := func(what string, n int) {
		all = append(all, target{what, strconv.Itoa(n), "0", n == 0})
	}
	for _, what := range []string{refusedKept, cutKept, mixedUp, strangers, unusable, gaveUp} {
		none(what, s.found.of(what))
	}
	none("credentials without an audit record", s.clients.unrecorded())
	torn := 0
	for _, r := range s.fleet.replicas {
		r.audit.mu.Lock()
		torn += r.audit.bad
		r.audit.mu.Unlock()
	}
	none("lines of an audit log that are no records", torn)
	for i, r := range s.fleet.replicas {
		b, a := before[i], after[i]
		all = append(all, target{r.name + ": goroutines, descriptors, heap", fmt.Sprintf("%.0f, %.0f, %.1f MiB", a.goroutines, a.descriptors, a.heap/(1<<20)),
			fmt.Sprintf("as before: %.0f, %.0f, %.1f MiB", b.goroutines, b.descriptors, b.heap/(1<<20)), a.back(b)})
	}
	all = append(all, target{"things that went wrong", strconv.Itoa(s.done), "each kind at least once", s.done >= len(events)})
	return all
}
