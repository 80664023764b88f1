package iampolicy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What AWS doesn't document, both ways.
func modes() map[string]ecrtest.Config {
	return map[string]ecrtest.Config{
		"rights at use":     {},
		"rights at issue":   {TokenRights: ecrtest.FixedAtIssue, TokenDiesWithSession: true},
		"grants cut":        {SessionPoliciesLimitGrants: true},
		"create unchecked":  {CreateOnPushUnchecked: true, MountWithoutFrom: true},
		"delete with batch": {ForceDeleteNeedsBatchDelete: true},
	}
}

// With the generated policies and no other, on every way into the controller role, the service creates a repository and
// the provider's credentials push to it and to nothing else.
func TestProviderWorks(t *testing.T) {
	t.Parallel()
	const subject = "system:serviceaccount:rise-system:rise-backend"
	pod := ecrtest.PodIdentity{ClusterARN: clusterARN, Namespace: "rise-system", ServiceAccount: "rise-backend"}
	for name, test := range map[string]struct {
		change func(*ecr.Config)
		who    func(*account) awssdk.CredentialsProvider
	}{
		"IRSA":            {nil, func(a *account) awssdk.CredentialsProvider { return a.irsa(subject, "") }},
		"Pod Identity":    {nil, func(a *account) awssdk.CredentialsProvider { return a.pod(pod) }},
		"user":            {func(c *ecr.Config) { c.RoleARN = controllerARN }, func(a *account) awssdk.CredentialsProvider { return static(a.user) }},
		"with role_arn":   {func(c *ecr.Config) { c.RoleARN = controllerARN }, func(a *account) awssdk.CredentialsProvider { return a.pod(pod) }},
		"without tags":    {func(c *ecr.Config) { c.SessionTags = false }, func(a *account) awssdk.CredentialsProvider { return a.pod(pod) }},
		"no installation": {func(c *ecr.Config) { c.Installation = "" }, func(a *account) awssdk.CredentialsProvider { return a.irsa(subject, "") }},
		"external ids": {func(c *ecr.Config) {
			c.RoleARN, c.RoleExternalID, c.ExternalID = controllerARN, "controller-id", "push-id"
		}, func(a *account) awssdk.CredentialsProvider { return static(a.user) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := standard()
			c.PullRoleARN = pullARN
			if test.change != nil {
				test.change(&c)
			}
			a := newAccount(t, ecrtest.Config{}, c, everyone())
			controller := a.controller(t)
			for _, project := range []string{"hello", "other"} {
				repository := ours(project)
				if c.Installation == "" {
					delete(repository, "rise:installation")
				}
				require.NoError(t, a.call(t.Context(), controller, "CreateRepository", "rise/"+project, repository))
			}
			p := a.provider(t, c, test.who(a))
			issue := func(r provider.Request) provider.Credentials {
				got, err := provider.Issue(t.Context(), p, r)
				require.NoError(t, err)
				return got
			}
			push := basic(issue(provider.Request{Project: "hello", Access: provider.Push}))
			require.True(t, a.pushes(t, push, "rise/hello"))
			require.True(t, a.pulls(t, push, "rise/hello"))
			require.False(t, a.pushes(t, push, "rise/other"))
			require.False(t, a.pulls(t, push, "rise/other"))
			pull := basic(issue(provider.Request{Project: "hello", Access: provider.Pull}))
			require.False(t, a.pushes(t, pull, "rise/hello"))
			require.True(t, a.pulls(t, pull, "rise/hello"))
			require.False(t, a.pulls(t, pull, "rise/other"))
			all := basic(issue(provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster}))
			for _, repository := range []string{"rise/hello", "rise/other"} {
				require.True(t, a.pulls(t, all, repository))
				require.False(t, a.pushes(t, all, repository))
			}
		})
	}
}

