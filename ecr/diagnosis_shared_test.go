package ecr_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Whether what is shared is there, and can be pulled.
func TestDiagnosisOfShared(t *testing.T) {
	t.Parallel()
	const (
		again   = "make the push and the pull role's policies again: apply the Terraform module, or operator policies push"
		fetched = "what a pull-through cache doesn't hold yet isn't fetched by a pull with a credential"
	)
	policy := func(effect string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":"*","Action":"ecr:*"}]}`
	}
	refuses := func(s *awsServer, message string) {
		s.Inject(ecrtest.Fault{Action: "registry:BatchGetImage", Error: "DENIED", Message: message, Status: http.StatusForbidden})
	}
	for name, test := range map[string]struct {
		setup   func(*ecrtest.SetupOptions)
		change  func(*testing.T, *awsServer)
		there   []string
		project string
		status  diagnosis.Status
		summary []string
		remedy  []string // none is left out
	}{
		"all there": {there: []string{"base", "mirror/x"}, status: diagnosis.Passed, summary: []string{"can pull what is shared", fetched}},
		"with a project, by the generated policies": {
			setup: func(o *ecrtest.SetupOptions) { o.PullRole, o.SessionTags = true, true }, change: func(t *testing.T, s *awsServer) { t.Helper(); s.generated(t) },
			there: []string{"base", "mirror/library/x"}, project: "hello", status: diagnosis.Passed, summary: []string{fetched},
		},
		"its own policy lets anybody in": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				s.UpdateRepository("base", func(r *ecrtest.Repository) { r.Policy = policy("Allow") })
			}, status: diagnosis.Passed, summary: []string{"can pull"},
		},
		"a name of nothing": {
			there: []string{"mirror/x", "base/x"}, status: diagnosis.Failed, summary: []string{"there is no repository base", fetched},
			remedy: []string{"make it and push to it, with rights of your own, or take it out"},
		},
		"a pattern of nothing": {
			there: []string{"base", "mirror", "mirrors/x"}, status: diagnosis.Warned, summary: []string{"there is no repository of mirror/* (shared_repositories) yet", fetched},
			remedy: []string{"ecr:CreateRepository", "ecr:BatchImportUpstreamImage"},
		},
		"the same, with a project": {
			there: []string{"base"}, project: "hello", status: diagnosis.Warned, summary: []string{"there is no repository of mirror/*"}, remedy: []string{"pull once through the cache"},
		},
		"a pattern of nothing that can be listed": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				s.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", Error: "ServerException", Status: http.StatusInternalServerError})
			}, status: diagnosis.Skipped, summary: []string{"no repository of mirror/* (shared_repositories) is among those that were looked through"},
		},
		"roles made for another configuration": {
			setup: func(o *ecrtest.SetupOptions) { o.SharedRepositories = nil }, there: []string{"base", "mirror/x"},
			status: diagnosis.Failed, summary: []string{"the push role's own policy denies what shared_repositories names, base"}, remedy: []string{again, "operator policies pull"},
		},
		"a role without Denies": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				s.UpdateRole(s.deployment.PushRoleARN, func(r *ecrtest.Role) {
					r.Policies = []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`}
				})
			}, status: diagnosis.Failed, summary: []string{"the push role's own policy doesn't allow what shared_repositories names, base"},
			remedy: []string{again, `"Effect":"Allow","Resource":["arn:aws:ecr:eu-west-1:123456789012:repository/base","arn:aws:ecr:eu-west-1:123456789012:repository/mirror/*"]`},
		},
		"a boundary": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				s.UpdateRole(s.deployment.PushRoleARN, func(r *ecrtest.Role) {
					r.Boundary = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:*:*:repository/rise/*"},{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`
				})
			}, status: diagnosis.Failed, summary: []string{"the permissions boundary of the push role doesn't allow to pull from the shared repository base"}, remedy: []string{"allow it there\n{"},
		},
		"its own policy forbids it": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				s.UpdateRepository("mirror/x", func(r *ecrtest.Repository) { r.Policy = policy("Deny") })
			}, status: diagnosis.Failed, summary: []string{"a Deny in a resource-based policy forbids the push role's session to pull from the shared repository mirror/x"}, remedy: []string{"take it out"},
		},
		"a cache that doesn't hold it": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				refuses(s, "User: arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-diagnose is not authorized to perform: ecr:BatchImportUpstreamImage on resource: "+
					"arn:aws:ecr:eu-west-1:123456789012:repository/base with an explicit deny in a session policy")
			}, status: diagnosis.Passed, summary: []string{fetched},
		},
		"the registry fails": {
			there: []string{"base", "mirror/x"}, change: func(_ *testing.T, s *awsServer) {
				s.Inject(ecrtest.Fault{Action: "registry:BatchGetImage", Status: http.StatusInternalServerError})
			}, status: diagnosis.Failed, summary: []string{"gave no clear answer about the shared repository base"}, remedy: []string{"try again later"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := ecrtest.SetupOptions{SharedRepositories: shared}
			if test.setup != nil {
				test.setup(&o)
			}
			s := newAWS(t, ecrtest.Config{}, o)
			s.config.RegistryHost, s.config.Installation, s.config.SharedRepositories = s.RegistryHost, "prod", shared
			s.CreateRepository(s.deployment.Repository("hello"))
			for _, repository := range test.there {
				s.CreateRepository(ecrtest.Repository{Name: repository})
			}
			if test.change != nil {
				test.change(t, s)
			}
			list := diagnose(t.Context(), t, s.provider(t), diagnosis.Options{Project: test.project})
			text := readable(t, list)
			for _, f := range list {
				if f.Check != "shared_repositories" {
					continue
				}
				require.Equal(t, test.status.String(), f.Status.String(), text)
				for _, part := range test.summary {
					require.Contains(t, f.Summary, part)
				}
				for _, part := range test.remedy {
					require.Contains(t, f.Remedy, part)
				}
				return
			}
			require.Fail(t, "not checked", text)
		})
	}
}

// Nothing is asked for where nothing is shared.
func TestDiagnosisWithoutShared(t *testing.T) {
	t.Parallel()
	s := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	s.config.RegistryHost = s.RegistryHost
	for _, f := range diagnose(t.Context(), t, s.provider(t), diagnosis.Options{}) {
		require.NotEqual(t, "shared_repositories", f.Check)
	}
}
