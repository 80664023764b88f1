package iampolicy_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	controllerARN = "arn:aws:iam::123456789012:role/rise-backend"
	pushARN       = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
	pullARN       = "arn:aws:iam::123456789012:role/rise-backend-ecr-pull"
	userARN       = "arn:aws:iam::123456789012:user/rise-backend"
	keyARN        = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	issuer        = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
	clusterARN    = "arn:aws:eks:eu-west-1:123456789012:cluster/main"
)

// standard is what the Terraform module configures.
func standard() ecr.Config {
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", pushARN
	c.Installation, c.SessionTags = "prod", true
	return c
}

// everyone is every way into the controller role.
func everyone() iampolicy.Options {
	return iampolicy.Options{
		ControllerARN: controllerARN, Principals: []string{userARN},
		IRSA: iampolicy.IRSA{
			ProviderARN: "arn:aws:iam::123456789012:oidc-provider/" + strings.TrimPrefix(issuer, "https://"),
			Namespace:   "rise-system", ServiceAccount: "rise-backend",
		},
		PodIdentity: iampolicy.PodIdentity{ClusterARN: clusterARN, Namespace: "rise-system", ServiceAccount: "rise-backend"},
	}
}

// account is AWS with exactly the generated policies.
type account struct {
	*ecrtest.Server
	config ecr.Config
	user   ecrtest.AccessKey
	oidc   *ecrtest.OIDCProvider
}

func newAccount(t *testing.T, mode ecrtest.Config, c ecr.Config, o iampolicy.Options) *account {
	t.Helper()
	policies, err := iampolicy.All(c, o)
	require.NoError(t, err)
	text := map[string]string{}
	for _, p := range policies {
		text[p.Name] = p.Document.String()
	}
	mode.InMemory = true
	server := ecrtest.NewServer(mode)
	t.Cleanup(server.Close)
	a := &account{Server: server, config: c}
	a.user = a.AddUser(ecrtest.User{Name: userARN})
	if text["user"] != "" {
		a.UpdateUser(userARN, func(u *ecrtest.User) { u.Policies = []string{text["user"]} })
	}
	a.oidc = a.AddOIDCProvider(issuer)
	a.AddRole(ecrtest.Role{Name: controllerARN, Trust: text["controller-trust"], Policies: []string{text["controller"]}})
	a.AddRole(ecrtest.Role{Name: pushARN, Trust: text["push-trust"], Policies: []string{text["push"]}})
	if c.PullRoleARN != "" {
		a.AddRole(ecrtest.Role{Name: pullARN, Trust: text["pull-trust"], Policies: []string{text["pull"]}})
	}
	return a
}

// sdk is the SDK's configuration with credentials p.
func (a *account) sdk(p awssdk.CredentialsProvider) awssdk.Config {
	return awssdk.Config{Region: a.config.Region, HTTPClient: a.Client(), RetryMaxAttempts: 1, Credentials: p}
}

func static(key ecrtest.AccessKey) awssdk.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.SessionToken)
}

// controller is the controller's session, by the user.
func (a *account) controller(t *testing.T) awssdk.Config {
	t.Helper()
	out, err := awssts.NewFromConfig(a.sdk(static(a.user))).AssumeRole(t.Context(), a.asController())
	require.NoError(t, err)
	return a.sdk(session(out.Credentials))
}

func (a *account) asController() *awssts.AssumeRoleInput {
	input := &awssts.AssumeRoleInput{RoleArn: awssdk.String(controllerARN), RoleSessionName: awssdk.String("rise-controller")}
	if a.config.RoleExternalID != "" {
		input.ExternalId = &a.config.RoleExternalID
	}
	return input
}

func session(c *ststypes.Credentials) awssdk.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// assume is a session of a role without any session policy: what the role's own policy allows.
func (a *account) assume(t *testing.T, role, name, project string) awssdk.Config {
	t.Helper()
	out, err := awssts.NewFromConfig(a.controller(t)).AssumeRole(t.Context(), a.input(role, name, project))
	require.NoError(t, err)
	return a.sdk(session(out.Credentials))
}

func (a *account) input(role, name, project string) *awssts.AssumeRoleInput {
	input := &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &name}
	if project != "" {
		input.Tags = []ststypes.Tag{{Key: awssdk.String("rise:project"), Value: &project}}
	}
	if a.config.ExternalID != "" {
		input.ExternalId = &a.config.ExternalID
	}
	return input
}

