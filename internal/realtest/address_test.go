package realtest_test

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// A free address is nobody else's before the test listens there.
func TestFreeAddress(t *testing.T) {
	t.Parallel()
	first, last := 32768, 65535
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		limits := strings.Fields(string(text))
		require.Len(t, limits, 2)
		first, err = strconv.Atoi(limits[0])
		require.NoError(t, err)
		last, err = strconv.Atoi(limits[1])
		require.NoError(t, err)
		if first < 32768 {
			t.Skip("this system is set up to give any port to who asks for none")
		}
	}
	given := map[string]bool{}
	free := 0
	for range 100 {
		address := realtest.FreeAddress(t)
		require.False(t, given[address], "it was given before")
		given[address] = true
		at, err := netip.ParseAddrPort(address)
		require.NoError(t, err)
		require.True(t, at.Addr().IsLoopback())
		require.False(t, first <= int(at.Port()) && int(at.Port()) <= last, "the system gives %s to who asks for any port", address)
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil { // other packages' tests run beside this one
			continue
		}
		free++
		t.Cleanup(func() { _ = listener.Close() })
	}
	require.Greater(t, free, 80)
}

func TestClosedAddress(t *testing.T) {
	t.Parallel()
	address := realtest.ClosedAddress(t)
	_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.ErrorContains(t, err, "refused")
	_, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.Error(t, err, "nobody can listen there meanwhile")
}