// A session of the push role whose session policy was lost still reaches one project's repository and no other, also where
// resource-based policies grant everything to everybody.
func TestPushRoleAlone(t *testing.T) {
	t.Parallel()
	for name, mode := range modes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, mode, standard(), everyone())
			for name, with := range map[string]map[string]string{
				"rise/hello":     ours("hello"),
				"rise/orphaned":  ours("hello", "rise:orphaned", "true"),
				"rise/suspended": ours("hello", "rise:suspended", "true"),
				"rise/other":     ours("other"),
				"rise/elsewhere": ours("hello", "rise:installation", "staging"),
				"rise/foreign":   nil,
				"rise/unmanaged": tags("rise:installation", "prod", "rise:project", "hello"),
				"risen/hello":    ours("hello"),
				"hello":          ours("hello"),
			} {
				a.CreateRepository(ecrtest.Repository{Name: name, Tags: with})
			}
			login := a.login(t, a.assume(t, pushARN, "rise-push-hello", "hello"))
			closed := []string{
				"rise/orphaned", "rise/suspended", "rise/other", "rise/elsewhere", "rise/foreign", "rise/unmanaged", "risen/hello", "hello",
			}
			check := func(closed []string) {
				require.True(t, a.pushes(t, login, "rise/hello"))
				require.True(t, a.pulls(t, login, "rise/hello"))
				for _, repository := range closed {
					require.False(t, a.pushes(t, login, repository), repository)
					require.False(t, a.pulls(t, login, repository), repository)
				}
			}
			check(closed)
			// What only the role's own Denies keep out.
			a.SetRegistryPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}]}`)
			granted := []string{"rise/orphaned", "rise/suspended", "rise/other", "rise/elsewhere", "rise/foreign", "risen/hello", "hello"}
			check(granted)
			a.SetRegistryPolicy("")
			for _, repository := range append(granted, "rise/hello") {
				a.UpdateRepository(repository, func(r *ecrtest.Repository) { r.Policy = openPolicy })
			}
			check(granted)
		})
	}
}

// Tags of the push role itself open nothing to a session, which has its own.
func TestTaggedPushRole(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ecrtest.Config{}, standard(), everyone())
	a.UpdateRole(pushARN, func(r *ecrtest.Role) { r.Tags = tags("rise:project", "other", "Rise:Installation", "staging") })
	for _, project := range []string{"hello", "other"} {
		a.CreateRepository(ecrtest.Repository{Name: "rise/" + project, Tags: ours(project), Policy: openPolicy})
	}
	login := a.login(t, a.assume(t, pushARN, "rise-push-hello", "hello"))
	require.True(t, a.pushes(t, login, "rise/hello"))
	require.False(t, a.pulls(t, login, "rise/other"))
	_, err := awssts.NewFromConfig(a.controller(t)).AssumeRole(t.Context(), a.input(pushARN, "rise-push-hello", ""))
	require.True(t, denied(t, err), "a session without its own would have the role's")
}

// The push role can do nothing but push and pull.
func TestPushRoleOnlyPushes(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ecrtest.Config{}, standard(), everyone())
	a.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: ours("hello")})
	session := a.assume(t, pushARN, "rise-push-hello", "hello")
	for _, action := range []string{
		"CreateRepository", "DeleteRepository", "TagResource", "UntagResource", "DescribeRepositories", "ListTagsForResource",
		"GetRepositoryPolicy", "SetRepositoryPolicy", "DeleteRepositoryPolicy", "GetLifecyclePolicy", "PutLifecyclePolicy",
		"DeleteLifecyclePolicy", "PutImageTagMutability", "PutImageScanningConfiguration", "BatchDeleteImage",
		"GetRegistryPolicy", "DescribeRegistry", "DescribePullThroughCacheRules", "DescribeRepositoryCreationTemplates", "GetSigningConfiguration",
	} {
		repository := "rise/hello"
		if action == "CreateRepository" {
			repository = "rise/new"
		}
		require.True(t, denied(t, a.call(t.Context(), session, action, repository, ours("hello"))), action)
	}
	require.False(t, denied(t, a.call(t.Context(), session, "BatchGetImage", "rise/hello", nil)), "what it may do, this would see")
	_, err := awssts.NewFromConfig(session).AssumeRole(t.Context(), a.input(pushARN, "rise-push-other", "other"))
	require.True(t, denied(t, err), "a session can't become another project's")
}

func TestPullRole(t *testing.T) {
	t.Parallel()
	c := standard()
	c.PullRoleARN = pullARN
	a := newAccount(t, ecrtest.Config{}, c, everyone())
	for name, with := range map[string]map[string]string{
		"rise/hello": ours("hello"), "rise/other": ours("other"), "rise/orphaned": ours("orphaned", "rise:orphaned", "true"),
		"rise/suspended": ours("suspended", "rise:suspended", "true"), "rise/foreign": nil,
		"rise/elsewhere": ours("elsewhere", "rise:installation", "staging"), "hello": ours("hello"),
		"rise/unmanaged": tags("rise:installation", "prod", "rise:project", "unmanaged"),
	} {
		a.CreateRepository(ecrtest.Repository{Name: name, Tags: with})
	}
	session := a.assume(t, pullARN, "rise-pull-@all", "")
	login := a.login(t, session)
	for _, open := range []string{"rise/hello", "rise/other"} {
		require.True(t, a.pulls(t, login, open))
		require.False(t, a.pushes(t, login, open))
	}
	for _, closed := range []string{"rise/orphaned", "rise/suspended", "rise/foreign", "rise/elsewhere", "rise/unmanaged", "hello"} {
		require.False(t, a.pulls(t, login, closed), closed)
	}
	require.True(t, denied(t, a.call(t.Context(), session, "DeleteRepository", "rise/hello", nil)))
}

// What the controller may and may not do, call by call.
func TestController(t *testing.T) {
	t.Parallel()
	type call struct {
		action, repository string
		with               map[string]string
		allowed            bool
	}
	for name, test := range map[string]struct {
		change func(*ecr.Config)
		calls  []call
	}{
		"creates only with tags": {nil, []call{
			{"CreateRepository", "rise/new", ours("new"), true},
			{"CreateRepository", "rise/new-named", ours("new-named", "rise:project-id", "p-1"), true},
			{"CreateRepository", "rise/more", ours("more", "cost-center", "7"), false},
			{"CreateRepository", "rise/more", ours("more", "rise:orphaned", "true"), false},
			{"CreateRepository", "rise/more", ours("more", "rise:suspended", "true"), false},
			{"CreateRepository", "rise/more", ours("more", "Rise:Project", "other"), false},
			{"CreateRepository", "rise/bare", nil, false},
			{"CreateRepository", "rise/bare", tags("cost-center", "7"), false},
			{"CreateRepository", "rise/no-project", tags("rise:managed", "true", "rise:installation", "prod"), false},
			{"CreateRepository", "rise/no-installation", tags("rise:managed", "true", "rise:project", "x"), false},
			{"CreateRepository", "rise/elsewhere", ours("x", "rise:installation", "staging"), false},
			{"CreateRepository", "rise/unmanaged", ours("x", "rise:managed", "false"), false},
			{"CreateRepository", "new", ours("new"), false},
			{"CreateRepository", "risen/new", ours("new"), false},
			{"CreateRepository with key", "rise/encrypted", ours("x"), false},
		}},
		"creates with configured tags": {func(c *ecr.Config) { c.Tags = tags("cost-center", "7") }, []call{
			{"CreateRepository", "rise/more", ours("more", "cost-center", "7", "rise:project-id", "p-1"), true},
			{"CreateRepository", "rise/most", ours("most", "cost-center", "7", "team", "x"), false},
		}},
		"creates for no other installation": {func(c *ecr.Config) { c.Installation = "" }, []call{
			{"CreateRepository", "rise/new", tags("rise:managed", "true", "rise:project", "new"), true},
			{"CreateRepository", "rise/elsewhere-new", ours("elsewhere-new"), false},
			{"TagResource", "rise/foreign", ours("foreign"), false},
			{"TagResource", "rise/foreign", tags("rise:managed", "true", "rise:project", "foreign"), true},
		}},
		"reads": {nil, []call{
			{"DescribeRepositories", "", nil, true},
			{"ListTagsForResource", "rise/hello", nil, true},
			{"ListTagsForResource", "rise/foreign", nil, true},
			{"ListTagsForResource", "foreign", nil, false},
			{"GetRepositoryPolicy", "rise/hello", nil, true},
			{"GetLifecyclePolicy", "rise/hello", nil, true},
			{"GetRegistryPolicy", "", nil, false},
			{"BatchGetImage", "rise/hello", nil, false},
			{"GetAuthorizationToken", "", nil, false},
		}},
		"marks its own": {func(c *ecr.Config) { c.Tags = tags("cost-center", "7") }, []call{
			{"TagResource", "rise/hello", tags("rise:orphaned", "true", "rise:orphaned-at", "2026-01-01T00:00:00Z"), true},
			{"TagResource", "rise/hello", tags("rise:suspended", "true"), true},
			{"TagResource", "rise/hello", tags("cost-center", "8"), true},
			{"TagResource", "rise/hello", tags("cost-center", "8", "rise:suspended", "true"), true},
			{"TagResource", "rise/hello", tags("Cost-Center", "8"), false},
			{"TagResource", "rise/hello", tags("Owner", "me"), false},
			{"TagResource", "rise/hello", tags(), false},
			{"TagResource", "rise/hello", tags("rise:orphaned", "true", "Owner", "me"), false},
			{"TagResource", "rise/hello", tags("Rise:Orphaned", "true"), false},
			{"TagResource", "rise/hello", tags("rise:project", "other"), false},
			{"TagResource", "rise/hello", tags("Rise:Project", "other"), false},
			{"TagResource", "rise/hello", ours("other"), false},
			{"TagResource", "rise/hello", tags("rise:managed", "true"), false},
			{"TagResource", "rise/hello", tags("rise:installation", "staging"), false},
		}},
		"unmarks its own": {func(c *ecr.Config) { c.Tags = tags("cost-center", "7") }, []call{
			{"UntagResource", "rise/hello", tags("rise:orphaned", "", "rise:orphaned-at", "", "rise:suspended", ""), true},
			{"UntagResource", "rise/hello", tags("rise:orphaned", "", "rise:orphaned-at", ""), true},
			{"UntagResource", "rise/hello", tags("rise:suspended", ""), true},
			{"UntagResource", "rise/hello", tags("rise:managed", ""), false},
			{"UntagResource", "rise/hello", tags("rise:installation", ""), false},
			{"UntagResource", "rise/hello", tags("rise:project", ""), false},
			{"UntagResource", "rise/named", tags("rise:project-id", ""), false},
			{"UntagResource", "rise/named", tags("rise:orphaned", "", "rise:project-id", ""), false},
			{"UntagResource", "rise/hello", tags("cost-center", ""), false},
		}},
		"names an owner once": {func(c *ecr.Config) { c.Tags = tags("cost-center", "7") }, []call{
			{"TagResource", "rise/named", tags("rise:project-id", "p-2"), false},
			{"TagResource", "rise/named", tags("rise:project-id", "p-1"), false}, // the same: by a retry of the SDK
			{"TagResource", "rise/named", tags("rise:project-id", "p-2", "rise:orphaned", "true"), false},
			{"TagResource", "rise/named", tags("rise:project-id", "p-2", "cost-center", "8"), false},
			{"TagResource", "rise/named", tags("Rise:Project-ID", "p-2"), false},
			{"TagResource", "rise/named", ours("named", "rise:project-id", "p-2"), false},
			{"TagResource", "rise/named", tags("rise:orphaned", "true", "cost-center", "8"), true},
			{"TagResource", "rise/hello", tags("rise:project-id", "p-1", "Owner", "me"), false},
			{"TagResource", "rise/hello", tags("rise:project-id", "p-1", "rise:suspended", "true"), false},
			{"TagResource", "rise/hello", tags("rise:project-id", "p-1", "rise:project", "other"), false},
			{"TagResource", "rise/elsewhere", tags("rise:project-id", "p-1"), false},
			{"TagResource", "rise/foreign", tags("rise:project-id", "p-1"), false},
			{"TagResource", "rise/rise", tags("rise:project-id", "p-1"), false},
			{"TagResource", "rise/hello", tags("rise:project-id", "p-1", "rise:orphaned", "true", "rise:orphaned-at", "2026-01-01T00:00:00Z", "cost-center", "8"), true},
			{"TagResource", "rise/hello", tags("rise:project-id", "p-2"), false},
			{"UntagResource", "rise/hello", tags("rise:project-id", ""), false},
			{"TagResource", "rise/orphaned", tags("rise:project-id", "p-1"), true},
		}},
		"configures its own": {nil, []call{
			{"PutLifecyclePolicy", "rise/hello", nil, false},
			{"DeleteLifecyclePolicy", "rise/hello", nil, true},
			{"PutImageTagMutability", "rise/hello", nil, true},
			{"PutImageScanningConfiguration", "rise/hello", nil, true},
			{"SetRepositoryPolicy", "rise/hello", nil, false},
			{"DeleteRepositoryPolicy", "rise/hello", nil, false},
			{"BatchDeleteImage", "rise/hello", nil, false},
		}},
		"configures its own lifecycle, by count": {func(c *ecr.Config) { c.MaxImageCount = 9 }, []call{
			{"PutLifecyclePolicy", "rise/hello", nil, true},
			{"DeleteLifecyclePolicy", "rise/hello", nil, false},
			{"PutImageTagMutability", "rise/hello", nil, true},
			{"PutImageScanningConfiguration", "rise/hello", nil, true},
			{"BatchDeleteImage", "rise/hello", nil, false},
		}},
		"configures its own lifecycle, by age": {func(c *ecr.Config) { c.UntaggedExpireDays = 9 }, slices.Concat(
			[]call{{"PutLifecyclePolicy", "rise/hello", nil, true}, {"DeleteLifecyclePolicy", "rise/hello", nil, false}},
			foreign(func(action, repository string) call {
				return call{action, repository, tags("rise:orphaned", "true"), false}
			}))},
		"leaves others' alone": {func(c *ecr.Config) { c.AutoRemove = true }, slices.Concat(
			foreign(func(action, repository string) call {
				return call{action, repository, tags("rise:orphaned", "true"), false}
			}),
			[]call{
				{"TagResource", "rise/elsewhere", ours("elsewhere"), false},
				{"TagResource", "rise/rise", ours("rise"), false},
				{"TagResource", "rise/unmanaged", ours("unmanaged"), false},
				{"TagResource", "foreign", ours("foreign"), false},
				{"TagResource", "risen/hello", ours("hello"), false},
			})},
		"may take what nobody has marked": {func(c *ecr.Config) { c.Tags = tags("cost-center", "7") }, []call{ // the documented limit
			{"TagResource", "rise/foreign", ours("foreign", "Owner", "me"), false},
			{"TagResource", "rise/foreign", ours("foreign", "rise:orphaned", "true"), false},
			{"TagResource", "rise/foreign", tags("rise:managed", "true", "rise:installation", "prod"), false},
			{"TagResource", "rise/foreign", ours("foreign", "cost-center", "7", "rise:project-id", "p-1"), true},
			{"TagResource", "rise/foreign", ours("foreign", "rise:project-id", "p-2"), false},
		}},
		"never deletes without auto_remove": {nil, []call{
			{"DeleteRepository", "rise/hello", nil, false}, {"DeleteRepository", "rise/orphaned", nil, false},
		}},
		"deletes its orphans with auto_remove": {func(c *ecr.Config) { c.AutoRemove = true }, []call{
			{"DeleteRepository", "rise/hello", nil, false},
			{"DeleteRepository", "rise/elsewhere-orphaned", nil, false},
			{"DeleteRepository", "rise/orphaned", nil, true},
		}},
		"uses the key": {func(c *ecr.Config) { c.KMSKeyARN = keyARN }, []call{
			{"CreateRepository with key", "rise/encrypted", ours("encrypted"), true},
		}},
		"deletes what the key encrypts": {func(c *ecr.Config) { c.KMSKeyARN, c.AutoRemove = keyARN, true }, []call{
			{"CreateRepository with key", "rise/encrypted", ours("encrypted"), true},
			{"TagResource", "rise/encrypted", tags("rise:orphaned", "true"), true},
			{"DeleteRepository", "rise/encrypted", nil, true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := standard()
			if test.change != nil {
				test.change(&c)
			}
			a := newAccount(t, ecrtest.Config{}, c, everyone())
			for name, with := range map[string]map[string]string{
				"rise/hello": ours("hello"), "rise/orphaned": ours("orphaned", "rise:orphaned", "true"), "rise/foreign": nil,
				"rise/elsewhere":          ours("elsewhere", "rise:installation", "staging"),
				"rise/elsewhere-orphaned": ours("x", "rise:installation", "staging", "rise:orphaned", "true"),
				"rise/named":              ours("named", "rise:project-id", "p-1"),
				"rise/rise":               tags("rise:managed", "true", "rise:project", "rise"), // made by Rise, without an installation
				"rise/unmanaged":          tags("rise:installation", "staging"),
				"foreign":                 nil, "risen/hello": ours("hello"),
			} {
				a.CreateRepository(ecrtest.Repository{Name: name, Tags: with})
			}
			controller := a.controller(t)
			for _, one := range test.calls {
				err := a.call(t.Context(), controller, one.action, one.repository, one.with)
				require.Equal(t, one.allowed, !denied(t, err), "%s %s %v: %v", one.action, one.repository, one.with, err)
			}
		})
	}
}

func foreign[T any](call func(action, repository string) T) []T {
	var list []T
	for _, repository := range []string{"rise/foreign", "rise/elsewhere", "rise/elsewhere-orphaned", "rise/rise", "foreign", "risen/hello"} {
		for _, action := range []string{
			"TagResource", "UntagResource", "DeleteRepository", "PutLifecyclePolicy", "DeleteLifecyclePolicy", "PutImageTagMutability",
			"PutImageScanningConfiguration", "SetRepositoryPolicy", "BatchDeleteImage",
		} {
			list = append(list, call(action, repository))
		}
	}
	return list
}

// A repository's state decides within its life: released, restored, suspended.
func TestMarksCloseAndOpen(t *testing.T) {
	t.Parallel()
	c := standard()
	a := newAccount(t, ecrtest.Config{}, c, everyone())
	controller := a.controller(t)
	require.NoError(t, a.call(t.Context(), controller, "CreateRepository", "rise/hello", ours("hello")))
	got, err := provider.Issue(t.Context(), a.provider(t, c, a.pod(ecrtest.PodIdentity{
		ClusterARN: clusterARN, Namespace: "rise-system", ServiceAccount: "rise-backend",
	})), provider.Request{Project: "hello", Access: provider.Push})
	require.NoError(t, err)
	require.True(t, a.pushes(t, basic(got), "rise/hello"))
	for _, mark := range []map[string]string{
		tags("rise:orphaned", "true", "rise:orphaned-at", "2026-01-01T00:00:00Z"), tags("rise:suspended", "true"),
	} {
		require.NoError(t, a.call(t.Context(), controller, "TagResource", "rise/hello", mark))
		require.False(t, a.pushes(t, basic(got), "rise/hello"), "also with a token from before")
		require.False(t, a.pulls(t, basic(got), "rise/hello"))
		require.NoError(t, a.call(t.Context(), controller, "UntagResource", "rise/hello", mark))
		require.True(t, a.pushes(t, basic(got), "rise/hello"))
	}
}

// Who isn't named can't assume a role, however wide its own rights.
func TestTrust(t *testing.T) {
	t.Parallel()
	c := standard()
	c.RoleARN, c.RoleExternalID, c.ExternalID, c.PullRoleARN = controllerARN, "controller-id", "push-id", pullARN
	a := newAccount(t, ecrtest.Config{}, c, everyone())
	admin := a.sdk(static(a.AddUser(ecrtest.User{Name: "admin", Policies: []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	}})))
	controller := a.controller(t)
	tag := func(key, value string) ststypes.Tag { return ststypes.Tag{Key: &key, Value: &value} }
	for name, test := range map[string]struct {
		as      awssdk.Config
		input   *awssts.AssumeRoleInput
		change  func(*awssts.AssumeRoleInput)
		allowed bool
	}{
		"controller, push role":     {as: controller, input: a.input(pushARN, "rise-push-hello", "hello"), allowed: true},
		"controller, to pull":       {as: controller, input: a.input(pushARN, "rise-pull-hello", "hello"), allowed: true},
		"another's":                 {as: admin, input: a.input(pushARN, "rise-push-hello", "hello")},
		"the user's":                {as: a.sdk(static(a.user)), input: a.input(pushARN, "rise-push-hello", "hello")},
		"without a project":         {as: controller, input: a.input(pushARN, "rise-push-hello", "")},
		"another session name":      {as: controller, input: a.input(pushARN, "admin", "hello")},
		"without external id":       {as: controller, input: a.input(pushARN, "rise-push-hello", "hello"), change: func(i *awssts.AssumeRoleInput) { i.ExternalId = nil }},
		"with the other's":          {as: controller, input: a.input(pushARN, "rise-push-hello", "hello"), change: func(i *awssts.AssumeRoleInput) { i.ExternalId = &c.RoleExternalID }},
		"with more tags":            {as: controller, input: a.input(pushARN, "rise-push-hello", "hello"), change: func(i *awssts.AssumeRoleInput) { i.Tags = append(i.Tags, tag("team", "x")) }},
		"pull role":                 {as: controller, input: a.input(pullARN, "rise-pull-@all", ""), allowed: true},
		"pull role, another's":      {as: admin, input: a.input(pullARN, "rise-pull-@all", "")},
		"pull role, no id":          {as: controller, input: a.input(pullARN, "rise-pull-@all", ""), change: func(i *awssts.AssumeRoleInput) { i.ExternalId = nil }},
		"pull role, a project's":    {as: controller, input: a.input(pullARN, "rise-pull-hello", "")},
		"pull role, tagged":         {as: controller, input: a.input(pullARN, "rise-pull-@all", "hello")},
		"controller role, user":     {as: a.sdk(static(a.user)), input: a.asController(), allowed: true},
		"controller role, admin":    {as: admin, input: a.asController()},
		"controller role, itself":   {as: controller, input: a.asController()},
		"controller role, no id":    {as: a.sdk(static(a.user)), input: a.asController(), change: func(i *awssts.AssumeRoleInput) { i.ExternalId = nil }},
		"controller role, with tag": {as: a.sdk(static(a.user)), input: a.asController(), change: func(i *awssts.AssumeRoleInput) { i.Tags = []ststypes.Tag{tag("rise:project", "x")} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.change != nil {
				test.change(test.input)
			}
			_, err := awssts.NewFromConfig(test.as).AssumeRole(t.Context(), test.input)
			require.Equal(t, test.allowed, !denied(t, err), "%v", err)
		})
	}
	for name, test := range map[string]struct {
		who     awssdk.CredentialsProvider
		allowed bool
	}{
		"IRSA":                                {a.irsa("system:serviceaccount:rise-system:rise-backend", ""), true},
		"IRSA, other namespace":               {a.irsa("system:serviceaccount:default:rise-backend", ""), false},
		"IRSA, other service account":         {a.irsa("system:serviceaccount:rise-system:rise-backend-2", ""), false},
		"Pod Identity":                        {a.pod(ecrtest.PodIdentity{ClusterARN: clusterARN, Namespace: "rise-system", ServiceAccount: "rise-backend"}), true},
		"Pod Identity, other cluster":         {a.pod(ecrtest.PodIdentity{ClusterARN: clusterARN + "2", Namespace: "rise-system", ServiceAccount: "rise-backend"}), false},
		"Pod Identity, other namespace":       {a.pod(ecrtest.PodIdentity{ClusterARN: clusterARN, ServiceAccount: "rise-backend"}), false},
		"Pod Identity, other service account": {a.pod(ecrtest.PodIdentity{ClusterARN: clusterARN, Namespace: "rise-system"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.who.Retrieve(t.Context())
			require.Equal(t, test.allowed, err == nil, "%v", err)
		})
	}
}

// An audience that the OIDC provider has but the service account isn't trusted with.
func TestTrustAudience(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ecrtest.Config{}, standard(), everyone())
	a.oidc = a.AddOIDCProvider(issuer, "sts.amazonaws.com", "vault")
	for audience, allowed := range map[string]bool{"sts.amazonaws.com": true, "vault": false} {
		_, err := a.irsa("system:serviceaccount:rise-system:rise-backend", audience).Retrieve(t.Context())
		require.Equal(t, allowed, err == nil, "%v", err)
	}
}

// A service in another account, itself under EKS Pod Identity, comes by a role: its session's transitive tags need a trust of
// their own.
func TestPrincipalRoleUnderPodIdentity(t *testing.T) {
	t.Parallel()
	const elsewhere = "arn:aws:iam::999999999999:role/backend"
	o := everyone()
	o.Principals = []string{elsewhere}
	c := standard()
	c.RoleARN = controllerARN
	a := newAccount(t, ecrtest.Config{}, c, o)
	a.AddRole(ecrtest.Role{
		Name: elsewhere, Policies: []string{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"` + controllerARN + `"}]}`,
		}, Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`,
	})
	a.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: ours("hello")})
	at := a.AddPodIdentity(ecrtest.PodIdentity{Role: elsewhere})
	got, err := provider.Issue(t.Context(), a.provider(t, c, a.container(at)), provider.Request{Project: "hello", Access: provider.Push})
	require.NoError(t, err)
	require.True(t, a.pushes(t, basic(got), "rise/hello"))
}

// The user can't do more than become the controller.
func TestUser(t *testing.T) {
	t.Parallel()
	a := newAccount(t, ecrtest.Config{}, standard(), everyone())
	a.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: ours("hello")})
	user := a.sdk(static(a.user))
	for _, action := range []string{"GetAuthorizationToken", "DescribeRepositories", "CreateRepository", "ListTagsForResource"} {
		require.True(t, denied(t, a.call(t.Context(), user, action, "rise/hello", ours("hello"))), action)
	}
	_, err := awssts.NewFromConfig(user).AssumeRole(t.Context(), a.asController())
	require.NoError(t, err)
}

// Diagnosis can read all that it is for, and change nothing.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	c := standard()
	a := newAccount(t, ecrtest.Config{}, c, everyone())
	a.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: ours("hello")})
	policy, err := iampolicy.Diagnose(c, everyone())
	require.NoError(t, err)
	reader := a.sdk(static(a.AddUser(ecrtest.User{Name: "reader", Policies: []string{policy.String()}})))
	controller := a.controller(t)
	var read []string
	for _, s := range policy.Statement {
		for _, action := range s.Action {
			if operation, ok := strings.CutPrefix(action, "ecr:"); ok {
				require.False(t, denied(t, a.call(t.Context(), reader, operation, "rise/hello", nil)), action)
				read = append(read, operation)
			}
		}
	}
	require.Len(t, read, 7)
	for _, action := range []string{"GetRegistryPolicy", "DescribeRegistry", "DescribePullThroughCacheRules", "DescribeRepositoryCreationTemplates", "GetSigningConfiguration"} {
		require.True(t, denied(t, a.call(t.Context(), controller, action, "", nil)), "%s: the controller alone doesn't have it", action)
	}
	for _, action := range []string{"TagResource", "DeleteRepository", "PutLifecyclePolicy", "SetRepositoryPolicy", "GetAuthorizationToken"} {
		require.True(t, denied(t, a.call(t.Context(), reader, action, "rise/hello", ours("x"))), action)
	}
}

// The service control policy keeps administrators from the tags on which rights depend, in every spelling, and from
// nothing else.
func TestServiceControl(t *testing.T) {
	t.Parallel()
	c, o := standard(), everyone()
	o.Operators = []string{"arn:aws:iam::123456789012:user/operator"}
	policy, err := iampolicy.ServiceControl(c, o)
	require.NoError(t, err)
	all := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	a := newAccount(t, ecrtest.Config{ServiceControlPolicies: []string{policy.String(), all}}, c, o)
	admin := a.sdk(static(a.AddUser(ecrtest.User{Name: "admin", Policies: []string{all}})))
	operator := a.sdk(static(a.AddUser(ecrtest.User{Name: "operator", Policies: []string{all}})))
	controller := a.controller(t)
	require.NoError(t, a.call(t.Context(), controller, "CreateRepository", "rise/hello", ours("hello")))
	require.NoError(t, a.call(t.Context(), controller, "TagResource", "rise/hello", tags("rise:suspended", "true")))
	require.NoError(t, a.call(t.Context(), operator, "TagResource", "rise/hello", tags("rise:project", "hello")))
	for _, test := range []struct {
		action, repository string
		with               map[string]string
		allowed            bool
	}{
		{"UntagResource", "rise/hello", tags("rise:suspended", ""), false},
		{"UntagResource", "rise/hello", tags("cost-center", "", "rise:suspended", ""), false},
		{"TagResource", "rise/hello", tags("rise:orphaned", "true"), false},
		{"TagResource", "rise/hello", tags("RISE:Orphaned", "true"), false},
		{"TagResource", "rise/hello", tags("riSe:project", "other"), false},
		{"CreateRepository", "rise/admins", ours("admins"), false},
		{"TagResource", "rise/hello", tags("cost-center", "7"), true},
		{"TagResource", "rise/hello", tags("sunrise:at", "7"), true},
		{"CreateRepository", "rise/plain", tags("cost-center", "7"), true},
		{"CreateRepository", "elsewhere", ours("elsewhere"), true},
	} {
		err := a.call(t.Context(), admin, test.action, test.repository, test.with)
		require.Equal(t, test.allowed, !denied(t, err), "%s %s %v: %v", test.action, test.repository, test.with, err)
	}
}

// The statements for a key's own policy are the controller policy's, for the controller alone.
func TestKey(t *testing.T) {
	t.Parallel()
	c := standard()
	c.KMSKeyARN = keyARN
	key, err := iampolicy.Key(c, everyone())
	require.NoError(t, err)
	controller, err := iampolicy.Controller(c)
	require.NoError(t, err)
	require.Len(t, key.Statement, 2)
	for i, s := range controller.Statement[len(controller.Statement)-2:] {
		s.Resource, s.Principal = iampolicy.Strings{"*"}, map[string]iampolicy.Strings{"AWS": {controllerARN}}
		require.Equal(t, s, key.Statement[i])
	}
}

// Session is what the provider sends.
func TestSession(t *testing.T) {
	t.Parallel()
	c := standard()
	c.PullRoleARN = pullARN
	a := newAccount(t, ecrtest.Config{}, c, everyone())
	p := a.provider(t, c, static(a.user))
	for _, r := range []provider.Request{
		{Project: "hello", Access: provider.Push}, {Project: "hello", Access: provider.Pull}, {AllProjects: true, Access: provider.Pull},
	} {
		want, err := p.SessionPolicy(r)
		require.NoError(t, err)
		got, err := iampolicy.Session(c, r)
		require.NoError(t, err)
		require.JSONEq(t, want, got.String())
		require.LessOrEqual(t, got.Size(), 2048)
		text, err := ecr.SessionPolicy(c, r)
		require.NoError(t, err)
		require.Equal(t, want, text)
		require.True(t, json.Valid([]byte(text)))
	}
	c.PullRoleARN = ""
	_, err := iampolicy.Session(c, provider.Request{AllProjects: true, Access: provider.Pull})
	require.ErrorIs(t, err, provider.ErrUnsupported)
	_, err = iampolicy.Session(c, provider.Request{Project: "a*", Access: provider.Pull})
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	_, err = iampolicy.Session(ecr.Config{}, provider.Request{Project: "hello", Access: provider.Pull})
	require.ErrorIs(t, err, provider.ErrMisconfigured)
}

// What the double provisions are the generated policies, written down once more.
func TestSetupIsGenerated(t *testing.T) {
	t.Parallel()
	sorted := func(d iampolicy.Document) []iampolicy.Statement {
		list := slices.Clone(d.Statement)
		slices.SortFunc(list, func(a, b iampolicy.Statement) int { return strings.Compare(a.Sid, b.Sid) })
		for _, s := range list {
			slices.Sort(s.Action)
		}
		return list
	}
	for _, o := range []ecrtest.SetupOptions{
		{}, {SessionTags: true}, {Lifecycle: true, AutoRemove: true, TagKeys: []string{"a", "b"}},
		{SessionTags: true, PullRole: true, KMSKeyARN: keyARN, AutoRemove: true, Lifecycle: true, TagKeys: []string{"a"}, Prefix: "x/", Installation: "i"},
		{PullRole: true, SharedRepositories: []string{"base"}}, {SessionTags: true, PullRole: true, SharedRepositories: []string{"base", "mirror/*"}},
	} {
		server := ecrtest.NewServer(ecrtest.Config{InMemory: true})
		d := server.Setup(o)
		c := standard()
		c.PushRoleARN, c.PullRoleARN, c.RepoPrefix, c.Installation = d.PushRoleARN, d.PullRoleARN, d.Options.Prefix, d.Options.Installation
		c.SessionTags, c.AutoRemove, c.KMSKeyARN, c.Tags = o.SessionTags, o.AutoRemove, o.KMSKeyARN, map[string]string{}
		c.SharedRepositories = o.SharedRepositories
		for _, key := range o.TagKeys {
			c.Tags[key] = ""
		}
		if o.Lifecycle {
			c.MaxImageCount = 1
		}
		for role, generate := range map[string]func(ecr.Config) (iampolicy.Document, error){
			d.ControllerRoleARN: iampolicy.Controller, d.PushRoleARN: iampolicy.Push, d.PullRoleARN: iampolicy.Pull,
		} {
			if role == "" {
				continue
			}
			want, err := generate(c)
			require.NoError(t, err)
			var text string
			server.UpdateRole(role, func(r *ecrtest.Role) { text = r.Policies[0] })
			var got iampolicy.Document
			require.NoError(t, json.Unmarshal([]byte(text), &got))
			require.Equal(t, sorted(want), sorted(got))
		}
		server.Close()
	}
}
