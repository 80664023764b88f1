package ecr_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// hello is project hello with an id.
var hello = provider.Project{Name: "hello", ID: "p-1"}

// tenancy is an account whose controller may manage repositories, and a provider for it, in a synctest bubble.
type tenancy struct {
	*awsServer
	*ecr.Provider
}

func inTenancy(t *testing.T, c ecrtest.Config, change func(*ecr.Config), test func(t *testing.T, l tenancy)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c.InMemory = true
		aws := newAWS(t, c, ecrtest.SetupOptions{SessionTags: true, AutoRemove: true, TagKeys: []string{"team", "env"}, KMSKeyARN: kmsKey})
		aws.config.Installation, aws.config.AutoRemove = "prod", true
		if change != nil {
			change(&aws.config)
		}
		generated(t, aws)
		p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
		require.NoError(t, err)
		test(t, tenancy{aws, p})
	})
}

// generated gives the account's principals exactly the policies that the configuration's operator is told to give them.
func generated(t *testing.T, aws *awsServer) {
	t.Helper()
	options := iampolicy.Options{ControllerARN: aws.deployment.ControllerRoleARN}
	c := aws.config
	if c.Installation == "" {
		c.AutoRemove = false // for which there are none
	}
	controller, err := iampolicy.Controller(c)
	require.NoError(t, err)
	push, err := iampolicy.Push(c)
	require.NoError(t, err)
	trust, err := iampolicy.PushTrust(c, options)
	require.NoError(t, err)
	user := strings.Replace(options.ControllerARN, ":role/", ":user/", 1) // which needn't assume the role, so that calls are few
	aws.UpdateUser(user, func(u *ecrtest.User) { u.Policies = []string{controller.String()} })
	aws.UpdateRole(aws.deployment.PushRoleARN, func(r *ecrtest.Role) {
		r.Policies, r.Trust = []string{push.String()}, strings.ReplaceAll(trust.String(), options.ControllerARN, user)
	})
}

const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"

// managing is a configuration with everything that a repository can be set to.
func managing(c *ecr.Config) {
	c.ImageTagMutability, c.ImageTagMutabilityExclusions = "IMMUTABLE_WITH_EXCLUSION", []string{"latest", "dev-*"}
	c.KMSKeyARN, c.MaxImageCount, c.UntaggedExpireDays = kmsKey, 100, 7
	c.Tags = map[string]string{"team": "platform", "env": "prod"}
}

const managedLifecycle = `{"rules":[{"rulePriority":1,"description":"untagged_expire_days","selection":{"tagStatus":"untagged",` +
	`"countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}},{"rulePriority":2,` +
	`"description":"max_image_count","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}`

// push pushes an image with a credential for the project.
func (l tenancy) push(project string) error {
	ctx := context.Background()
	c, err := provider.Issue(ctx, l.Provider, provider.Request{Project: project, Access: provider.Push})
	if err != nil {
		return err
	}
	return l.pushWith(c)
}

func (l tenancy) pushWith(c provider.Credentials) error {
	auth, err := c.Authenticator()
	if err != nil {
		return err
	}
	image, err := random.Image(64, 1)
	if err != nil {
		return err
	}
	repository, err := l.Repository(strings.TrimPrefix(c.Target.(interface{ RepositoryStr() string }).RepositoryStr(), "rise/"), provider.Client)
	if err != nil {
		return err
	}
	return remote.Write(repository.Tag("v1"), image, remote.WithAuth(auth), remote.WithTransport(l.Transport()))
}

// state is a repository without what differs from run to run.
func (l tenancy) state(name string) string {
	r, ok := l.Server.Repository(name)
	if !ok {
		return "none"
	}
	if at, err := time.Parse(time.RFC3339, r.Tags["rise:orphaned-at"]); err == nil && !at.After(time.Now()) {
		r.Tags["rise:orphaned-at"] = "set"
	}
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		tags = append(tags, key+"="+r.Tags[key])
	}
	return fmt.Sprintf("%v %s %v scan=%v kms=%s %s policy=%s images=%d", tags, r.TagMutability, r.MutabilityExclusions, r.ScanOnPush, r.KMSKeyARN, r.LifecyclePolicy, r.Policy, len(r.ImageDigests))
}

