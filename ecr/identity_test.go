package ecr_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// outside configures the process as one outside AWS: a user's keys that may only assume the controller role.
func (s *awsServer) outside() {
	s.config.RoleARN = s.deployment.ControllerRoleARN
	s.config.RoleExternalID = s.deployment.Options.RoleExternalID
	s.config.AccessKeyID = provider.NewSecret(s.deployment.OutsideUser.ID)
	s.config.SecretAccessKey = provider.NewSecret(s.deployment.OutsideUser.Secret)
}

func TestControllerRole(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{RoleExternalID: "outside-id", ExternalID: "push-id"})
	aws.outside()
	p := aws.provider(t)
	require.Empty(t, aws.Calls())
	for range 3 {
		_, err := provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		"sts:GetCallerIdentity", "sts:AssumeRole",
		"sts:AssumeRole", "ecr:GetAuthorizationToken",
		"sts:AssumeRole", "ecr:GetAuthorizationToken",
		"sts:AssumeRole", "ecr:GetAuthorizationToken",
	}, aws.names(), "the identity is looked up once, and the controller's session is reused")
	calls := aws.Calls()
	require.Equal(t, aws.deployment.ControllerRoleARN, calls[1].Form.Get("RoleArn"))
	require.Equal(t, "outside-id", calls[1].Form.Get("ExternalId"))
	require.Empty(t, calls[1].Form.Get("Policy"), "the controller's own session has all of the controller's rights")
	require.Equal(t, "push-id", calls[2].Form.Get("ExternalId"))
	require.Equal(t, calls[2].AccessKeyID, calls[6].AccessKeyID)
	require.NotEqual(t, aws.deployment.OutsideUser.ID, calls[2].AccessKeyID, "the push role is assumed as the controller")
}

func TestControllerSessionIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
		aws.outside()
		p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
		require.NoError(t, err)
		hops := func() (n int) {
			for _, c := range aws.Calls() {
				if c.Form.Get("RoleArn") == aws.deployment.ControllerRoleARN {
					n++
				}
			}
			return n
		}
		start := time.Now()
		for time.Since(start) < 5*time.Hour {
			_, err := provider.Issue(t.Context(), p, push)
			require.NoError(t, err, "never signed with a session that has ended")
			time.Sleep(time.Minute)
		}
		require.Equal(t, 6, hops(), "one for each 55 minutes of five hours")
	})
}

func TestAlreadyTheControllerRole(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	pod := aws.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(aws)})
	aws.config.RoleARN = aws.deployment.ControllerRoleARN
	aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
	p := aws.provider(t, ecr.WithLoadOptions(containerCredentials(pod)))
	for range 2 {
		_, err := provider.Issue(t.Context(), p, push)
		require.NoError(t, err, "a role doesn't trust itself by itself")
	}
	require.Equal(t, []string{
		"pod-identity:AssumeRoleForPodIdentity", "sts:GetCallerIdentity",
		"sts:AssumeRole", "ecr:GetAuthorizationToken", "sts:AssumeRole", "ecr:GetAuthorizationToken",
	}, aws.names())
}

func TestRoleOfThatNameElsewhere(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	elsewhere := aws.AddRole(ecrtest.Role{
		Name: strings.Replace(aws.deployment.ControllerRoleARN, "123456789012", "999999999999", 1),
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
			`"Action":["sts:AssumeRole","sts:TagSession"]}]}`,
	})
	pod := aws.AddPodIdentity(ecrtest.PodIdentity{Role: elsewhere})
	aws.config.RoleARN = aws.deployment.ControllerRoleARN
	aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
	_, err := aws.provider(t, ecr.WithLoadOptions(containerCredentials(pod))).Credentials(t.Context(), push)
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.Equal(t, "assume controller role", asError(t, err).Op, "another account's role isn't the controller role")
}

func TestIdentityFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*testing.T, *awsServer)
		kind   provider.Kind
		op     string
		hint   string
	}{
		"controller role isn't trusted": {func(_ *testing.T, s *awsServer) {
			s.outside()
			s.config.RoleExternalID = "wrong"
		}, provider.ErrAccessDenied, "assume controller role", "role_external_id"},
		"unknown key": {func(_ *testing.T, s *awsServer) {
			s.outside()
			s.DeleteAccessKey(s.deployment.OutsideUser.ID)
		}, provider.ErrAccessDenied, "get caller identity", "doesn't know the credentials"},
		"wrong secret": {func(_ *testing.T, s *awsServer) {
			s.config.SecretAccessKey = provider.NewSecret("wrong")
		}, provider.ErrAccessDenied, "assume push role", "the secret access key doesn't belong"},
		"push role isn't trusted": {func(_ *testing.T, s *awsServer) {
			s.config.ExternalID = "wrong"
		}, provider.ErrAccessDenied, "assume push role", "external_id"},
		"no push role": {func(_ *testing.T, s *awsServer) {
			s.config.PushRoleARN = "arn:aws:iam::123456789012:role/missing"
		}, provider.ErrAccessDenied, "assume push role", "check that the role exists"},
		"chained for too long": {func(t *testing.T, s *awsServer) {
			t.Helper()
			key := s.chained(t)
			s.config.AccessKeyID, s.config.SecretAccessKey = provider.NewSecret(key.AccessKeyID), provider.NewSecret(key.SecretAccessKey)
			s.config.SessionToken, s.config.SessionDuration = provider.NewSecret(key.SessionToken), 2*time.Hour
		}, provider.ErrMisconfigured, "assume push role", "set session_duration to 1h or less"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{ExternalID: "push-id", RoleExternalID: "outside-id"})
			test.change(t, aws)
			_, err := aws.provider(t).Credentials(t.Context(), push)
			require.ErrorIs(t, err, test.kind)
			failure := asError(t, err)
			require.Equal(t, test.op, failure.Op)
			require.Equal(t, "hello", failure.Project)
			require.Contains(t, failure.Hint, test.hint)
			for _, c := range aws.Calls() {
				require.NotEqual(t, "ecr:GetAuthorizationToken", c.Name(), "no token is asked for with another identity")
			}
		})
	}
}

// The environment is the process's, so these can't be parallel.
func clearAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_ROLE_ARN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ECR",
	} {
		t.Setenv(name, "") // restores it
		require.NoError(t, os.Unsetenv(name))
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// chain makes the configuration rely on the SDK's default chain.
func (s *awsServer) chain(t *testing.T) {
	t.Helper()
	clearAWS(t)
	s.config.AccessKeyID, s.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
}

func TestEnvironmentKeys(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.chain(t)
	t.Setenv("AWS_ACCESS_KEY_ID", aws.deployment.ControllerUser.ID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", aws.deployment.ControllerUser.Secret)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	t.Setenv("AWS_REGION", "us-east-1") // another one; the configuration's counts
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	_, err = provider.Issue(t.Context(), p, push)
	require.NoError(t, err)
	require.Equal(t, []string{"sts:AssumeRole", "ecr:GetAuthorizationToken"}, aws.names())
	require.Equal(t, "eu-west-1", aws.Calls()[0].Region)
}

func TestSeparateEndpoints(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	clearAWS(t)
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL_STS", aws.STSURL)
	t.Setenv("AWS_ENDPOINT_URL_ECR", aws.ECRURL)
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	for range 20 {
		_, err = provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
	}
	require.Equal(t, 1, aws.Connections(aws.STSURL))
	require.Equal(t, 1, aws.Connections(aws.ECRURL))
}

func TestIRSA(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	oidc := aws.AddOIDCProvider("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")
	const subject = "system:serviceaccount:rise-system:rise-backend"
	aws.UpdateRole(aws.deployment.ControllerRoleARN, func(r *ecrtest.Role) {
		r.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + oidc.ARN + `"},` +
			`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` + oidc.Issuer + `:aud":"sts.amazonaws.com","` +
			oidc.Issuer + `:sub":"` + subject + `"}}}]}`
	})
	aws.chain(t)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(oidc.Token(subject, "", time.Hour)), 0o600))
	t.Setenv("AWS_ROLE_ARN", aws.deployment.ControllerRoleARN)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL_STS", aws.STSURL)
	t.Setenv("AWS_ENDPOINT_URL_ECR", aws.ECRURL)
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	for range 3 {
		_, err = provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		"sts:AssumeRoleWithWebIdentity", "sts:AssumeRole", "ecr:GetAuthorizationToken",
		"sts:AssumeRole", "ecr:GetAuthorizationToken", "sts:AssumeRole", "ecr:GetAuthorizationToken",
	}, aws.names())
	require.LessOrEqual(t, aws.Connections(aws.STSURL), 2)
	require.Equal(t, 1, aws.Connections(aws.ECRURL))

	t.Run("with role_arn naming the same role", func(t *testing.T) { //nolint:paralleltest // environment
		aws.ResetCalls()
		c := aws.config
		c.RoleARN = aws.deployment.ControllerRoleARN
		p, err := ecr.New(t.Context(), c)
		require.NoError(t, err)
		_, err = provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
		require.Equal(t, []string{"sts:AssumeRoleWithWebIdentity", "sts:GetCallerIdentity", "sts:AssumeRole", "ecr:GetAuthorizationToken"}, aws.names())
	})
	t.Run("a token that isn't trusted", func(t *testing.T) { //nolint:paralleltest // environment
		secret := oidc.Token("system:serviceaccount:other:other", "", time.Hour)
		require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
		p, err := ecr.New(t.Context(), aws.config)
		require.NoError(t, err)
		_, err = p.Credentials(t.Context(), push)
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		require.Equal(t, "find AWS credentials", asError(t, err).Op)
		require.Contains(t, asError(t, err).Hint, "AWS_ROLE_ARN")
		require.NotContains(t, err.Error(), secret)
	})
	t.Run("no token file", func(t *testing.T) { //nolint:paralleltest // environment
		require.NoError(t, os.Remove(file))
		p, err := ecr.New(t.Context(), aws.config)
		require.NoError(t, err)
		_, err = p.Credentials(t.Context(), push)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, file)
	})
}

