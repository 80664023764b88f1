package swap_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/swap"
)

// thing notices whether it is used after its end.
type thing struct {
	number int
	ended  atomic.Bool
}

func (t *thing) end() error {
	if t.ended.Swap(true) {
		return errors.New("ended twice")
	}
	return nil
}

func Example() {
	current := swap.New("old", func() error { fmt.Println("the old one ended"); return nil })
	request := current.Hold()
	current.Replace("new", func() error { return nil })
	fmt.Println("a request that began before has the", request.Value, "one, and others the", current.Load(), "one")
	request.Release()
	_ = current.Close() // waits for the old one's end, too
	// Output:
	// a request that began before has the old one, and others the new one
	// the old one ended
}

func TestEndsOnceNobodyUsesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := &thing{number: 1}, &thing{number: 2}
		s := swap.New(first, first.end)
		a, b := s.Hold(), s.Hold()
		s.Replace(second, second.end)
		require.Equal(t, 2, s.Load().number)
		a.Release()
		synctest.Wait()
		require.False(t, first.ended.Load(), "somebody still uses it")
		b.Release()
		synctest.Wait()
		require.True(t, first.ended.Load())
		require.False(t, second.ended.Load())
		require.NoError(t, s.Close())
		require.True(t, second.ended.Load())
		require.NoError(t, s.Close())
		s.Hold().Release() // who comes too late gets what has ended, and hangs nowhere
	})
}

// At the end of a process, what is still used ends too.
func TestCloseWaitsForNobody(t *testing.T) {
	t.Parallel()
	first, second := &thing{}, &thing{}
	s := swap.New(first, first.end)
	held := s.Hold()
	s.Replace(second, func() error { return errors.New("no end") })
	require.EqualError(t, s.Close(), "no end")
	require.True(t, first.ended.Load())
	held.Release()
}

func TestNobodyHoldsWhatHasEnded(t *testing.T) {
	t.Parallel()
	first := &thing{}
	s := swap.New(first, first.end)
	var users sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		users.Go(func() {
			last := 0
			for !done.Load() {
				held := s.Hold()
				if held.Value.ended.Load() || held.Value.number < last {
					t.Error("it has ended, or is one from before")
				}
				last = held.Value.number
				held.Release()
			}
		})
	}
	all := []*thing{first}
	for i := range 2000 {
		next := &thing{number: i + 1}
		all = append(all, next)
		s.Replace(next, next.end)
	}
	done.Store(true)
	users.Wait()
	require.NoError(t, s.Close())
	for _, one := range all {
		require.True(t, one.ended.Load())
	}
}
