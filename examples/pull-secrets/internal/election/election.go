package election

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Lock is the Lease. Its errors are the API server's.
type Lock interface {
	Get(ctx context.Context) (*coordinationv1.Lease, error)
	Create(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error)
	Update(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error)
}

// An Election is one replica's part in it. Its fields are set before [Election.Run] is called, once.
type Election struct {
	Lock Lock
	// Identity names this process, and no other: a restart is another one.
	Identity string
	// Duration is how long after its last renewal a leader is taken for gone, in whole seconds.
	Duration time.Duration
	Log      *slog.Logger

	observed   string // version of the Lease when it last changed
	observedAt time.Time
	answered   atomic.Int64
	leading    atomic.Bool
}

// Leading reports whether this replica leads.
func (e *Election) Leading() bool { return e.leading.Load() }

// Answered is when the API server last said whose the Lease is; the zero time if it never did.
func (e *Election) Answered() time.Time {
	if at := e.answered.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Run has work done whenever this replica leads, until ctx ends. The context of work ends when the term does, and nobody else is let in before work has
// returned, unless that takes longer than the rest of the Lease.
func (e *Election) Run(ctx context.Context, work func(ctx context.Context, term *Term)) {
	for ctx.Err() == nil {
		if lease, until := e.acquire(ctx); lease != nil {
			e.Log.InfoContext(ctx, "this replica leads", "identity", e.Identity)
			e.lead(ctx, lease, &Term{until: until}, work)
			e.Log.InfoContext(ctx, "this replica doesn't lead any longer", "identity", e.Identity)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(e.pause() + rand.N(e.pause()/2)): //nolint:gosec // so that replicas don't ask in step
		}
	}
}

func (e *Election) pause() time.Duration { return e.Duration / 5 }

// patience is what of the Lease a leader uses.
func (e *Election) patience() time.Duration { return e.Duration * 2 / 3 }

// acquire returns the Lease if it is this replica's now, and until when.
func (e *Election) acquire(ctx context.Context) (*coordinationv1.Lease, time.Time) {
	ctx, cancel := context.WithTimeout(ctx, e.patience())
	defer cancel()
	lease, err := e.Lock.Get(ctx)
	began := time.Now()
	switch {
	case apierrors.IsNotFound(err):
		lease = &coordinationv1.Lease{}
		e.take(lease, began)
		lease, err = e.Lock.Create(ctx, lease)
	case err == nil && e.free(lease):
		e.take(lease, began)
		lease, err = e.Lock.Update(ctx, lease)
	case err == nil:
		e.answered.Store(began.UnixNano())
		return nil, time.Time{}
	}
	if err != nil {
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
			e.Log.WarnContext(ctx, "the Lease can't be had", "error", err)
		}
		return nil, time.Time{}
	}
	e.answered.Store(began.UnixNano())
	return lease, began.Add(e.patience())
}

// free reports whether nobody has the Lease, or whoever has it hasn't renewed it for the whole of its duration, as seen from here.
func (e *Election) free(lease *coordinationv1.Lease) bool {
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return true
	}
	now := time.Now()
	if lease.ResourceVersion != e.observed {
		e.observed, e.observedAt = lease.ResourceVersion, now
	}
	duration := e.Duration
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil {
		duration = max(duration, time.Duration(*seconds)*time.Second)
	}
	return now.Sub(e.observedAt) >= duration
}

func (e *Election) take(lease *coordinationv1.Lease, now time.Time) {
	seconds, at, changes := int32((e.Duration+time.Second-1)/time.Second), metav1.NewMicroTime(now), int32(0) //nolint:gosec // some seconds
	if lease.Spec.LeaseTransitions != nil {
		changes = *lease.Spec.LeaseTransitions + 1
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &e.Identity, &seconds
	lease.Spec.AcquireTime, lease.Spec.RenewTime, lease.Spec.LeaseTransitions = &at, &at, &changes
}

// lead has work done while the Lease is renewed, and gives it back.
func (e *Election) lead(ctx context.Context, lease *coordinationv1.Lease, term *Term, work func(context.Context, *Term)) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	e.leading.Store(true)
	defer e.leading.Store(false)
	go func() {
		defer close(done)
		work(working, term)
	}()
	tick := time.NewTicker(e.pause())
	defer tick.Stop()
	for {
		over := time.NewTimer(time.Until(term.end()))
		renewed, lost := lease, false
		select {
		case <-done:
			over.Stop()
			e.release(ctx, lease, term)
			return
		case <-tick.C:
			renewed, lost = e.renew(ctx, lease, term)
		case <-over.C:
		}
		over.Stop()
		if lost || term.Check() != nil {
			if !lost {
				e.Log.WarnContext(ctx, "the Lease couldn't be renewed in time")
			}
			term.extend(time.Time{})
			stop()
			<-done
			return
		}
		lease = renewed
	}
}

// renew returns the Lease as it is now, or that it is somebody else's.
func (e *Election) renew(ctx context.Context, lease *coordinationv1.Lease, term *Term) (now *coordinationv1.Lease, lost bool) {
	// What ends work is not to end the renewal: work may take a while to return.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), term.end())
	defer cancel()
	for {
		began := time.Now()
		next, at := lease.DeepCopy(), metav1.NewMicroTime(began)
		next.Spec.RenewTime = &at
		renewed, err := e.Lock.Update(ctx, next)
		if err == nil {
			e.answered.Store(began.UnixNano())
			term.extend(began.Add(e.patience()))
			return renewed, false
		}
		if !apierrors.IsConflict(err) {
			e.Log.WarnContext(ctx, "the Lease couldn't be renewed", "error", err)
			return lease, apierrors.IsNotFound(err)
		}
		read, err := e.Lock.Get(ctx)
		if err != nil {
			return lease, apierrors.IsNotFound(err)
		}
		if holder := read.Spec.HolderIdentity; holder == nil || *holder != e.Identity {
			return lease, true
		}
		lease = read
	}
}

// release lets the next one in at once.
func (e *Election) release(ctx context.Context, lease *coordinationv1.Lease, term *Term) {
	if term.Check() != nil {
		return
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), term.end())
	defer cancel()
	term.extend(time.Time{})
	free, second, at := lease.DeepCopy(), int32(1), metav1.NewMicroTime(time.Now())
	free.Spec.HolderIdentity, free.Spec.LeaseDurationSeconds, free.Spec.RenewTime = new(string), &second, &at
	if _, err := e.Lock.Update(ctx, free); err != nil && !apierrors.IsConflict(err) {
		e.Log.WarnContext(ctx, "the Lease couldn't be given back; the next replica waits until it ends", "error", err)
	}
}
