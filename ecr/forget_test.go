package ecr_test

import (
	"context"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// The sessions that come before the push role's are kept too, for an hour. One call lets go of all of them, through the cache.
func TestForgetAll(t *testing.T) {
	t.Parallel()
	t.Run("the session of role_arn", func(t *testing.T) {
		t.Parallel()
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		aws.outside()
		p := cache.New(aws.provider(t), cache.Options{})
		t.Cleanup(func() { require.NoError(t, provider.Close(p)) })
		issue := func() []string {
			aws.ResetCalls()
			_, err := provider.Issue(t.Context(), p, push)
			require.NoError(t, err)
			return aws.names()
		}
		require.Equal(t, []string{"sts:GetCallerIdentity", "sts:AssumeRole", "sts:AssumeRole", "ecr:GetAuthorizationToken"}, issue())
		require.Empty(t, issue())
		p.Forget("hello")
		require.Equal(t, []string{"sts:AssumeRole", "ecr:GetAuthorizationToken"}, issue())
		p.ForgetAll()
		require.Equal(t, []string{"sts:AssumeRole", "sts:AssumeRole", "ecr:GetAuthorizationToken"}, issue(), "the controller's again")
	})
	t.Run("what the SDK keeps", func(t *testing.T) {
		t.Parallel()
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		user, retrieved := aws.deployment.ControllerUser, 0
		aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
		p := aws.provider(t, ecr.WithLoadOptions(config.WithCredentialsProvider(awssdk.NewCredentialsCache(
			awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
				retrieved++
				return awssdk.Credentials{AccessKeyID: user.ID, SecretAccessKey: user.Secret, CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
			})))))
		for range 3 {
			_, err := provider.Issue(t.Context(), p, push)
			require.NoError(t, err)
		}
		require.Equal(t, 1, retrieved)
		p.ForgetAll()
		_, err := provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
		require.Equal(t, 2, retrieved)
	})
}

// A provider that is closed keeps no connections, and works on with new ones.
func TestCloseLetsGoOfConnections(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	p := aws.provider(t)
	issue := func() (connections int) {
		_, err := provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
		return aws.Connections("")
	}
	first := issue()
	require.Equal(t, first, issue(), "they are kept")
	for range 2 {
		require.NoError(t, provider.Close(p))
	}
	require.Equal(t, 2*first, issue())
}