func TestPodIdentity(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{SessionTags: true})
	pod := aws.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(aws)})
	aws.chain(t)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(pod.Token), 0o600))
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.URL)
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	_, err = provider.Issue(t.Context(), p, push)
	require.NoError(t, err)
	require.Equal(t, []string{"pod-identity:AssumeRoleForPodIdentity", "sts:AssumeRole", "ecr:GetAuthorizationToken"}, aws.names())
}

func TestNoCredentials(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.chain(t)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	_, err = p.Credentials(t.Context(), push)
	require.ErrorIs(t, err, provider.ErrMisconfigured)
	require.Equal(t, "find AWS credentials", asError(t, err).Op)
	require.Contains(t, asError(t, err).Hint, "no AWS credentials were found")
	require.Empty(t, aws.Calls(), "nothing is asked anonymously")
}

// podRole lets EKS Pod Identity assume the controller role.
func podRole(s *awsServer) string {
	s.UpdateRole(s.deployment.ControllerRoleARN, func(r *ecrtest.Role) {
		r.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
			`"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	})
	return s.deployment.ControllerRoleARN
}

// containerCredentials reads the pod's credentials as the SDK's default chain does from its environment.
func containerCredentials(pod ecrtest.PodIdentityEndpoint) func(*config.LoadOptions) error {
	return config.WithCredentialsProvider(awssdk.NewCredentialsCache(endpointcreds.New(pod.URL, func(o *endpointcreds.Options) {
		o.AuthorizationToken = pod.Token
	})))
}

// chained returns the keys of a session of the controller role.
func (s *awsServer) chained(t *testing.T) awssdk.Credentials {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(s.config.Region), config.WithBaseEndpoint(s.URL),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.deployment.OutsideUser.ID, s.deployment.OutsideUser.Secret, "")))
	require.NoError(t, err)
	id := s.deployment.Options.RoleExternalID
	session, err := stscreds.NewAssumeRoleProvider(awssts.NewFromConfig(cfg), s.deployment.ControllerRoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID = &id
	}).Retrieve(t.Context())
	require.NoError(t, err)
	return session
}

// AWS_CA_BUNDLE decides whom a TLS endpoint's certificate has to come from.
func TestCABundle(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	clearAWS(t)
	endpoint := httptest.NewUnstartedServer(aws.Handler())
	endpoint.Config.ErrorLog = log.New(io.Discard, "", 0)
	endpoint.StartTLS()
	defer endpoint.Close()
	t.Setenv("AWS_ENDPOINT_URL", endpoint.URL)
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	_, err = p.Credentials(t.Context(), push)
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.ErrorContains(t, err, "certificate signed by unknown authority")

	bundle := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: endpoint.Certificate().Raw})
	require.NoError(t, os.WriteFile(bundle, text, 0o600))
	t.Setenv("AWS_CA_BUNDLE", bundle)
	p, err = ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	_, err = provider.Issue(t.Context(), p, push)
	require.NoError(t, err)
}
