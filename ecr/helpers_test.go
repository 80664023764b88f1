package ecr_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

var (
	push = provider.Request{Project: "hello", Access: provider.Push}
	pull = provider.Request{Project: "hello", Access: provider.Pull}
	all  = provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster}
)

// hermetic keeps the machine's own AWS configuration out.
func hermetic() ecr.Option {
	return ecr.WithLoadOptions(config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil))
}

// awsServer is a set-up account and a configuration for it.
type awsServer struct {
	*ecrtest.Server
	deployment ecrtest.Deployment
	config     ecr.Config
}

func newAWS(t *testing.T, c ecrtest.Config, o ecrtest.SetupOptions) *awsServer {
	t.Helper()
	server := ecrtest.NewServer(c)
	t.Cleanup(server.Close)
	d := server.Setup(o)
	cfg := ecr.DefaultConfig()
	cfg.Region, cfg.AccountID = "eu-west-1", "123456789012"
	if c.Region != "" {
		cfg.Region = c.Region
	}
	cfg.PushRoleARN, cfg.PullRoleARN = d.PushRoleARN, d.PullRoleARN
	cfg.AccessKeyID = provider.NewSecret(d.ControllerUser.ID)
	cfg.SecretAccessKey = provider.NewSecret(d.ControllerUser.Secret)
	cfg.SharedRepositories = o.SharedRepositories
	cfg.ExternalID, cfg.SessionTags = o.ExternalID, o.SessionTags
	return &awsServer{Server: server, deployment: d, config: cfg}
}

// provider builds a provider that reaches the server over loopback, or in memory if that is where it listens.
func (s *awsServer) provider(t *testing.T, opts ...ecr.Option) *ecr.Provider {
	t.Helper()
	reach := config.WithBaseEndpoint(s.URL)
	p, err := ecr.New(t.Context(), s.config, append([]ecr.Option{hermetic(), ecr.WithLoadOptions(reach)}, opts...)...)
	require.NoError(t, err)
	return p
}

// names are the calls so far.
func (s *awsServer) names() []string {
	var names []string
	for _, c := range s.Calls() {
		names = append(names, c.Name())
	}
	return names
}
