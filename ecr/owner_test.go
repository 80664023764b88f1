package ecr_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

func (l tenancy) operations() map[string]func(context.Context) (repository.Change, error) {
	return map[string]func(context.Context) (repository.Change, error){
		"ensure": func(ctx context.Context) (repository.Change, error) {
			return l.EnsureRepository(ctx, hello, repository.EnsureOptions{})
		},
		"ensure 2": func(ctx context.Context) (repository.Change, error) {
			return l.EnsureRepository(ctx, provider.Project{Name: "hello", ID: "p-2"}, repository.EnsureOptions{})
		},
		"ensure -": func(ctx context.Context) (repository.Change, error) {
			return l.EnsureRepository(ctx, provider.Project{Name: "hello"}, repository.EnsureOptions{})
		},
		"adopt": func(ctx context.Context) (repository.Change, error) {
			return l.AdoptRepository(ctx, hello, false)
		},
		"force": func(ctx context.Context) (repository.Change, error) {
			return l.AdoptRepository(ctx, hello, true)
		},
		"release": func(ctx context.Context) (repository.Change, error) { return l.ReleaseRepository(ctx, hello) },
		"release 2": func(ctx context.Context) (repository.Change, error) {
			return l.ReleaseRepository(ctx, provider.Project{Name: "hello", ID: "p-2"})
		},
		"restore": func(ctx context.Context) (repository.Change, error) { return l.RestoreRepository(ctx, hello) },
		"restore 2": func(ctx context.Context) (repository.Change, error) {
			return l.RestoreRepository(ctx, provider.Project{Name: "hello", ID: "p-2"})
		},
		"restore -": func(ctx context.Context) (repository.Change, error) {
			return l.RestoreRepository(ctx, provider.Project{Name: "hello"})
		},
		"suspend": func(ctx context.Context) (repository.Change, error) {
			return l.SuspendRepository(ctx, "hello", true)
		},
		"lift": func(ctx context.Context) (repository.Change, error) {
			return l.SuspendRepository(ctx, "hello", false)
		},
		"purge": func(ctx context.Context) (repository.Change, error) {
			return l.PurgeRepository(ctx, "hello", 48*time.Hour)
		},
	}
}

