package server

import (
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// ecrLocal is the built-in run mode with ECR on a double of AWS.
const ecrLocal = "ecr-local"

// localAWS is the double: an account with the roles of a broker and two projects' repositories.
type localAWS struct {
	server     *ecrtest.Server
	deployment ecrtest.Deployment
}

func newLocalAWS() *localAWS {
	server := ecrtest.NewServer(ecrtest.Config{})
	deployment := server.Setup(ecrtest.SetupOptions{SessionTags: true})
	for _, project := range []string{"hello", "other"} {
		server.CreateRepository(deployment.Repository(project))
	}
	return &localAWS{server, deployment}
}

// lookup adds the variables of the built-in configuration to an environment.
func (l *localAWS) lookup(environment func(string) (string, bool)) func(string) (string, bool) {
	if environment == nil {
		environment = os.LookupEnv
	}
	ours := map[string]string{
		"RISE_ECR_LOCAL_PUSH_ROLE_ARN":     l.deployment.PushRoleARN,
		"RISE_ECR_LOCAL_ACCESS_KEY_ID":     l.deployment.ControllerUser.ID,
		"RISE_ECR_LOCAL_SECRET_ACCESS_KEY": l.deployment.ControllerUser.Secret,
	}
	return func(name string) (string, bool) {
		if value, ok := ours[name]; ok {
			return value, true
		}
		return environment(name)
	}
}

// option sends the provider to the double, whatever endpoints the environment asks for.
func (l *localAWS) option() ecr.Option {
	return ecr.WithLoadOptions(
		awsconfig.WithBaseEndpoint(l.server.URL),
		awsconfig.WithUseFIPSEndpoint(aws.FIPSEndpointStateDisabled),
		awsconfig.WithUseDualStackEndpoint(aws.DualStackEndpointStateDisabled),
	)
}