func (l tenancy) ensure(t *testing.T, p provider.Project) repository.Change {
	t.Helper()
	change, err := l.EnsureRepository(t.Context(), p, repository.EnsureOptions{})
	require.NoError(t, err)
	return change
}

// writes are the calls since the last reset that change something.
func (l tenancy) writes() []string {
	var names []string
	for _, name := range l.names() {
		if _, action, _ := strings.Cut(name, ":"); !strings.HasPrefix(action, "Get") && !strings.HasPrefix(action, "List") &&
			!strings.HasPrefix(action, "Describe") && !strings.HasPrefix(action, "Assume") {
			names = append(names, name)
		}
	}
	return names
}

func TestEnsureCreates(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, managing, func(t *testing.T, l tenancy) {
		planned, err := l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{DryRun: true})
		require.NoError(t, err)
		require.Equal(t, []repository.Action{repository.ActionCreate}, planned.Actions)
		require.Empty(t, l.Repositories())

		l.ResetCalls()
		made := l.ensure(t, hello)
		require.Equal(t, []repository.Action{repository.ActionCreate, repository.ActionLifecycle}, made.Actions)
		require.Equal(t, "rise/hello", made.Name)
		require.Equal(t, repository.Owner{Ours: true, ProjectID: "p-1"}, made.Owner)
		require.Equal(t, []string{"ecr:DescribeRepositories", "ecr:CreateRepository", "ecr:PutLifecyclePolicy"}, l.names())
		require.Equal(t, made.Calls, len(l.Calls()))
		r, _ := l.Server.Repository("rise/hello")
		require.Equal(t, map[string]string{"rise:managed": "true", "rise:project": "hello", "rise:installation": "prod",
			"rise:project-id": "p-1", "team": "platform", "env": "prod"}, r.Tags)
		require.Equal(t, "IMMUTABLE_WITH_EXCLUSION", r.TagMutability)
		require.ElementsMatch(t, []string{"latest", "dev-*"}, r.MutabilityExclusions)
		require.True(t, r.ScanOnPush)
		require.Equal(t, kmsKey, r.KMSKeyARN)
		require.JSONEq(t, managedLifecycle, r.LifecyclePolicy)

		l.ResetCalls()
		again := l.ensure(t, hello)
		require.False(t, again.Changed())
		require.Equal(t, []string{"ecr:DescribeRepositories", "ecr:ListTagsForResource", "ecr:GetLifecyclePolicy"}, l.names())
		require.NoError(t, l.push("hello"))
		require.Error(t, l.push("other"))
	})
}

