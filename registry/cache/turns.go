package cache

import (
	"cmp"
	"container/list"
	"context"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// A call is an issue in progress, or one that waits for its turn.
type call struct {
	request provider.Request
	// ctx has the values of the first caller's, but not its end.
	ctx context.Context //nolint:containedctx // there may be no goroutine yet that could have it

	done        chan struct{} // closed when the result is there
	credentials provider.Credentials
	err         error

	// The rest is guarded by core.mu.

	waiters   int
	shares    map[string]*share // of each caller that waits
	running   bool
	queue     *turns // nil: not queued
	forgotten bool   // the result isn't to be kept
	throttled error  // of the last attempt, if there is to be another
	slowed    error  // why the attempt that is running is being waited out by the provider
}

func newCall(ctx context.Context, r provider.Request) *call {
	return &call{request: r, ctx: context.WithoutCancel(ctx), done: make(chan struct{}), shares: map[string]*share{}}
}

func (k *call) settle(credentials provider.Credentials, err error) {
	k.credentials, k.err = credentials, err
	close(k.done)
}

// turns is a queue that is fair by caller: callers take turns, and each has a line of its own calls, first come, first served. A
// call that several callers wait for stands in the line of each. A caller whose line is empty isn't remembered.
type turns struct {
	lines map[string]*line
	ring  list.List // of lines: the first is whose turn it is
	calls int       // how many wait, each counted once
}

type line struct {
	caller string
	calls  list.List
	inRing *list.Element
	round  uint64 // in which it had its last turn; see takeTurn
}

// A share is what one caller has to do with a call.
type share struct {
	waiters int // of this caller
	line    *line
	place   *list.Element // in line; nil: the call isn't queued
}

// callerOf tells who asks for r: who doesn't say so is one caller together with all who don't.
func callerOf(ctx context.Context, r provider.Request) string {
	return cmp.Or(decorator.SubjectOf(ctx), r.Caller)
}

// share returns what caller has to do with k.
func (k *call) share(caller string) *share {
	s := k.shares[caller]
	if s == nil {
		s = &share{}
		k.shares[caller] = s
	}
	return s
}

// add puts k into the line of one of its callers: at the end, or in front of it, and of all others if the caller has none yet.
func (t *turns) add(k *call, caller string, first bool) {
	l := t.lines[caller]
	if l == nil {
		l = &line{caller: caller}
		if t.lines == nil {
			t.lines = map[string]*line{}
		}
		t.lines[caller] = l
		if l.inRing = t.ring.PushBack(l); first {
			t.ring.MoveToFront(l.inRing)
		}
	}
	s := k.share(caller)
	if s.line, s.place = l, l.calls.PushBack(k); first {
		l.calls.MoveToFront(s.place)
	}
	if k.queue == nil {
		k.queue = t
		t.calls++
	}
}

// leave takes one caller's call out of its line.
func (t *turns) leave(s *share) {
	if s.place == nil {
		return
	}
	s.line.calls.Remove(s.place)
	if s.line.calls.Len() == 0 {
		t.ring.Remove(s.line.inRing)
		delete(t.lines, s.line.caller)
	}
	s.line, s.place = nil, nil
}

// remove takes k out of every line.
func (t *turns) remove(k *call) {
	for _, s := range k.shares {
		t.leave(s)
	}
	k.queue = nil
	t.calls--
}

// next returns the line whose turn it is, or nil.
func (t *turns) next() *line {
	if first := t.ring.Front(); first != nil {
		return first.Value.(*line)
	}
	return nil
}

// take removes the next call. It was the turn of all who wait for it.
func (t *turns) take(round uint64) *call {
	k := t.next().calls.Front().Value.(*call)
	for _, s := range k.shares {
		if s.place != nil {
			s.line.round = round
			t.skip(s.line)
		}
	}
	t.remove(k)
	return k
}

// skip passes a line over.
func (t *turns) skip(l *line) { t.ring.MoveToBack(l.inRing) }
