package election_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/election"
)

const duration = 15 * time.Second

// lease is the API server's. broken says for whom it fails.
type lease struct {
	mu      sync.Mutex
	version int
	is      *coordinationv1.Lease
}

// line is one replica's way to it.
type line struct {
	*lease
	broken error
	hangs  bool
}

var resource = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

func (l *line) begin(ctx context.Context) error {
	l.mu.Lock()
	hangs, broken := l.hangs, l.broken
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return broken
}

func (l *line) set(broken error, hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken, l.hangs = broken, hangs
}

func (l *line) Get(ctx context.Context) (*coordinationv1.Lease, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.is == nil {
		return nil, apierrors.NewNotFound(resource, "pull-secrets")
	}
	return l.is.DeepCopy(), nil
}

func (l *line) store(made *coordinationv1.Lease) *coordinationv1.Lease {
	l.version++
	l.is = made.DeepCopy()
	l.is.ResourceVersion = strconv.Itoa(l.version)
	return l.is.DeepCopy()
}

func (l *line) Create(ctx context.Context, made *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.is != nil {
		return nil, apierrors.NewAlreadyExists(resource, "pull-secrets")
	}
	return l.store(made), nil
}

func (l *line) Update(ctx context.Context, made *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.is.ResourceVersion != made.ResourceVersion {
		return nil, apierrors.NewConflict(resource, "pull-secrets", errors.New("it changed"))
	}
	return l.store(made), nil
}

// field is several replicas, and who of them works.
type field struct {
	t       *testing.T
	lease   *lease
	mu      sync.Mutex
	working []string
	worst   int // how many at once
}

type replica struct {
	*line
	election *election.Election
	field    *field
	stop     func()
	term     *election.Term
}

func (r *replica) check() error {
	r.field.mu.Lock()
	defer r.field.mu.Unlock()
	return r.term.Check()
}

func (f *field) start(name string) *replica {
	ctx, cancel := context.WithCancel(f.t.Context())
	r := &replica{line: &line{lease: f.lease}, field: f}
	r.election = &election.Election{Lock: r.line, Identity: name, Duration: duration, Log: slog.New(slog.DiscardHandler)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.election.Run(ctx, func(ctx context.Context, term *election.Term) {
			f.mu.Lock()
			r.term = term
			f.working = append(f.working, name)
			f.worst = max(f.worst, len(f.working))
			f.mu.Unlock()
			<-ctx.Done()
			f.mu.Lock()
			defer f.mu.Unlock()
			for i, one := range f.working {
				if one == name {
					f.working = append(f.working[:i:i], f.working[i+1:]...)
					break
				}
			}
		})
	}()
	r.stop = func() { cancel(); <-ended }
	return r
}

func (f *field) works() string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.working)
}

func in(t *testing.T, test func(f *field)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &field{t: t, lease: &lease{}}
		test(f)
		require.LessOrEqual(t, f.worst, 1, "two work at once")
	})
}

func TestOneWorks(t *testing.T) {
	t.Parallel()
	in(t, func(f *field) {
		a := f.start("a")
		time.Sleep(time.Second)
		b := f.start("b")
		time.Sleep(time.Hour)
		require.Equal(t, "[a]", f.works())
		require.True(t, a.election.Leading())
		require.False(t, b.election.Leading())
		require.WithinDuration(t, time.Now(), b.election.Answered(), 6*time.Second)
		require.NoError(t, a.check())

		// Who ends gives the Lease back.
		a.stop()
		require.ErrorIs(t, a.check(), election.ErrOver)
		time.Sleep(6 * time.Second)
		require.Equal(t, "[b]", f.works())
		require.EqualValues(t, 1, *f.lease.is.Spec.LeaseTransitions)
		b.stop()
		require.Equal(t, "[]", f.works())
	})
}

// A leader whose API server fails or hangs stops before anybody else begins.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*line){
		"fails": func(l *line) { l.set(errors.New("connection refused"), false) },
		"hangs": func(l *line) { l.set(nil, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(f *field) {
				a := f.start("a")
				time.Sleep(time.Second)
				b := f.start("b")
				time.Sleep(time.Minute)
				cut(a.line)
				time.Sleep(duration * 2 / 3)
				require.Equal(t, "[]", f.works(), "it stopped")
				require.ErrorIs(t, a.check(), election.ErrOver)
				time.Sleep(duration)
				require.Equal(t, "[b]", f.works())
				a.set(nil, false)
				time.Sleep(time.Minute)
				require.Equal(t, "[b]", f.works())
				a.stop()
				b.stop()
			})
		})
	}
}

// One that can't reach the API server for a moment goes on.
func TestShortOutage(t *testing.T) {
	t.Parallel()
	in(t, func(f *field) {
		a := f.start("a")
		time.Sleep(time.Minute)
		a.set(errors.New("connection refused"), false)
		time.Sleep(duration / 3)
		a.set(nil, false)
		time.Sleep(duration)
		require.Equal(t, "[a]", f.works())
		a.stop()
	})
}

// Somebody else writes the Lease: an annotation is nothing, another holder is the end.
func TestOthersWrite(t *testing.T) {
	t.Parallel()
	in(t, func(f *field) {
		a := f.start("a")
		time.Sleep(time.Minute)
		other := &line{lease: f.lease}
		write := func(change func(*coordinationv1.Lease)) {
			for {
				l, err := other.Get(t.Context())
				require.NoError(t, err)
				change(l)
				if _, err = other.Update(t.Context(), l); !apierrors.IsConflict(err) { // the holder may have renewed it meanwhile
					require.NoError(t, err)
					return
				}
			}
		}
		for range 10 {
			write(func(l *coordinationv1.Lease) { l.Annotations = map[string]string{"x": time.Now().String()} })
			time.Sleep(time.Second)
		}
		require.Equal(t, "[a]", f.works())
		thief := "thief"
		write(func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = &thief })
		time.Sleep(duration / 5)
		require.Equal(t, "[]", f.works())
		time.Sleep(duration * 2)
		require.Equal(t, "[a]", f.works(), "a thief that doesn't renew is gone")
		a.stop()
	})
}

// A process that was stopped goes on without a Lease, before any timer tells it so.
func TestTermEndsByTheClock(t *testing.T) {
	t.Parallel()
	in(t, func(f *field) {
		a := f.start("a")
		time.Sleep(time.Minute)
		require.Equal(t, "[a]", f.works())
		a.set(nil, true)
		time.Sleep(duration*2/3 - duration/5 + time.Millisecond)
		require.NoError(t, a.check())
		time.Sleep(duration / 5)
		require.ErrorIs(t, a.check(), election.ErrOver)
		a.set(nil, false)
		a.stop()
	})
}

// A hundred times, whatever fails: never two.
func TestNeverTwo(t *testing.T) {
	t.Parallel()
	in(t, func(f *field) {
		all := []*replica{f.start("a"), f.start("b"), f.start("c")}
		for i := range 100 {
			one := all[i%3]
			switch i % 4 {
			case 0:
				one.set(errors.New("broken"), false)
			case 1:
				one.set(nil, true)
			case 2:
				one.stop()
				all[i%3] = f.start(fmt.Sprint("new", i))
			default:
				for _, each := range all {
					each.set(nil, false)
				}
			}
			time.Sleep(time.Duration(i%23) * time.Second)
			synctest.Wait()
		}
		for _, one := range all {
			one.set(nil, false)
		}
		time.Sleep(time.Minute)
		require.NotEqual(t, "[]", f.works())
		for _, one := range all {
			one.stop()
		}
	})
}