// Each setting that is changed behind our back is seen, by a listing if it shows it, and that setting alone is written.
func TestDrift(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*ecrtest.Repository)
		writes []string
		action repository.Action
		listed bool
	}{
		"scan":           {func(r *ecrtest.Repository) { r.ScanOnPush = false }, []string{"ecr:PutImageScanningConfiguration"}, repository.ActionScanOnPush, true},
		"mutability":     {func(r *ecrtest.Repository) { r.TagMutability, r.MutabilityExclusions = "MUTABLE", nil }, []string{"ecr:PutImageTagMutability"}, repository.ActionTagMutability, true},
		"exclusion":      {func(r *ecrtest.Repository) { r.MutabilityExclusions = []string{"*"} }, []string{"ecr:PutImageTagMutability"}, repository.ActionTagMutability, true},
		"lifecycle gone": {func(r *ecrtest.Repository) { r.LifecyclePolicy = "" }, []string{"ecr:PutLifecyclePolicy"}, repository.ActionLifecycle, false},
		"lifecycle": {func(r *ecrtest.Repository) {
			r.LifecyclePolicy = strings.Replace(managedLifecycle, "100", "1", 1)
		}, []string{"ecr:PutLifecyclePolicy"}, repository.ActionLifecycle, false},
		"tag gone":    {func(r *ecrtest.Repository) { delete(r.Tags, "team") }, []string{"ecr:TagResource"}, repository.ActionTag, false},
		"tag changed": {func(r *ecrtest.Repository) { r.Tags["env"] = "dev" }, []string{"ecr:TagResource"}, repository.ActionTag, false},
		"id gone":     {func(r *ecrtest.Repository) { delete(r.Tags, "rise:project-id") }, []string{"ecr:TagResource"}, repository.ActionTag, false},
		"format only": {func(r *ecrtest.Repository) {
			r.LifecyclePolicy = "\n" + strings.ReplaceAll(r.LifecyclePolicy, ",", " , ")
		}, nil, "", false},
		"others' tag": {func(r *ecrtest.Repository) { r.Tags["cost"] = "1" }, nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTenancy(t, ecrtest.Config{}, managing, func(t *testing.T, l tenancy) {
				l.ensure(t, hello)
				want := l.state("rise/hello")
				l.UpdateRepository("rise/hello", tt.change)
				var actions []repository.Action
				if tt.action != "" {
					actions = append(actions, tt.action)
				}
				for r, err := range l.ListRepositories(t.Context()) {
					require.NoError(t, err)
					require.Equal(t, tt.listed, len(r.Drift) == 1)
					if tt.listed {
						require.Equal(t, actions, r.Drift)
					}
				}
				l.ResetCalls()
				planned, err := l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{DryRun: true})
				require.NoError(t, err)
				require.Equal(t, actions, planned.Actions)
				require.Empty(t, l.writes())
				mended := l.ensure(t, hello)
				require.Equal(t, actions, mended.Actions)
				require.Equal(t, tt.writes, l.writes())
				if tt.action != "" {
					require.Equal(t, want, l.state("rise/hello"))
				}
			})
		})
	}
}

// A listed repository is mended by one tag read and one write for each setting.
func TestMendListed(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, managing, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
			r.TagMutability, r.MutabilityExclusions, r.LifecyclePolicy = "MUTABLE", nil, ""
		})
		for r, err := range l.ListRepositories(t.Context()) {
			require.NoError(t, err)
			l.ResetCalls()
			change, err := l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{Listed: &r, ListedOnly: true})
			require.NoError(t, err)
			require.Equal(t, []string{"ecr:ListTagsForResource", "ecr:PutImageTagMutability"}, l.names())
			require.Equal(t, []repository.Action{repository.ActionTagMutability}, change.Actions)

			l.ResetCalls()
			_, err = l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{Listed: &repository.Repository{Project: "hello", Name: "rise/hello"}})
			require.NoError(t, err)
			require.Equal(t, []string{"ecr:ListTagsForResource", "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"}, l.names())

			_, err = l.EnsureRepository(t.Context(), provider.Project{Name: "other"}, repository.EnsureOptions{Listed: &r})
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
			l.DeleteRepository("rise/hello")
			change, err = l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{Listed: &r})
			require.NoError(t, err)
			require.Contains(t, change.Actions, repository.ActionCreate, "it went meanwhile")
		}
	})
}

func TestSettingsRemoved(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		def := l.deployment.Repository("hello")
		def.LifecyclePolicy, def.ScanOnPush, def.KMSKeyARN = managedLifecycle, true, kmsKey
		l.CreateRepository(def)
		l.ResetCalls()
		change := l.ensure(t, provider.Project{Name: "hello"})
		require.Equal(t, []string{"ecr:DeleteLifecyclePolicy"}, l.writes())
		require.Equal(t, []repository.Action{repository.ActionLifecycle}, change.Actions)
		require.Equal(t, []string{"the repository's encryption isn't as configured, and can't be changed once it is made"}, change.Notes)
	})
}