// What isn't proven to be this project's survives every operation that wasn't told to take it, untouched.
func TestOnlyOurs(t *testing.T) {
	t.Parallel()
	ours := map[string]string{"rise:managed": "true", "rise:project": "hello", "rise:installation": "prod", "rise:project-id": "p-1"}
	with := func(changes map[string]string) map[string]string {
		tags := maps.Clone(ours)
		for key, value := range changes {
			if tags[key] = value; value == "" {
				delete(tags, key)
			}
		}
		return tags
	}
	old, recent, future := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339), "2000-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
	orphan := func(at string) map[string]string {
		return with(map[string]string{"rise:orphaned": "true", "rise:orphaned-at": at})
	}
	const notOurs, orphaned = provider.ErrNotOurs, provider.ErrOrphaned
	const changes = provider.Kind("changes it") // what it was told to do
	foreign := map[string]provider.Kind{"ensure": notOurs, "ensure 2": notOurs, "ensure -": notOurs, "adopt": notOurs, "force": notOurs, "release": notOurs,
		"release 2": notOurs, "restore": notOurs, "restore 2": notOurs, "restore -": notOurs, "suspend": notOurs, "lift": notOurs}
	but := func(base, other map[string]provider.Kind) map[string]provider.Kind {
		all := maps.Clone(base)
		maps.Copy(all, other)
		return all
	}
	orphans := map[string]provider.Kind{"ensure": changes, "ensure 2": orphaned, "ensure -": orphaned, "adopt": orphaned, "force": orphaned, "release 2": notOurs,
		"restore": changes, "restore 2": orphaned, "restore -": changes, "suspend": changes}
	for name, tt := range map[string]struct {
		tags map[string]string
		want map[string]provider.Kind // others do nothing, successfully
	}{
		"unmanaged":                          {nil, but(foreign, map[string]provider.Kind{"adopt": changes, "force": changes})},
		"others' tags":                       {map[string]string{"team": "x"}, but(foreign, map[string]provider.Kind{"adopt": changes, "force": changes})},
		"managed false":                      {with(map[string]string{"rise:managed": "false"}), but(foreign, map[string]provider.Kind{"adopt": provider.ErrAccessDenied, "force": provider.ErrAccessDenied})},
		"of Rise's backend":                  {with(map[string]string{"rise:installation": ""}), but(foreign, map[string]provider.Kind{"adopt": provider.ErrAccessDenied, "force": provider.ErrAccessDenied})},
		"orphan of Rise":                     {with(map[string]string{"rise:installation": "", "rise:orphaned": "true"}), but(foreign, map[string]provider.Kind{"adopt": orphaned, "force": orphaned})},
		"of another project":                 {with(map[string]string{"rise:project": "hello2"}), foreign},
		"of no project":                      {with(map[string]string{"rise:project": ""}), but(foreign, map[string]provider.Kind{"adopt": provider.ErrAccessDenied, "force": provider.ErrAccessDenied})},
		"of another installation":            {with(map[string]string{"rise:installation": "staging"}), foreign},
		"old orphan of another installation": {with(map[string]string{"rise:installation": "staging", "rise:orphaned": "true", "rise:orphaned-at": old}), foreign},
		"of another id": {with(map[string]string{"rise:project-id": "p-0"}), map[string]provider.Kind{"ensure": notOurs, "ensure 2": notOurs, "adopt": notOurs,
			"force": notOurs, "release": notOurs, "release 2": notOurs, "restore": orphaned, "restore 2": orphaned, "suspend": changes}},
		"suspended":             {with(map[string]string{"rise:suspended": "true"}), map[string]provider.Kind{"ensure 2": notOurs, "release": changes, "release 2": notOurs, "restore 2": orphaned, "lift": changes}},
		"ours":                  {ours, map[string]provider.Kind{"ensure 2": notOurs, "release": changes, "release 2": notOurs, "restore 2": orphaned, "suspend": changes}},
		"recent orphan":         {orphan(recent), orphans},
		"future orphan":         {orphan(future), but(orphans, map[string]provider.Kind{"release": changes})},
		"malformed orphan":      {orphan("yesterday"), but(orphans, map[string]provider.Kind{"release": changes})},
		"orphan without a time": {with(map[string]string{"rise:orphaned": "true"}), but(orphans, map[string]provider.Kind{"release": changes})},
		"old orphan":            {orphan(old), but(orphans, map[string]provider.Kind{"purge": changes})},
		"orphan without an id": {with(map[string]string{"rise:orphaned": "true", "rise:orphaned-at": recent, "rise:project-id": ""}),
			but(orphans, map[string]provider.Kind{"ensure": orphaned, "release 2": "", "restore 2": changes})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for operation := range (tenancy{}).operations() {
				inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
					l.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: tt.tags, ScanOnPush: true, CreatedAt: time.Now().Add(-1000 * time.Hour)})
					before := l.state("rise/hello")
					change, err := l.operations()[operation](t.Context())
					switch want := tt.want[operation]; want {
					case changes:
						require.NoError(t, err, operation)
						require.NotEmpty(t, change.Actions, operation)
						require.NotEqual(t, before, l.state("rise/hello"), operation)
						return
					case "":
						// An id may be added where none was.
						require.NoError(t, err, operation)
						if slices.Equal(change.Actions, []repository.Action{repository.ActionTag}) {
							return
						}
					default:
						require.ErrorIs(t, err, want, operation)
						var e *provider.Error
						require.ErrorAs(t, err, &e)
						require.Equal(t, "hello", e.Project)
						require.NotEmpty(t, e.Hint, operation)
					}
					require.Empty(t, change.Actions, operation)
					require.Equal(t, before, l.state("rise/hello"), operation)
				})
			}
		})
	}
}

// Two projects of one name claim a repository without an id at once: one of them is told that it isn't its.
func TestClaimedTwice(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, provider.Project{Name: "hello"})
		for _, action := range []string{"ecr:ListTagsForResource", "ecr:TagResource"} { // so that neither sees the other's before
			l.Inject(ecrtest.Fault{Action: action, Latency: time.Second})
		}
		errs := map[string]error{}
		var mu sync.Mutex
		var wait sync.WaitGroup
		for _, id := range []string{"p-1", "p-2"} {
			wait.Go(func() {
				_, err := l.EnsureRepository(t.Context(), provider.Project{Name: "hello", ID: id}, repository.EnsureOptions{})
				mu.Lock()
				defer mu.Unlock()
				errs[id] = err
			})
		}
		wait.Wait()
		r, ok := l.Server.Repository("rise/hello")
		require.True(t, ok)
		owner := r.Tags["rise:project-id"]
		require.NoError(t, errs[owner])
		delete(errs, owner)
		for _, err := range errs {
			require.ErrorIs(t, err, provider.ErrNotOurs)
		}
	})
}

// What is adopted can be worked with at once, though rights follow tags late.
func TestAdoptedIsUsable(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{TagDelay: 5 * time.Second}, managing, func(t *testing.T, l tenancy) {
		l.CreateRepository(ecrtest.Repository{Name: "rise/hello", CreatedAt: time.Now().Add(-1000 * time.Hour)})
		adopted, err := l.AdoptRepository(t.Context(), hello, false)
		require.NoError(t, err)
		require.Empty(t, adopted.Notes)
		later, err := ecr.New(t.Context(), l.config, hermetic(), inMemory(l.Server)) // another process
		require.NoError(t, err)
		_, err = later.EnsureRepository(t.Context(), hello, repository.EnsureOptions{})
		require.NoError(t, err)
	})
}

