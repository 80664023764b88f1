package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/metrics"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// An attempt is counted when it is made: what finding credentials for it takes, and its failures, are other calls'.
func TestUpstreamCountsCallsThatWereMade(t *testing.T) {
	t.Parallel()
	aws := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(aws.Close)
	d := aws.Setup(ecrtest.SetupOptions{})
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN, c.RoleARN = "eu-west-1", "123456789012", d.PushRoleARN, d.ControllerRoleARN
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(d.OutsideUser.ID), provider.NewSecret(d.OutsideUser.Secret)
	aws.Inject(ecrtest.Fault{Action: "sts:GetCallerIdentity", Error: "AccessDenied"})
	m := metrics.New()
	p, err := ecr.New(t.Context(), c, m.Upstream(), ecr.WithLoadOptions(config.WithBaseEndpoint(aws.URL),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil)))
	require.NoError(t, err)
	_, err = provider.Issue(t.Context(), p, provider.Request{Project: "hello", Access: provider.Push})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.Len(t, aws.Calls(), 1)

	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	var attempts []string
	for line := range strings.Lines(recorder.Body.String()) {
		if strings.HasPrefix(line, "rise_registry_upstream_attempts_total{") {
			attempts = append(attempts, strings.TrimSpace(line))
		}
	}
	require.Equal(t, []string{`rise_registry_upstream_attempts_total{code="AccessDenied",operation="GetCallerIdentity",service="STS"} 1`}, attempts)
}
