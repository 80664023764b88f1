package reconcile_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// account is an AWS account with a provider whose controller has the rights of the documentation, and no more.
type account struct {
	*ecrtest.Server
	ecr        *ecr.Provider
	deployment ecrtest.Deployment
}

func inAccount(t *testing.T, test func(t *testing.T, a account)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := ecrtest.NewServer(ecrtest.Config{InMemory: true})
		defer server.Close()
		d := server.Setup(ecrtest.SetupOptions{SessionTags: true, AutoRemove: true})
		c := ecr.DefaultConfig()
		c.Region, c.AccountID, c.PushRoleARN, c.SessionTags = "eu-west-1", "123456789012", d.PushRoleARN, true
		c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(d.ControllerUser.ID), provider.NewSecret(d.ControllerUser.Secret)
		c.Installation, c.AutoRemove, c.MaxImageCount = "prod", true, 10
		generated(t, server, d, c)
		client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.DialContext, t.DialTLSContext, t.Proxy = server.DialContext, server.DialContext, nil
		})
		p, err := ecr.New(t.Context(), c, ecr.WithLoadOptions(config.WithSharedConfigFiles(nil),
			config.WithSharedCredentialsFiles(nil), config.WithHTTPClient(client)))
		require.NoError(t, err)
		defer func() { _ = provider.Close(p) }()
		test(t, account{server, p, d})
	})
}

// generated gives the account's principals exactly the policies that the configuration's operator is told to give them.
func generated(t *testing.T, server *ecrtest.Server, d ecrtest.Deployment, c ecr.Config) {
	t.Helper()
	controller, err := iampolicy.Controller(c)
	require.NoError(t, err)
	push, err := iampolicy.Push(c)
	require.NoError(t, err)
	trust, err := iampolicy.PushTrust(c, iampolicy.Options{ControllerARN: d.ControllerRoleARN})
	require.NoError(t, err)
	user := strings.Replace(d.ControllerRoleARN, ":role/", ":user/", 1) // which needn't assume the role, so that calls are few
	server.UpdateUser(user, func(u *ecrtest.User) { u.Policies = []string{controller.String()} })
	server.UpdateRole(d.PushRoleARN, func(r *ecrtest.Role) {
		r.Policies, r.Trust = []string{push.String()}, strings.ReplaceAll(trust.String(), d.ControllerRoleARN, user)
	})
}

// seed makes a repository that is as configured, made two days ago.
func (a account) seed(project string, change func(*ecrtest.Repository)) {
	r := a.deployment.Repository(project)
	r.Tags["rise:project-id"] = "id-" + project
	r.ScanOnPush, r.CreatedAt = true, time.Now().Add(-2*day)
	r.LifecyclePolicy = `{"rules":[{"rulePriority":1,"description":"max_image_count","selection":{"tagStatus":"any",` +
		`"countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}`
	if change != nil {
		change(&r)
	}
	a.CreateRepository(r)
}

func (a account) push(t *testing.T, project string) {
	t.Helper()
	c, err := provider.Issue(t.Context(), a.ecr, provider.Request{Project: project, Access: provider.Push})
	require.NoError(t, err)
	auth, err := c.Authenticator()
	require.NoError(t, err)
	image, err := random.Image(64, 1)
	require.NoError(t, err)
	repository, err := a.ecr.Repository(project, provider.Client)
	require.NoError(t, err)
	require.NoError(t, remote.Write(repository.Tag("v1"), image, remote.WithAuth(auth), remote.WithTransport(a.Transport())))
}

func (a account) orphan(project string, age time.Duration) {
	a.UpdateRepository("rise/"+project, func(r *ecrtest.Repository) {
		r.Tags["rise:orphaned"], r.Tags["rise:orphaned-at"] = "true", time.Now().Add(-age).UTC().Format(time.RFC3339)
	})
}

