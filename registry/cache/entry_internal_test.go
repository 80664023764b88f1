package cache

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// Later is start, wall later by the wall clock and mono later by the monotonic one, which no clock of a test's can be made to be.
func Later(t *testing.T, start time.Time, wall, mono time.Duration) time.Time {
	t.Helper()
	now := start.Add(mono)
	// A Time's first word: a bit that says that both are there, 33 of seconds, 30 of nanoseconds.
	*(*uint64)(unsafe.Pointer(&now)) += uint64((wall-mono)/time.Second) << 30
	require.Equal(t, mono, now.Sub(start))
	require.Equal(t, wall, now.Round(0).Sub(start.Round(0)))
	return now
}

// expiring issues what expires at a time.
type expiring struct{ at time.Time }

func (expiring) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository("registry.example.com/" + project)
}

func (e expiring) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	target, err := e.Repository(r.Project, r.Consumer)
	return provider.Credentials{
		Target: target, Access: r.Access, Method: provider.LoginCredentials, Username: "u", Password: provider.NewSecret("p"), ExpiresAt: e.at,
	}, err
}

// The wall clock is set while a credential of an hour is issued, before or after the provider looked at it. Internal, as an issue
// takes its times itself.
func TestClockSetDuringIssue(t *testing.T) {
	t.Parallel()
	const wrong = 2 * time.Hour
	for name, test := range map[string]struct {
		expires, now time.Duration // since the issue began, by the wall clock
		left         time.Duration
		mono         bool // the provider left the monotonic reading in
	}{
		"not set":                      {time.Hour, time.Second, time.Hour - time.Second, false},
		"issued, then set back":        {time.Hour, -wrong, time.Hour - time.Second, false},
		"set back, then issued":        {time.Hour - wrong, -wrong, 0, false}, // nobody knows that it's good
		"set ahead, then issued":       {time.Hour + wrong, wrong, time.Hour, false},
		"issued, then set ahead a bit": {time.Hour, time.Minute, time.Hour - time.Minute, false},
		"monotonic":                    {time.Hour, time.Second, time.Hour - time.Second, true},
		"monotonic, then set back":     {time.Hour, -wrong, time.Hour - time.Second, true},
		"monotonic, then suspended":    {time.Hour, 50 * time.Minute, 10 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().Add(24 * time.Hour) // so that nothing has expired for those who look at the clock
			began := Later(t, now, -test.now, -time.Second)
			p := expiring{began.Add(test.expires)}
			if !test.mono {
				p.at = p.at.Round(0)
			}
			issued, err := decorator.IssueForReuse(t.Context(), New(p, Options{}), p, provider.Request{Project: "hello", Access: provider.Pull})
			require.NoError(t, err)
			require.Equal(t, test.left, max(newEntry(issued, 0, began, now).left(now), 0))
		})
	}
}
