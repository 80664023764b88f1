package endpoint_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := endpoint.NewRateLimit(2, 3)
		for range 3 {
			require.Zero(t, limit.Wait("a"))
		}
		for range 5 {
			require.Equal(t, 500*time.Millisecond, limit.Wait("a"), "what is refused doesn't count")
		}
		require.Zero(t, limit.Wait("b"), "each has its own")
		time.Sleep(500 * time.Millisecond)
		require.Zero(t, limit.Wait("a"))
		require.Positive(t, limit.Wait("a"))
		time.Sleep(1400 * time.Millisecond) // the table turns between
		require.Zero(t, limit.Wait("a"))
		require.Zero(t, limit.Wait("a"))
		require.Equal(t, 100*time.Millisecond, limit.Wait("a"), "turning forgets nobody too early")
		time.Sleep(time.Hour)
		for range 3 {
			require.Zero(t, limit.Wait("a"))
		}
		require.Positive(t, limit.Wait("a"), "no more than the burst is ever saved up")

		var wait sync.WaitGroup
		admitted := make([]int, 50)
		for i := range admitted {
			wait.Go(func() {
				if limit.Wait("crowd") == 0 {
					admitted[i]++
				}
			})
		}
		wait.Wait()
		sum := 0
		for _, n := range admitted {
			sum += n
		}
		require.Equal(t, 3, sum)
	})
	for _, perSecond := range []float64{0, -1, math.Inf(-1), math.Inf(1), math.NaN()} {
		require.Panics(t, func() { endpoint.NewRateLimit(perSecond, 1) }, "%v", perSecond)
	}
	require.Panics(t, func() { endpoint.NewRateLimit(1, 0) })
	require.Panics(t, func() { endpoint.NewRateLimit(1, math.MinInt) })
}

// A limit limits, however absurd its numbers are: at any one moment each sender has its burst, and no more.
func TestAbsurdRateLimits(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []float64{
		1e-10, 1e-300, math.SmallestNonzeroFloat64, 1 / math.MaxFloat64, 0.5, 1, 1e9, 1e10, 1e19, 1e300, math.MaxFloat64,
	} {
		for _, burst := range []int{1, 2, 100, math.MaxInt32, math.MaxInt} {
			t.Run(fmt.Sprint(perSecond, " ", burst), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					limit := endpoint.NewRateLimit(perSecond, burst)
					admitted := map[string]int{}
					for i := range 1000 {
						sender := []string{"a", "b"}[i%2]
						if wait := limit.Wait(sender); wait == 0 {
							admitted[sender]++
						} else {
							require.Positive(t, wait)
						}
					}
					require.Equal(t, map[string]int{"a": min(500, burst), "b": min(500, burst)}, admitted)
					if perSecond < 1e-9 && burst < 500 {
						time.Sleep(24 * 365 * time.Hour)
						require.Positive(t, limit.Wait("a"), "a year doesn't make one in centuries")
					}
				})
			})
		}
	}
}

// Of long names, as of a token's subject, no more is kept than of others, and they stay apart.
func TestRateLimitOfLongNames(t *testing.T) {
	limit := endpoint.NewRateLimit(0.001, 1)
	long := strings.Repeat("x", 1<<20)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 100 {
		require.Zero(t, limit.Wait(long+strconv.Itoa(i)))
		require.Positive(t, limit.Wait(long+strconv.Itoa(i)))
	}
	require.Less(t, heap(), before+10<<20)
	runtime.KeepAlive(limit)
}

// However many ask, memory is bounded.
func TestRateLimitMemory(t *testing.T) {
	limit := endpoint.NewRateLimit(0.001, 1)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 1_000_000 {
		limit.Wait(strconv.Itoa(i))
	}
	require.Less(t, heap(), before+40<<20)
	runtime.KeepAlive(limit)
}

func TestSourceAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tt := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"direct":                {"203.0.113.9:1", nil, "203.0.113.9"},
		"direct, forged":        {"203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9"},
		"one proxy":             {"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"forged before a proxy": {"10.0.0.1:1", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":           {"10.0.0.1:1", []string{"192.0.2.1, 198.51.100.1, 10.2.3.4"}, "198.51.100.1"},
		"two headers":           {"10.0.0.1:1", []string{"192.0.2.1", "198.51.100.1"}, "198.51.100.1"},
		"only proxies":          {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no header":             {"10.0.0.1:1", nil, "10.0.0.1"},
		"nonsense":              {"10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"nonsense before":       {"10.0.0.1:1", []string{"unknown, 198.51.100.1"}, "198.51.100.1"},
		"with port":             {"10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		"IPv6 with port":        {"[fd00::1]:1", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		"IPv6 in brackets":      {"[fd00::1]:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv4 in IPv6":          {"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a zone can't escape":   {"[fd00::1%eth0]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"set by middleware":     {"203.0.113.9", []string{"198.51.100.1"}, "203.0.113.9"},
		"proxy without port":    {"10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		"unknown peer":          {"@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			require.Equal(t, tt.want, endpoint.SourceAddress(r, proxies...).String())
		})
	}
}

func FuzzSourceAddress(f *testing.F) {
	f.Add("10.0.0.1:1", "198.51.100.1, 10.0.0.2")
	f.Add("203.0.113.9:1", "127.0.0.1")
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", forwarded)
		got := endpoint.SourceAddress(r, trusted)
		if from, err := netip.ParseAddrPort(peer); err == nil && !trusted.Contains(from.Addr().Unmap().WithZone("")) {
			require.Equal(t, from.Addr().Unmap().WithZone(""), got, "nobody else is believed")
		}
		require.Equal(t, endpoint.SourceAddress(r), endpoint.SourceAddress(r, []netip.Prefix{}...))
	})
}

func TestByAddress(t *testing.T) {
	t.Parallel()
	limit := endpoint.NewRateLimit(0.001, 1).ByAddress(netip.MustParsePrefix("10.0.0.0/8"))
	from := func(peer, forwarded string) time.Duration {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", forwarded)
		return limit(r)
	}
	require.Zero(t, from("203.0.113.9:1", ""))
	require.Positive(t, from("203.0.113.9:2", "198.51.100.1"), "another port, and a forged header, is no other sender")
	require.Zero(t, from("203.0.113.8:1", ""))
	require.Zero(t, from("10.0.0.1:1", "198.51.100.7"))
	require.Positive(t, from("10.0.0.2:1", "198.51.100.7"), "through another proxy")
	require.Zero(t, from("[2001:db8:1:1::1]:1", ""))
	require.Positive(t, from("[2001:db8:1:1:ffff::2]:1", ""), "the same /64")
	require.Zero(t, from("[2001:db8:1:2::1]:1", ""))
	require.Zero(t, from("203.0.113.1", ""), "without a port, as chi's RealIP leaves it")
	require.Zero(t, from("203.0.113.2", ""), "another sender")
}

// Whoever asks too often, from many connections at once, waits no longer for that.
func TestRateLimitForgivesFloods(t *testing.T) {
	t.Parallel()
	limit := endpoint.NewRateLimit(10, 10)
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for range 2000 {
				limit.Wait("alice")
			}
		})
	}
	wait.Wait()
	require.LessOrEqual(t, limit.Wait("alice"), time.Second/10)
}