// states are all repositories without what differs from run to run.
func (a account) states() map[string]string {
	all := map[string]string{}
	for _, r := range a.Repositories() {
		if at, err := time.Parse(time.RFC3339, r.Tags["rise:orphaned-at"]); err == nil && !at.After(time.Now()) {
			r.Tags["rise:orphaned-at"] = "set"
		}
		var tags []string
		for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
			tags = append(tags, key+"="+r.Tags[key])
		}
		all[r.Name] = fmt.Sprint(tags, r.TagMutability, r.ScanOnPush, r.LifecyclePolicy, " images=", len(r.ImageDigests))
	}
	return all
}

// everything is a world in which a run has each kind of work to do.
func (a account) everything(t *testing.T) *service {
	t.Helper()
	s := newService("w0", "w1", "w2", "w3", "missing", "drifted", "unlifecycle", "back")
	for _, project := range []string{"w0", "w1", "w2", "w3", "left", "back", "ripe", "unripe"} {
		a.seed(project, nil)
	}
	a.seed("drifted", func(r *ecrtest.Repository) { r.ScanOnPush, r.TagMutability = false, "IMMUTABLE" })
	a.seed("unlifecycle", func(r *ecrtest.Repository) { r.LifecyclePolicy = "" })
	a.seed("young", func(r *ecrtest.Repository) { r.CreatedAt = time.Now() })
	a.seed("stranger", func(r *ecrtest.Repository) { r.Tags["rise:installation"] = "staging" })
	a.seed("nobody", func(r *ecrtest.Repository) { r.Tags = nil })
	for _, project := range []string{"w0", "drifted", "left", "back", "ripe", "unripe"} {
		a.push(t, project)
	}
	a.orphan("back", 3*day)
	a.orphan("ripe", 2*day)
	a.orphan("unripe", time.Hour)
	a.ResetCalls()
	return s
}

// enough is the percentage with which the guard lets a run go on with everything: of nine, one is wanted back, one was orphaned
// an hour ago, and one is left over.
const enough = 34

func (a account) run(ctx context.Context, t *testing.T, s *service, o reconcile.Options) (reconcile.Report, error) {
	t.Helper()
	r, err := reconcile.New(a.ecr, s, o)
	require.NoError(t, err)
	return r.Run(ctx)
}

func TestECR(t *testing.T) {
	t.Parallel()
	want := []string{"back: restore", "drifted: set scan on push, set tag mutability", "left: release", "missing: create, set lifecycle policy",
		"ripe: remove", "unlifecycle: set lifecycle policy"}
	inAccount(t, func(t *testing.T, a account) {
		s := a.everything(t)
		before := a.states()
		o := unlimited()
		o.DryRun, o.MaxOrphanedPercent = true, enough
		planned, err := a.run(t.Context(), t, s, o)
		require.NoError(t, err)
		require.Equal(t, before, a.states())
		require.Equal(t, strings.ReplaceAll(strings.Join(want, "\n"), "create, set lifecycle policy", "create"), strings.Join(done(planned), "\n"))
		for _, c := range planned.Changes {
			require.Equal(t, "rise/"+c.Project, c.Name)
		}

		a.ResetCalls()
		o.DryRun = false
		report, err := a.run(t.Context(), t, s, o)
		require.NoError(t, err)
		require.Equal(t, want, done(report))
		require.Equal(t, report.Calls, len(a.Calls())-1)
		after := a.states()
		require.NotContains(t, after, "rise/ripe")
		require.Contains(t, after["rise/left"], "rise:orphaned=true")
		require.NotContains(t, after["rise/back"], "orphaned")
		for _, unchanged := range []string{"stranger", "nobody", "young", "unripe", "w0", "w1"} {
			require.Equal(t, before["rise/"+unchanged], after["rise/"+unchanged])
		}
		a.push(t, "back")
		a.push(t, "missing")

		again, err := a.run(t.Context(), t, s, unlimited())
		require.NoError(t, err)
		require.Empty(t, again.Changes)
	})
}

