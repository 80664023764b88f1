package ecr_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A call that sets the project's id is made once. What becomes of it when it fails, the tags say: nobody's id is overwritten by a
// second attempt, and what was set meanwhile is no failure.
func TestSettingTheID(t *testing.T) {
	t.Parallel()
	const set, read = "ecr:TagResource", "ecr:ListTagsForResource"
	tagged := func(key, value string) func(*ecrtest.Repository) {
		return func(r *ecrtest.Repository) { r.Tags[key] = value }
	}
	const denied, lost, never, slow = "denied", "lost", "never arrived", "throttled"
	faults := map[string]ecrtest.Fault{
		denied: {Error: "AccessDeniedException"}, lost: {Lost: true}, never: {Reset: true}, slow: {Error: "ThrottlingException"},
	}
	for name, tt := range map[string]struct {
		fault     string
		meanwhile func(*ecrtest.Repository) // while the first attempt is under way
		old       bool                      // nothing changed a moment ago
		young     bool                      // it matters that something did
		want      error
		sets      int // attempts
	}{
		"another's, denied":            {fault: denied, meanwhile: tagged("rise:project-id", "p-2"), want: provider.ErrNotOurs, sets: 1},
		"another's, never arrived":     {fault: never, meanwhile: tagged("rise:project-id", "p-2"), want: provider.ErrNotOurs, sets: 1},
		"another's, throttled":         {fault: slow, meanwhile: tagged("rise:project-id", "p-2"), want: provider.ErrNotOurs, sets: 1},
		"ours, lost":                   {fault: lost, sets: 1},
		"ours, denied":                 {fault: denied, meanwhile: tagged("rise:project-id", "p-1"), old: true, sets: 1},
		"nobody's, never arrived":      {fault: never, sets: 2},
		"nobody's, throttled":          {fault: slow, sets: 2},
		"nobody's, denied a while":     {fault: denied, young: true, sets: 2},
		"nobody's, denied":             {fault: denied, old: true, want: provider.ErrAccessDenied, sets: 1},
		"removed, denied":              {fault: denied, meanwhile: func(*ecrtest.Repository) {}, want: provider.ErrNotFound, sets: 1},
		"another's, while it is slow":  {fault: slow, want: provider.ErrNotOurs, sets: 1},
		"another's, while rights wait": {fault: denied, young: true, want: provider.ErrNotOurs, sets: 1},
	} {
		for _, operation := range []string{"ensure", "release", "restore", "adopt"} {
			t.Run(name+", "+operation, func(t *testing.T) {
				t.Parallel()
				inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
					if tt.want == provider.ErrNotFound && operation != "adopt" {
						t.Skip("release and ensure take it for what it is: see TestKilled")
					}
					if tt.young && operation != "ensure" {
						t.Skip("only who described it knows that rights may be late")
					}
					l.ensure(t, provider.Project{Name: "hello"})
					if tt.old {
						time.Sleep(time.Hour)
					}
					fault := faults[tt.fault]
					fault.Action, fault.Times, fault.Latency = set, 1, time.Second
					if tt.want == provider.ErrAccessDenied {
						fault.Times = 0
					}
					l.Inject(fault)
					l.ResetCalls()
					var wait sync.WaitGroup
					defer wait.Wait()
					wait.Go(func() {
						switch {
						case tt.want == provider.ErrNotFound:
							time.Sleep(time.Second / 2)
							l.Server.DeleteRepository("rise/hello")
						case tt.meanwhile != nil:
							time.Sleep(time.Second / 2)
							l.UpdateRepository("rise/hello", tt.meanwhile)
						case tt.want == provider.ErrNotOurs: // after the tags were read, while it waits for the next attempt
							time.Sleep(time.Second + time.Second/4)
							l.UpdateRepository("rise/hello", tagged("rise:project-id", "p-2"))
						}
					})
					_, err := l.operations()[operation](t.Context())
					wait.Wait()
					if tt.want == nil {
						require.NoError(t, err)
					} else {
						require.ErrorIs(t, err, tt.want)
					}
					names, sets := l.names(), 0
					for i, n := range names {
						if n != set {
							continue
						}
						if sets++; sets <= tt.sets {
							require.Equal(t, read, names[i-1], "whose it is, is read before each attempt")
						}
					}
					if operation == "release" && name == "ours, denied" {
						require.Equal(t, 2, sets, "the marks, which didn't come with the id")
					} else {
						require.Equal(t, tt.sets, sets, names)
					}
					r, ok := l.Server.Repository("rise/hello")
					switch tt.want {
					case nil:
						require.Equal(t, "p-1", r.Tags["rise:project-id"])
						require.Equal(t, operation == "release", r.Tags["rise:orphaned"] == "true")
					case provider.ErrNotOurs:
						require.Equal(t, "p-2", r.Tags["rise:project-id"])
						require.NotContains(t, r.Tags, "rise:orphaned")
					default:
						require.Equal(t, tt.want != provider.ErrNotFound, ok)
						require.NotContains(t, r.Tags, "rise:project-id")
					}
				})
			})
		}
	}
}
