package iampolicy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// A session whose session policy was lost pulls from what is shared, and still can't push there, also where resource-based policies grant
// everything to everybody; nor does what is shared open anything else.
func TestSharedByRolesAlone(t *testing.T) {
	t.Parallel()
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := standard()
			c.PullRoleARN, c.SharedRepositories = pullARN, []string{"base", "mirror/*"}
			a := newAccount(t, mode, c, everyone())
			open := map[string]map[string]string{
				"base": nil, "mirror/x": ours("hello"), "mirror/a/b": ours("other", "rise:orphaned", "true", "rise:suspended", "true", "rise:installation", "staging"),
			}
			closed := map[string]map[string]string{
				"base/x": nil, "bases": nil, "mirror": nil, "mirrors/x": ours("hello"), "x/base": nil, "x/mirror/x": nil, "risen/x": ours("hello"),
				"rise/other": ours("other", "rise:installation", "staging"), "rise/hello": ours("hello", "rise:suspended", "true"),
			}
			for _, repositories := range []map[string]map[string]string{open, closed} {
				for name, with := range repositories {
					a.CreateRepository(ecrtest.Repository{Name: name, Tags: with})
				}
			}
			push := a.assume(t, pushARN, "rise-push-hello", "hello")
			pull := a.assume(t, pullARN, "rise-pull-@all", "")
			check := func() {
				for _, call := range []struct{ action, repository string }{
					{"BatchDeleteImage", "base"}, {"TagResource", "mirror/x"}, {"DeleteRepository", "mirror/x"}, {"SetRepositoryPolicy", "base"}, {"CreateRepository", "mirror/new"},
					{"ListTagsForResource", "base"}, {"PutLifecyclePolicy", "base"},
				} {
					require.True(t, denied(t, a.call(t.Context(), push, call.action, call.repository, tags("a", "b"))), call)
					require.True(t, denied(t, a.call(t.Context(), pull, call.action, call.repository, tags("a", "b"))), call)
				}
				for name := range open {
					require.True(t, a.pulls(t, a.login(t, push), name), name)
					require.True(t, a.pulls(t, a.login(t, pull), name), name)
					require.False(t, a.pushes(t, a.login(t, push), name), name)
					require.False(t, a.pushes(t, a.login(t, pull), name), name)
				}
				for name := range closed {
					require.False(t, a.pulls(t, a.login(t, push), name), name)
					require.False(t, a.pulls(t, a.login(t, pull), name), name)
					require.False(t, a.pushes(t, a.login(t, push), name), name)
				}
			}
			check()
			a.SetRegistryPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}]}`)
			check()
			for _, repositories := range []map[string]map[string]string{open, closed} {
				for name := range repositories {
					a.UpdateRepository(name, func(r *ecrtest.Repository) { r.Policy = openPolicy })
				}
			}
			check()
		})
	}
}
