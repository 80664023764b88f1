package ecr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// asked is a request for project hello of that id.
func asked(id string, access provider.Access) provider.Request {
	return provider.Request{Project: "hello", ProjectID: id, Access: access}
}

// readWith asks for the tag that pushWith writes.
func (l tenancy) readWith(t *testing.T, c provider.Credentials) error {
	t.Helper()
	auth, err := c.Authenticator()
	require.NoError(t, err)
	repository, err := l.Repository("hello", provider.Client)
	require.NoError(t, err)
	_, err = remote.Get(repository.Tag("v1"), remote.WithAuth(auth), remote.WithTransport(l.Transport()))
	return err
}

// A former owner's credentials die with the hand-over of the name, those handed out hours ago included, whatever the time between
// release and removal, and whether or not tokens outlive their sessions and tags count late.
func TestHandOver(t *testing.T) {
	t.Parallel()
	for _, mode := range []ecrtest.Config{{}, {TokenDiesWithSession: true}, {TokenRights: ecrtest.FixedAtIssue}} {
		for _, delay := range []time.Duration{0, 5 * time.Second} {
			for _, after := range []time.Duration{0, time.Hour} {
				for _, age := range []time.Duration{0, 45 * time.Minute, 10 * time.Hour} {
					t.Run(fmt.Sprint("tokens die ", mode.TokenDiesWithSession, ", rights fixed ", mode.TokenRights == ecrtest.FixedAtIssue, ", tags late ", delay, ", removed after ", after, ", age ", age), func(t *testing.T) {
						t.Parallel()
						c := mode
						c.TagDelay = delay
						inTenancy(t, c, func(c *ecr.Config) {
							c.ProjectIDs, c.RemoveAfter = true, &after
						}, func(t *testing.T, l tenancy) {
							handOver(t, l, after, age, !mode.TokenDiesWithSession || age < time.Hour)
						})
					})
				}
			}
		}
	}
}

func handOver(t *testing.T, l tenancy, after, age time.Duration, alive bool) {
	t.Helper()
	former, next := provider.Project{Name: "hello", ID: "p-1"}, provider.Project{Name: "hello", ID: "p-2"}
	l.ensure(t, former)
	time.Sleep(time.Minute) // tags count by now
	var theirs []provider.Credentials
	for _, access := range []provider.Access{provider.Push, provider.Pull} {
		c, err := provider.Issue(t.Context(), l.Provider, asked("p-1", access))
		require.NoError(t, err)
		theirs = append(theirs, c)
	}
	require.NoError(t, l.pushWith(theirs[0]))
	require.NoError(t, l.readWith(t, theirs[1]))
	time.Sleep(age)
	if alive {
		require.NoError(t, l.pushWith(theirs[0]), "there is something to die")
	}
	_, err := l.ReleaseRepository(t.Context(), former)
	require.NoError(t, err)
	if after > 0 {
		time.Sleep(after)
		_, err = l.PurgeRepository(t.Context(), "hello", after)
		require.NoError(t, err)
	}
	require.Equal(t, "none", l.state("rise/hello"))
	l.ensure(t, next)
	refused := func() {
		t.Helper()
		require.Error(t, l.pushWith(theirs[0]), "the former owner's")
		for _, c := range theirs {
			require.Error(t, l.readWith(t, c), "the former owner's")
		}
	}
	refused()
	time.Sleep(time.Minute)
	refused()
	again, err := provider.Issue(t.Context(), l.Provider, asked("p-1", provider.Push)) // somebody still takes the name for p-1's
	require.NoError(t, err)
	require.Error(t, l.pushWith(again))
	require.ErrorContains(t, l.readWith(t, again), "explicit deny in a session policy")
	ours, err := provider.Issue(t.Context(), l.Provider, asked("p-2", provider.Push))
	require.NoError(t, err)
	require.NoError(t, l.pushWith(ours))
	require.NoError(t, l.readWith(t, ours))
	refused()
	r, ok := l.Server.Repository("rise/hello")
	require.True(t, ok)
	require.Len(t, r.ImageDigests, 1, "the next owner's own")
}

// A repository that bears no id is open to its project's credentials, with an id and without. From when on it bears one, only those
// without an id are left, which nothing tells apart.
func TestHandOverWithoutIDs(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, provider.Project{Name: "hello"})
		var of []provider.Credentials
		for _, id := range []string{"", "p-1", "p-2", strings.Repeat("p", 128)} {
			c, err := provider.Issue(t.Context(), l.Provider, asked(id, provider.Push))
			require.NoError(t, err)
			require.NoError(t, l.pushWith(c))
			of = append(of, c)
		}
		l.ensure(t, provider.Project{Name: "hello", ID: "p-2"})
		require.NoError(t, l.pushWith(of[0]), "as the guide says")
		require.Error(t, l.pushWith(of[1]))
		require.ErrorContains(t, l.readWith(t, of[1]), "explicit deny in a session policy")
		require.NoError(t, l.pushWith(of[2]))
		require.Error(t, l.pushWith(of[3]))
		require.ErrorContains(t, l.readWith(t, of[3]), "explicit deny in a session policy")
		l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:project-id"] = "P-2" })
		require.Error(t, l.pushWith(of[2]))
		require.ErrorContains(t, l.readWith(t, of[2]), "explicit deny in a session policy", "ids differ by case")
	})
}

// With project_ids, no repository call that says whose the repository is goes without an id.
func TestRepositoriesDemandIDs(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, func(c *ecr.Config) { c.ProjectIDs = true }, func(t *testing.T, l tenancy) {
		nobody := provider.Project{Name: "hello"}
		for name, call := range map[string]func() error{
			"ensure": func() error {
				_, err := l.EnsureRepository(t.Context(), nobody, repository.EnsureOptions{})
				return err
			},
			"plan": func() error {
				_, err := l.EnsureRepository(t.Context(), nobody, repository.EnsureOptions{DryRun: true})
				return err
			},
			"adopt":   func() error { _, err := l.AdoptRepository(t.Context(), nobody, true); return err },
			"release": func() error { _, err := l.ReleaseRepository(t.Context(), nobody); return err },
			"restore": func() error { _, err := l.RestoreRepository(t.Context(), nobody); return err },
		} {
			err := call()
			require.ErrorIs(t, err, provider.ErrInvalidRequest, name)
			require.ErrorIs(t, err, provider.ErrNoProjectID, name)
		}
		require.Empty(t, l.Calls())
		l.ensure(t, hello) // and what goes by the name alone works
		_, err := l.SuspendRepository(t.Context(), "hello", true)
		require.NoError(t, err)
		owner, err := l.RepositoryOwner(t.Context(), "hello")
		require.NoError(t, err)
		require.Equal(t, "p-1", owner.ProjectID)
		_, err = l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
		require.NoError(t, err)
	})
}