// A name that changes its owner exposes nothing of the former one, and takes nothing from it.
func TestOwnerChanges(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		require.NoError(t, l.push("hello"))
		token, err := provider.Issue(t.Context(), l.Provider, push) // lives on for 12 h
		require.NoError(t, err)
		require.NoError(t, l.pushWith(token))
		released, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		require.Equal(t, []repository.Action{repository.ActionRelease}, released.Actions)
		require.True(t, released.Owner.Orphaned)
		require.Equal(t, time.Now().UTC(), released.Owner.OrphanedAt)

		next := provider.Project{Name: "hello", ID: "p-2"}
		_, err = l.EnsureRepository(t.Context(), next, repository.EnsureOptions{})
		require.ErrorIs(t, err, provider.ErrOrphaned)
		require.Error(t, l.pushWith(token), "the former owner's token")
		require.Error(t, l.push("hello"), "a new owner's credential")
		_, err = l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
		require.NoError(t, err)
		require.NotEqual(t, "none", l.state("rise/hello"), "too young")

		time.Sleep(25 * time.Hour)
		purged, err := l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
		require.NoError(t, err)
		require.Equal(t, []repository.Action{repository.ActionRemove}, purged.Actions)
		l.ensure(t, next)
		r, _ := l.Server.Repository("rise/hello")
		require.Empty(t, r.ImageDigests)
		require.Error(t, l.pushWith(token), "expired by now: remove_after is longer than tokens live")
		require.NoError(t, l.push("hello"))
	})
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) { // the same owner comes back
		l.ensure(t, hello)
		require.NoError(t, l.push("hello"))
		_, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		back := l.ensure(t, hello)
		require.Equal(t, []repository.Action{repository.ActionRestore}, back.Actions)
		require.False(t, back.Owner.Orphaned)
		require.NoError(t, l.push("hello"))
		r, _ := l.Server.Repository("rise/hello")
		require.Len(t, r.ImageDigests, 2)
		require.NotContains(t, r.Tags, "rise:orphaned")
		require.NotContains(t, r.Tags, "rise:orphaned-at")
	})
}

func TestAdoptStrangers(t *testing.T) {
	t.Parallel()
	allow := func(principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:BatchGetImage","Principal":` + principal + `}]}`
	}
	for name, tt := range map[string]struct {
		policy, names string
	}{
		"none":            {"", ""},
		"own account":     {allow(`{"AWS":["123456789012","arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/ci"]}`), ""},
		"deny":            {`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:BatchDeleteImage","Principal":"*"}}`, ""},
		"everybody":       {allow(`"*"`), "lets in *"},
		"everybody too":   {allow(`{"AWS":"*"}`), "lets in *"},
		"another account": {allow(`{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::999999999999:root"]}`), "lets in arn:aws:iam::999999999999:root"},
		"account id":      {allow(`{"AWS":"999999999999"}`), "lets in 999999999999"},
		"a service":       {allow(`{"Service":"lambda.amazonaws.com"}`), "lets in Service:lambda.amazonaws.com"},
		"all but one":     {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","NotPrincipal":{"AWS":"123456789012"}}]}`, "NotPrincipal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
				l.CreateRepository(ecrtest.Repository{Name: "rise/hello", Policy: tt.policy})
				change, err := l.AdoptRepository(t.Context(), hello, false)
				if tt.names != "" {
					require.ErrorIs(t, err, provider.ErrConflict)
					require.ErrorContains(t, err, tt.names)
					require.Empty(t, change.Actions)
					change, err = l.AdoptRepository(t.Context(), hello, true)
				}
				require.NoError(t, err)
				require.Equal(t, []repository.Action{repository.ActionAdopt}, change.Actions)
				require.True(t, change.Owner.Ours)
				again, err := l.AdoptRepository(t.Context(), hello, false)
				require.NoError(t, err)
				require.False(t, again.Changed())
				require.NoError(t, l.push("hello"))
			})
		})
	}
}

func TestInvalidOwners(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		for _, p := range []provider.Project{{}, {Name: "../x"}, {Name: "hello", ID: "a b"}, {Name: "hello", ID: "*"}, {Name: "hello", ID: strings.Repeat("x", 257)}} {
			_, err := l.EnsureRepository(t.Context(), p, repository.EnsureOptions{})
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
			_, err = l.ReleaseRepository(t.Context(), p)
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
		}
		_, err := l.RepositoryOwner(t.Context(), "*")
		require.ErrorIs(t, err, provider.ErrInvalidRequest)
		require.Empty(t, l.Calls())
		l.ensure(t, hello)
		l.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", Mutate: func([]byte) []byte {
			return []byte(`{"repositories":[{"repositoryName":"rise/other","repositoryArn":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/other"}]}`)
		}})
		_, err = l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{})
		require.ErrorIs(t, err, provider.ErrBadResponse)
		require.False(t, errors.Is(err, provider.ErrNotOurs))
	})
}