// provider is the real one, with p as its base identity.
func (a *account) provider(t *testing.T, c ecr.Config, p awssdk.CredentialsProvider) *ecr.Provider {
	t.Helper()
	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DialContext, tr.DialTLSContext, tr.Proxy = a.DialContext, a.DialContext, nil
	})
	built, err := ecr.New(t.Context(), c, ecr.WithLoadOptions(config.WithHTTPClient(client), config.WithCredentialsProvider(p)))
	require.NoError(t, err)
	return built
}

// irsa are the credentials of a pod with a service account's token.
func (a *account) irsa(subject, audience string) awssdk.CredentialsProvider {
	return stscreds.NewWebIdentityRoleProvider(awssts.NewFromConfig(a.sdk(awssdk.AnonymousCredentials{})), controllerARN,
		token(a.oidc.Token(subject, audience, time.Hour)))
}

type token string

func (t token) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

// pod are the credentials of a pod with EKS Pod Identity.
func (a *account) pod(p ecrtest.PodIdentity) awssdk.CredentialsProvider {
	p.Role = controllerARN
	return a.container(a.AddPodIdentity(p))
}

func (a *account) container(at ecrtest.PodIdentityEndpoint) awssdk.CredentialsProvider {
	return awssdk.NewCredentialsCache(endpointcreds.New(at.URL, func(o *endpointcreds.Options) {
		o.AuthorizationToken, o.HTTPClient = at.Token, a.Client()
	}))
}

func tags(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// ours are the tags of a project's repository, with more.
func ours(project string, more ...string) map[string]string {
	return tags(append([]string{"rise:managed", "true", "rise:installation", "prod", "rise:project", project}, more...)...)
}

func tagList(m map[string]string) []types.Tag {
	list := []types.Tag{}
	for key, value := range m {
		list = append(list, types.Tag{Key: &key, Value: &value})
	}
	return list
}

// call makes one call of ECR's API on a repository.
func (a *account) call(ctx context.Context, cfg awssdk.Config, action, repository string, with map[string]string) error {
	client := awsecr.NewFromConfig(cfg)
	arn := "arn:aws:ecr:eu-west-1:123456789012:repository/" + repository
	var err error
	switch action {
	case "CreateRepository":
		_, err = client.CreateRepository(ctx, &awsecr.CreateRepositoryInput{RepositoryName: &repository, Tags: tagList(with)})
	case "CreateRepository with key":
		_, err = client.CreateRepository(ctx, &awsecr.CreateRepositoryInput{RepositoryName: &repository, Tags: tagList(with),
			EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms, KmsKey: awssdk.String(keyARN)}})
	case "TagResource":
		_, err = client.TagResource(ctx, &awsecr.TagResourceInput{ResourceArn: &arn, Tags: tagList(with)})
	case "UntagResource":
		var keys []string
		for key := range with {
			keys = append(keys, key)
		}
		_, err = client.UntagResource(ctx, &awsecr.UntagResourceInput{ResourceArn: &arn, TagKeys: keys})
	case "DeleteRepository":
		_, err = client.DeleteRepository(ctx, &awsecr.DeleteRepositoryInput{RepositoryName: &repository, Force: true})
	case "DescribeRepositories":
		_, err = client.DescribeRepositories(ctx, &awsecr.DescribeRepositoriesInput{})
	case "ListTagsForResource":
		_, err = client.ListTagsForResource(ctx, &awsecr.ListTagsForResourceInput{ResourceArn: &arn})
	case "GetRepositoryPolicy":
		_, err = client.GetRepositoryPolicy(ctx, &awsecr.GetRepositoryPolicyInput{RepositoryName: &repository})
	case "SetRepositoryPolicy":
		_, err = client.SetRepositoryPolicy(ctx, &awsecr.SetRepositoryPolicyInput{RepositoryName: &repository, PolicyText: awssdk.String(openPolicy)})
	case "DeleteRepositoryPolicy":
		_, err = client.DeleteRepositoryPolicy(ctx, &awsecr.DeleteRepositoryPolicyInput{RepositoryName: &repository})
	case "GetLifecyclePolicy":
		_, err = client.GetLifecyclePolicy(ctx, &awsecr.GetLifecyclePolicyInput{RepositoryName: &repository})
	case "PutLifecyclePolicy":
		_, err = client.PutLifecyclePolicy(ctx, &awsecr.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: awssdk.String(
			`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}`)})
	case "DeleteLifecyclePolicy":
		_, err = client.DeleteLifecyclePolicy(ctx, &awsecr.DeleteLifecyclePolicyInput{RepositoryName: &repository})
	case "PutImageTagMutability":
		_, err = client.PutImageTagMutability(ctx, &awsecr.PutImageTagMutabilityInput{RepositoryName: &repository, ImageTagMutability: types.ImageTagMutabilityImmutable})
	case "PutImageScanningConfiguration":
		_, err = client.PutImageScanningConfiguration(ctx, &awsecr.PutImageScanningConfigurationInput{
			RepositoryName: &repository, ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}})
	case "BatchGetImage":
		_, err = client.BatchGetImage(ctx, &awsecr.BatchGetImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: awssdk.String("v1")}}})
	case "BatchDeleteImage":
		_, err = client.BatchDeleteImage(ctx, &awsecr.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: awssdk.String("v1")}}})
	case "GetAuthorizationToken":
		_, err = client.GetAuthorizationToken(ctx, &awsecr.GetAuthorizationTokenInput{})
	case "GetRegistryPolicy":
		_, err = client.GetRegistryPolicy(ctx, &awsecr.GetRegistryPolicyInput{})
	case "DescribeRegistry":
		_, err = client.DescribeRegistry(ctx, &awsecr.DescribeRegistryInput{})
	case "GetSigningConfiguration":
		_, err = client.GetSigningConfiguration(ctx, &awsecr.GetSigningConfigurationInput{})
	case "DescribePullThroughCacheRules":
		_, err = client.DescribePullThroughCacheRules(ctx, &awsecr.DescribePullThroughCacheRulesInput{})
	case "DescribeRepositoryCreationTemplates":
		_, err = client.DescribeRepositoryCreationTemplates(ctx, &awsecr.DescribeRepositoryCreationTemplatesInput{})
	default:
		panic("unknown action " + action)
	}
	return err
}

