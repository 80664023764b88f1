package providertest

import (
	"context"
	"errors"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func endedContext(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return ctx
}

type answer struct {
	credentials provider.Credentials
	err         error
}

// start asks in the background.
func (s *subject) start(ctx context.Context, r provider.Request) chan answer {
	answers := make(chan answer, 1)
	go func() {
		c, err := s.ask(ctx, r)
		answers <- answer{c, err}
	}()
	return answers
}

// wantEnded waits for the answer to a call whose context has ended, and checks that it says so.
func (s *subject) wantEnded(ctx context.Context, answers <-chan answer) {
	s.Helper()
	select {
	case a := <-answers:
		s.wantKind("Credentials, after its context ended", a.credentials, a.err, provider.ErrTimeout)
		if a.err != nil && !errors.Is(a.err, ctx.Err()) {
			s.Errorf("the error isn't %v for errors.Is: %v", ctx.Err(), a.err)
		}
	case <-time.After(s.Patience):
		s.Fatalf("Credentials goes on %v after its context ended", s.Patience)
	}
}

func testEndedContext(s *subject) {
	expired, cancel := context.WithDeadline(s.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{endedContext(s.Context()), expired} {
		s := s.another() // without anything that it may have kept
		r := provider.Request{Project: "hello", Access: provider.Push}
		s.wantEnded(ctx, s.start(ctx, r))
		if _, err := s.ask(s.Context(), r); err != nil {
			s.Errorf("one caller's context ended, and the next caller gets: %v", err)
		}
	}
}

func testCanceledWhileHanging(s *subject) {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	answers := s.hang(ctx)
	other, leave := context.WithCancel(s.Context())
	defer leave()
	waiting := s.start(other, provider.Request{Project: "hello", Access: provider.Push})
	time.Sleep(joining)
	cancel()
	s.wantEnded(ctx, answers)
	select {
	case a := <-waiting:
		s.Errorf("one caller's context ended, and another caller who asks for the same gets: %v", a.err)
		return
	case <-time.After(joining):
	}
	leave()
	s.wantEnded(other, waiting)
}

// joining is time for a caller to join another one's call, and to be told of its end. If that takes longer, the test shows
// less, and doesn't fail.
const joining = 50 * time.Millisecond

func testDeadlineWhileHanging(s *subject) {
	// Time for a call to arrive upstream. If it doesn't, the test shows less, and doesn't fail.
	ctx, cancel := context.WithTimeout(s.Context(), 100*time.Millisecond)
	defer cancel()
	answers := s.hang(ctx)
	<-ctx.Done()
	s.wantEnded(ctx, answers)
}

// hang asks an upstream that hangs, and returns when the call has arrived there or ctx has ended.
func (s *subject) hang(ctx context.Context) chan answer {
	s.Helper()
	s.need(Hanging)
	s.Faults[Hanging]()
	before := s.Calls()
	answers := s.start(ctx, provider.Request{Project: "hello", Access: provider.Push})
	stuck, tick := time.After(s.Patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.Calls() == before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return answers
		case a := <-answers:
			if ctx.Err() == nil {
				s.Fatalf("the upstream hangs, and Credentials returned without calling it: %v", a.err)
			}
			answers <- a // for whoever waits for it
			return answers
		case <-stuck:
			s.Fatalf("the upstream hangs, but no call has arrived there: does Calls count calls as they arrive?")
		}
	}
	return answers
}
