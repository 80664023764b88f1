package ecr_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func diagnose(ctx context.Context, t *testing.T, p provider.Provider, o provider.DiagnoseOptions) []provider.Finding {
	t.Helper()
	findings, err := provider.Diagnose(ctx, p, o)
	require.NoError(t, err)
	var list []provider.Finding
	for f := range findings {
		list = append(list, f)
	}
	return list
}

func readable(t *testing.T, list []provider.Finding) string {
	t.Helper()
	text, err := json.MarshalIndent(list, "", " ")
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), `\n`, "\n")
}

// reads lets the controller read what a diagnosis looks at beyond its own work.
func (s *awsServer) reads() {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribePullThroughCacheRules",` +
		`"ecr:DescribeRepositoryCreationTemplates","ecr:GetRegistryPolicy"],"Resource":"*"}]}`
	s.UpdateUser("rise-backend", func(u *ecrtest.User) { u.Policies = append(u.Policies, policy) })
	s.UpdateRole("rise-backend", func(r *ecrtest.Role) { r.Policies = append(r.Policies, policy) })
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	project := provider.DiagnoseOptions{Project: "hello"}
	for name, test := range map[string]struct {
		setup   ecrtest.SetupOptions
		change  func(*awsServer)
		opts    func(*awsServer) []ecr.Option
		o       provider.DiagnoseOptions
		reads   bool
		special string // what isn't passed
	}{
		"everything, outside AWS": {
			setup: ecrtest.SetupOptions{PullRole: true, SessionTags: true, ExternalID: "push-id", RoleExternalID: "outside-id"}, change: (*awsServer).outside,
			o: project, reads: true, special: "credentials warned",
		},
		"static keys": {o: project, special: "credentials warned, registry_policy skipped, creation_templates skipped, pull_through_rules skipped"},
		"no project":  {reads: true, special: "credentials warned"},
		"write probe": {o: provider.DiagnoseOptions{Project: "hello", WriteProbe: true}, reads: true, special: "credentials warned"},
		"everything, Pod Identity": {
			setup: ecrtest.SetupOptions{PullRole: true, SessionTags: true}, reads: true, o: project,
			opts: func(s *awsServer) []ecr.Option {
				pod := s.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(s)})
				s.config.RoleARN, s.config.AccessKeyID, s.config.SecretAccessKey = s.deployment.ControllerRoleARN, provider.Secret{}, provider.Secret{}
				return []ecr.Option{ecr.WithLoadOptions(containerCredentials(pod))}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, test.setup)
			aws.config.RegistryHost, aws.config.Installation = aws.RegistryHost, "prod"
			for _, project := range []string{"hello", "other"} {
				aws.CreateRepository(aws.deployment.Repository(project))
			}
			if test.change != nil {
				test.change(aws)
			}
			if test.reads {
				aws.reads()
			}
			var opts []ecr.Option
			if test.opts != nil {
				opts = test.opts(aws)
			}
			list := diagnose(t.Context(), t, aws.provider(t, opts...), test.o)
			var special []string
			for _, f := range list {
				if f.Status != provider.Passed {
					special = append(special, f.Check+" "+f.Status.String())
				}
			}
			require.Equal(t, test.special, strings.Join(special, ", "), readable(t, list))
			require.LessOrEqual(t, len(aws.Calls()), 15, aws.names())
		})
	}
}