// Without installation nothing can be told to be ours, and not a single call is made.
func TestECRNotConfigured(t *testing.T) {
	t.Parallel()
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", "arn:aws:iam::123456789012:role/push"
	p, err := ecr.New(t.Context(), c)
	require.NoError(t, err)
	for _, dry := range []bool{false, true} {
		r, err := reconcile.New(p, newService("a"), reconcile.Options{DryRun: dry})
		require.NoError(t, err)
		_, err = r.Run(t.Context())
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, "installation")
	}
}

// A call for each page, and the audit's two for each repository that it looks at.
func TestECRCalls(t *testing.T) {
	t.Parallel()
	inAccount(t, func(t *testing.T, a account) {
		s := newService()
		for i := range 3000 {
			name := fmt.Sprintf("p%d", i)
			s.set(name, "id-"+name)
			a.seed(name, nil)
		}
		for i := range 5 {
			a.seed(fmt.Sprintf("o%d", i), nil)
			a.orphan(fmt.Sprintf("o%d", i), 23*time.Hour)
		}
		for _, dry := range []bool{true, false} {
			a.ResetCalls()
			report, err := a.run(t.Context(), t, s, reconcile.Options{DryRun: dry})
			require.NoError(t, err)
			require.Empty(t, report.Changes)
			counts := map[string]int{}
			for _, c := range a.Calls() {
				counts[c.Name()]++
			}
			require.Equal(t, map[string]int{"ecr:DescribeRepositories": 4, "ecr:ListTagsForResource": 250 + 5, "ecr:GetLifecyclePolicy": 250}, counts)
		}
	})
}

// As TestKilled, with ECR's own calls, the SDK's attempts and the controller's rights.
func TestECRKilled(t *testing.T) {
	t.Parallel()
	o := reconcile.Options{Rate: -1, Concurrency: 1, MaxOrphanedPercent: enough}
	var want map[string]string
	calls := 0
	inAccount(t, func(t *testing.T, a account) {
		s := a.everything(t)
		_, err := a.run(t.Context(), t, s, o)
		require.NoError(t, err)
		want, calls = a.states(), len(a.Calls())
	})
	require.Greater(t, calls, 30)
	for position := range calls {
		t.Run(fmt.Sprint("call ", position), func(t *testing.T) {
			t.Parallel()
			for _, way := range []string{"killed before", "killed after", "denied", "failed", "reset", "lost"} {
				inAccount(t, func(t *testing.T, a account) {
					s := a.everything(t)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					fault := ecrtest.Fault{Action: "ecr:*", Skip: position, Times: 1}
					switch way {
					case "killed before":
						skip := position
						fault.Reset, fault.Skip, fault.Times = true, 0, 0
						fault.If = func(ecrtest.Call) bool {
							if skip--; skip >= 0 {
								return false
							}
							cancel()
							return true
						}
					case "killed after":
						fault.Mutate = func(body []byte) []byte { cancel(); return body }
						fault.Lost = true
					case "denied":
						fault.Error = "AccessDeniedException"
					case "failed":
						fault.Error = "LimitExceededException"
					case "reset": // the SDK tries again
						fault.Reset = true
					case "lost":
						fault.Lost = true
					}
					remove := a.Inject(fault)
					_, err := a.run(ctx, t, s, o)
					remove()
					if way == "reset" || way == "lost" {
						require.NoError(t, err, "%s at %d", way, position)
					}
					for _, unharmed := range []string{"w0", "drifted", "left", "back", "unripe"} {
						require.Contains(t, a.states()["rise/"+unharmed], "images=1")
					}
					_, err = a.run(t.Context(), t, s, o)
					require.NoError(t, err, "%s at %d", way, position)
					require.Equal(t, want, a.states(), "%s at %d", way, position)
				})
			}
		})
	}
}