// Where scanning is the registry's, a repository is made all the same, and nobody tries again and again.
func TestScanningByRegistry(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{ScanningByRegistry: true}, nil, func(t *testing.T, l tenancy) {
		l.CreateRepository(l.deployment.Repository("old"))
		change := l.ensure(t, provider.Project{Name: "old"})
		require.Len(t, change.Notes, 1)
		require.Contains(t, change.Notes[0], "scan on push couldn't be set")
		l.ResetCalls()
		require.Empty(t, l.ensure(t, provider.Project{Name: "old"}).Notes)
		l.ensure(t, hello)
		require.Equal(t, []string{"ecr:CreateRepository"}, l.writes())
		for r, err := range l.ListRepositories(t.Context()) {
			require.NoError(t, err)
			require.Empty(t, r.Drift)
		}
	})
	inTenancy(t, ecrtest.Config{ScanningByRegistry: true}, nil, func(t *testing.T, l tenancy) { // what was listed before that showed
		var listed []repository.Repository
		for _, name := range []string{"a", "b", "c"} {
			l.CreateRepository(l.deployment.Repository(name))
		}
		for r, err := range l.ListRepositories(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, []repository.Action{repository.ActionScanOnPush}, r.Drift)
			listed = append(listed, r)
		}
		l.ResetCalls()
		for _, r := range listed {
			_, err := l.EnsureRepository(t.Context(), provider.Project{Name: r.Project}, repository.EnsureOptions{Listed: &r, ListedOnly: true})
			require.NoError(t, err)
		}
		require.Equal(t, []string{"ecr:ListTagsForResource", "ecr:PutImageScanningConfiguration"}, l.names())
	})
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.Inject(ecrtest.Fault{Action: "ecr:CreateRepository", Times: 1, Error: "ValidationException", Message: "imageScanningConfiguration is deprecated"})
		change := l.ensure(t, hello)
		require.Equal(t, []repository.Action{repository.ActionCreate}, change.Actions)
		require.Len(t, change.Notes, 1)
	})
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.Inject(ecrtest.Fault{Action: "ecr:CreateRepository", Error: "AccessDeniedException", Status: 400})
		change, err := l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{})
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		require.Empty(t, change.Actions)
		require.Equal(t, 2, change.Calls)
	})
}

// Rights that follow tags late are waited for, within bounds.
func TestTagDelay(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{TagDelay: 5 * time.Second}, func(c *ecr.Config) { managing(c); c.RemoveAfter = new(time.Duration(0)) }, func(t *testing.T, l tenancy) {
		require.Equal(t, []repository.Action{repository.ActionCreate, repository.ActionLifecycle}, l.ensure(t, hello).Actions)
		change, err := l.ReleaseRepository(t.Context(), hello)
		require.NoError(t, err)
		require.Equal(t, []repository.Action{repository.ActionRelease, repository.ActionRemove}, change.Actions)
	})
	inTenancy(t, ecrtest.Config{TagDelay: time.Minute}, managing, func(t *testing.T, l tenancy) {
		start := time.Now()
		_, err := l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{})
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		require.Equal(t, 15500*time.Millisecond, time.Since(start))
		time.Sleep(2 * time.Minute)
		require.Equal(t, []repository.Action{repository.ActionLifecycle}, l.ensure(t, hello).Actions)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = l.EnsureRepository(ctx, provider.Project{Name: "other"}, repository.EnsureOptions{})
		require.Error(t, err)
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		var want []string
		for i := range 2100 {
			project := fmt.Sprintf("p%d", i)
			l.CreateRepository(l.deployment.Repository(project))
			want = append(want, project)
		}
		for _, name := range []string{"rise", "rise/team/app", "rise/a_b", "risen/app", "app"} {
			l.CreateRepository(ecrtest.Repository{Name: name})
		}
		l.ResetCalls()
		var got []string
		for r, err := range l.ListRepositories(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, "rise/"+r.Project, r.Name)
			require.Equal(t, time.Now().UTC(), r.CreatedAt.UTC())
			got = append(got, r.Project)
		}
		require.ElementsMatch(t, want, got)
		require.Len(t, l.Calls(), 3)
		l.ResetCalls()
		for _, err := range l.ListRepositories(t.Context()) {
			require.NoError(t, err)
			break
		}
		require.Len(t, l.Calls(), 1)
		l.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", Skip: 1, Error: "AccessDeniedException"})
		n := 0
		for _, err := range l.ListRepositories(t.Context()) {
			if n++; n > 1000-5 {
				n--
				if err != nil {
					require.ErrorIs(t, err, provider.ErrAccessDenied)
					n = -1
				}
			}
		}
		require.Equal(t, -1, n, "the error comes last")
	})
}
