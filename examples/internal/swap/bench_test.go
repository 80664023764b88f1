package swap_test

import (
	"testing"

	"github.com/rise-deploy/rise-registry-go/examples/internal/swap"
)

// What each request pays for being able to end with what it began with.
func BenchmarkHold(b *testing.B) {
	s := swap.New(1, func() error { return nil })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Hold().Release()
		}
	})
}
