package ecr_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// lives does everything to repositories that the library does, each call of which some statement of the controller's policy is
// for. What fails doesn't end it.
func (l tenancy) lives(t *testing.T) error {
	ctx := t.Context()
	var errs []error
	change := func(change repository.Change, err error) {
		errs = append(errs, err)
		for _, note := range change.Notes {
			errs = append(errs, errors.New(note))
		}
	}
	ensure := func(p provider.Project) {
		t.Helper()
		change(l.EnsureRepository(ctx, p, repository.EnsureOptions{}))
	}
	drift := func(name string) {
		if _, ok := l.Server.Repository(name); !ok {
			return
		}
		l.UpdateRepository(name, func(r *ecrtest.Repository) {
			r.ScanOnPush, r.TagMutability, r.MutabilityExclusions = false, "MUTABLE", nil
			r.LifecyclePolicy = strings.Replace(managedLifecycle, "100", "1", 1)
			delete(r.Tags, "team")
			delete(r.Tags, "env")
		})
	}
	named := provider.Project{Name: "hello", ID: "p-1"}
	ensure(provider.Project{Name: "hello"})
	drift("rise/hello")
	ensure(named) // the id and a configured tag in one call
	drift("rise/hello")
	ensure(named)
	change(l.SuspendRepository(ctx, "hello", true))
	change(l.SuspendRepository(ctx, "hello", false))
	change(l.ReleaseRepository(ctx, named))
	change(l.RestoreRepository(ctx, named))
	change(l.ReleaseRepository(ctx, named))
	ensure(named)

	late := provider.Project{Name: "late", ID: "p-2"}
	ensure(provider.Project{Name: "late"})
	change(l.ReleaseRepository(ctx, late)) // marks and the id in one call
	ensure(provider.Project{Name: "later"})
	change(l.ReleaseRepository(ctx, provider.Project{Name: "later"}))
	change(l.RestoreRepository(ctx, provider.Project{Name: "later", ID: "p-3"}))

	l.CreateRepository(ecrtest.Repository{Name: "rise/found", CreatedAt: time.Now().Add(-time.Hour), Tags: map[string]string{"else": "x"}, LifecyclePolicy: managedLifecycle, KMSKeyARN: kmsKey})
	change(l.AdoptRepository(ctx, provider.Project{Name: "found", ID: "p-4"}, false))
	drift("rise/found")
	ensure(provider.Project{Name: "found", ID: "p-4"})

	time.Sleep(100 * time.Hour)
	change(l.PurgeRepository(ctx, "late", 48*time.Hour))
	for _, err := range l.ListRepositories(ctx) {
		errs = append(errs, err)
	}
	_, err := provider.Issue(ctx, l.Provider, push)
	return errors.Join(append(errs, err)...)
}

// The generated policies allow all that the library does, and no action or tag's key in the controller's is for nothing: taken
// out, something is denied.
func TestEachRightIsNeeded(t *testing.T) {
	t.Parallel()
	none := func(c *ecr.Config) { managing(c); c.MaxImageCount, c.UntaggedExpireDays = 0, 0 }
	for name, configure := range map[string]func(*ecr.Config){"with a lifecycle": managing, "without": none} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var whole iampolicy.Document
			inTenancy(t, ecrtest.Config{}, configure, func(t *testing.T, l tenancy) {
				var err error
				whole, err = iampolicy.Controller(l.config)
				require.NoError(t, err)
				require.NoError(t, l.lives(t))
				for _, project := range []string{"hello", "later", "found"} {
					r, ok := l.Server.Repository("rise/" + project)
					require.True(t, ok)
					require.Equal(t, map[string]string{"hello": "p-1", "later": "p-3", "found": "p-4"}[project], r.Tags["rise:project-id"])
				}
				_, late := l.Server.Repository("rise/late")
				require.False(t, late)
			})
			without := func(i int, what string, change func(*iampolicy.Statement)) {
				t.Helper()
				less := iampolicy.Document{Version: whole.Version, Statement: slices.Clone(whole.Statement)}
				change(&less.Statement[i])
				if len(less.Statement[i].Action) == 0 {
					less.Statement = slices.Delete(less.Statement, i, i+1)
				}
				inTenancy(t, ecrtest.Config{}, configure, func(t *testing.T, l tenancy) {
					l.UpdateUser(strings.Replace(l.deployment.ControllerRoleARN, ":role/", ":user/", 1), func(u *ecrtest.User) { u.Policies = []string{less.String()} })
					require.Error(t, l.lives(t), "nothing needs %s in %s", what, whole.Statement[i].Sid)
					require.True(t, slices.ContainsFunc(l.Calls(), func(c ecrtest.Call) bool {
						return strings.HasPrefix(c.ErrorCode, "AccessDenied") || c.ErrorCode == "KmsException"
					}))
				})
			}
			for i, s := range whole.Statement {
				for _, action := range s.Action {
					if action == "sts:AssumeRole" { // within the account, being trusted by name is enough
						continue
					}
					without(i, action, func(s *iampolicy.Statement) {
						s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
					})
				}
				const keys = "ForAllValues:StringEquals"
				for _, key := range s.Condition[keys]["aws:TagKeys"] {
					without(i, key, func(s *iampolicy.Statement) {
						s.Condition = maps.Clone(s.Condition)
						s.Condition[keys] = map[string]iampolicy.Strings{
							"aws:TagKeys": slices.DeleteFunc(slices.Clone(s.Condition[keys]["aws:TagKeys"]), func(k string) bool { return k == key }),
						}
					})
				}
			}
		})
	}
}