// denied reports whether err is IAM's refusal; errors of ECR about what is asked for come after it.
func denied(t *testing.T, err error) bool {
	t.Helper()
	var refused smithy.APIError
	if err == nil {
		return false
	}
	require.ErrorAs(t, err, &refused)
	switch refused.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return true
	case "KmsException": // KMS refused ECR, in the caller's name
		require.ErrorContains(t, err, "is not authorized to perform: kms:")
		return true
	case "RepositoryPolicyNotFoundException", "LifecyclePolicyNotFoundException", "RegistryPolicyNotFoundException", "SigningConfigurationNotFoundException":
		return false
	}
	require.Fail(t, "neither allowed nor denied", "%v", err)
	return false
}

const openPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}`

// login is what a token of cfg's identity sends to the image registry.
func (a *account) login(t *testing.T, cfg awssdk.Config) func(*http.Request) {
	t.Helper()
	out, err := awsecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), &awsecr.GetAuthorizationTokenInput{})
	require.NoError(t, err)
	token := *out.AuthorizationData[0].AuthorizationToken
	return func(r *http.Request) { r.Header.Set("Authorization", "Basic "+token) }
}

func basic(c provider.Credentials) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(c.Username, c.Password.Reveal()) }
}

// pushes and pulls report whether the image registry lets a login do so.
func (a *account) pushes(t *testing.T, login func(*http.Request), repository string) bool {
	t.Helper()
	started := a.ask(t, login, http.MethodPost, repository+"/blobs/uploads/", http.StatusAccepted)
	written := a.ask(t, login, http.MethodPut, repository+"/manifests/v1", http.StatusCreated)
	require.Equal(t, started, written, "all of a push or nothing")
	return written
}

func (a *account) pulls(t *testing.T, login func(*http.Request), repository string) bool {
	t.Helper()
	return a.ask(t, login, http.MethodGet, repository+"/manifests/none", http.StatusNotFound)
}

func (a *account) ask(t *testing.T, login func(*http.Request), method, path string, allowed int) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/"+path,
		strings.NewReader(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	login(r)
	resp, err := a.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, []int{allowed, http.StatusForbidden}, resp.StatusCode, path)
	return resp.StatusCode == allowed
}
