package ecrtest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
)

func newServer(t *testing.T, cfg ecrtest.Config) *ecrtest.Server {
	t.Helper()
	srv := ecrtest.NewServer(cfg)
	t.Cleanup(srv.Close)
	return srv
}

// awsConfig is the SDK's configuration for a key, with nothing from the environment. It tries once unless changed.
func awsConfig(srv *ecrtest.Server, key ecrtest.AccessKey, change ...func(*aws.Config)) aws.Config {
	cfg := aws.Config{
		Region:           region,
		BaseEndpoint:     &srv.URL,
		Credentials:      credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.SessionToken),
		RetryMaxAttempts: 1,
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// inMemory makes the SDK use the server's in-memory connections, and AWS's own host names.
func inMemory(srv *ecrtest.Server) func(*aws.Config) {
	return func(cfg *aws.Config) { cfg.HTTPClient, cfg.BaseEndpoint = srv.Client(), nil }
}

func inRegion(r string) func(*aws.Config) { return func(cfg *aws.Config) { cfg.Region = r } }

func assumeRole(t *testing.T, cfg aws.Config, in *sts.AssumeRoleInput) ecrtest.AccessKey {
	t.Helper()
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), in)
	require.NoError(t, err)
	c := out.Credentials
	return ecrtest.AccessKey{ID: *c.AccessKeyId, Secret: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

// token asks ECR for the registry password of a key.
func token(ctx context.Context, t *testing.T, cfg aws.Config) string {
	t.Helper()
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	require.NoError(t, err)
	require.Len(t, out.AuthorizationData, 1)
	raw, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	require.NoError(t, err)
	password, found := strings.CutPrefix(string(raw), "AWS:")
	require.True(t, found)
	return password
}

// requireCode asserts that err is an AWS error of that code whose message has the text.
func requireCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code, api.ErrorCode(), api.ErrorMessage())
	require.Contains(t, api.ErrorMessage(), text)
}

func pushPolicy(repositoryARN string) string {
	const push = `"ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:CompleteLayerUpload","ecr:GetDownloadUrlForLayer",` +
		`"ecr:InitiateLayerUpload","ecr:PutImage","ecr:UploadLayerPart"`
	return sessionPolicy(push, repositoryARN)
}

func pullPolicy(repositoryARN string) string {
	return sessionPolicy(`"ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"`,
		repositoryARN)
}

// sessionPolicy is as package ecr makes it: an Allow for one repository, and Denies for all else.
func sessionPolicy(actions, repositoryARN string) string {
	return `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
		`{"Effect":"Allow","Action":[` + actions + `],"Resource":"` + repositoryARN + `"},` +
		`{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","NotResource":"` + repositoryARN + `"},` +
		`{"Effect":"Deny","NotAction":["ecr:GetAuthorizationToken",` + actions + `],"Resource":"*"}]}`
}

func repositoryARN(name string) string {
	return "arn:aws:ecr:eu-west-1:123456789012:repository/" + name
}

const admin = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// newAdmin makes a user who may do everything.
func newAdmin(srv *ecrtest.Server) ecrtest.AccessKey {
	return srv.AddUser(ecrtest.User{Name: "admin", Policies: []string{admin}})
}

// adminToken is a registry password with which everything is allowed.
func adminToken(t *testing.T, srv *ecrtest.Server) string {
	t.Helper()
	return token(t.Context(), t, awsConfig(srv, newAdmin(srv)))
}

// scopedToken is a registry password for a session of the push role with a session policy.
func scopedToken(t *testing.T, srv *ecrtest.Server, d ecrtest.Deployment, policy string) string {
	t.Helper()
	key := assumeRole(t, awsConfig(srv, d.ControllerUser), &sts.AssumeRoleInput{
		RoleArn: &d.PushRoleARN, RoleSessionName: aws.String("rise-push-test"), Policy: &policy,
	})
	return token(t.Context(), t, awsConfig(srv, key))
}

func repo(t *testing.T, srv *ecrtest.Server, repository string) name.Repository {
	t.Helper()
	r, err := name.NewRepository(srv.RegistryHost + "/" + repository)
	require.NoError(t, err)
	return r
}

func auth(password string) remote.Option {
	return remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: "AWS", Password: password}))
}

// fast turns off ggcr's retries.
func fast() remote.Option {
	return remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Steps: 1})
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(64, 2)
	require.NoError(t, err)
	return img
}

// do sends a request to the image registry.
func do(t *testing.T, srv *ecrtest.Server, password, method, path string, body string,
	header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+srv.RegistryHost+path, strings.NewReader(body))
	require.NoError(t, err)
	if password != "" {
		req.SetBasicAuth("AWS", password)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// wholeBody hands net/http a body that it knows to be in memory. The SDK's own is sent in a write of its own and closed
// as soon as the answer is there, and when a server on loopback answers at once, net/http takes that for a failed write
// and drops the connection.
type wholeBody struct{ client *http.Client }

func (w wholeBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return w.client.Do(r)
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	cfg := awsConfig(srv, newAdmin(srv), func(cfg *aws.Config) { cfg.HTTPClient = wholeBody{client} })
	stsClient := sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = &srv.STSURL })
	ecrClient := ecr.NewFromConfig(cfg, func(o *ecr.Options) { o.BaseEndpoint = &srv.ECRURL })
	for range 100 {
		_, err := stsClient.GetCallerIdentity(t.Context(), nil)
		require.NoError(t, err)
		_, err = ecrClient.GetAuthorizationToken(t.Context(), nil)
		require.NoError(t, err)
	}
	require.Equal(t, 1, srv.Connections(srv.STSURL))
	require.Equal(t, 1, srv.Connections(srv.ECRURL))
	require.Zero(t, srv.Connections(srv.URL))
	require.Equal(t, 2, srv.Connections(""))
	_, err := sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = &srv.ECRURL }).GetCallerIdentity(t.Context(), nil)
	require.Error(t, err, "the ECR listener serves no STS")
	require.Len(t, srv.Calls(), 201)
}

func TestCalls(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	srv.CreateRepository(d.Repository("hello"))
	policy := pushPolicy(repositoryARN("rise/hello"))
	key := assumeRole(t, awsConfig(srv, d.ControllerUser), &sts.AssumeRoleInput{
		RoleArn: &d.PushRoleARN, RoleSessionName: aws.String("rise-push-hello"), Policy: &policy,
		DurationSeconds: aws.Int32(900),
	})
	password := token(t.Context(), t, awsConfig(srv, key))
	require.NoError(t, remote.Write(repo(t, srv, "rise/hello").Tag("v1"), randomImage(t), auth(password)))
	require.Error(t, remote.Write(repo(t, srv, "rise/other").Tag("v1"), randomImage(t), auth(password), fast()))

	calls := srv.Calls()
	assume, get := calls[0], calls[1]
	require.Equal(t, "sts:AssumeRole", assume.Name())
	require.Equal(t, d.ControllerUser.ID, assume.AccessKeyID)
	require.Equal(t, "arn:aws:iam::123456789012:user/rise-backend", assume.Principal)
	require.Equal(t, d.PushRoleARN, assume.Form.Get("RoleArn"))
	require.Equal(t, policy, assume.Form.Get("Policy"))
	require.Equal(t, "900", assume.Form.Get("DurationSeconds"))
	require.Equal(t, "allowed", assume.Decision)
	require.Equal(t, 200, assume.Status)
	require.Equal(t, region, assume.Region)
	require.Equal(t, "ecr:GetAuthorizationToken", get.Name())
	require.Equal(t, key.ID, get.AccessKeyID)
	require.Equal(t, "arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-hello", get.Principal)
	last := calls[len(calls)-1]
	require.Equal(t, "registry", last.Service)
	require.Equal(t, 403, last.Status)
	require.Equal(t, "DENIED", last.ErrorCode)
	require.Equal(t, repositoryARN("rise/other"), last.Resource)
	require.Equal(t, "explicit deny: identity-based policy", last.Decision)
	require.Equal(t, key.ID, last.AccessKeyID)

	srv.ResetCalls()
	require.Empty(t, srv.Calls())
}

func TestCallsHoldNoSecret(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	provider := srv.AddOIDCProvider("https://oidc.example.com/id/1")
	role := srv.AddRole(ecrtest.Role{Name: "irsa", Trust: webTrust(provider), Policies: []string{admin}})
	jwt := provider.Token("system:serviceaccount:ns:sa", "", 0)
	out, err := sts.NewFromConfig(awsConfig(srv, ecrtest.AccessKey{})).AssumeRoleWithWebIdentity(t.Context(),
		&sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: &jwt})
	require.NoError(t, err)
	key := ecrtest.AccessKey{ID: *out.Credentials.AccessKeyId, Secret: *out.Credentials.SecretAccessKey,
		SessionToken: *out.Credentials.SessionToken}
	password := token(t.Context(), t, awsConfig(srv, key))
	do(t, srv, password, http.MethodGet, "/v2/", "")
	text := format(srv.Calls(), key)
	require.Contains(t, text, key.ID)
	for _, secret := range []string{jwt, key.Secret, key.SessionToken, password} {
		require.NotContains(t, text, secret)
	}
}

func TestClosedServer(t *testing.T) {
	t.Parallel()
	srv := ecrtest.NewServer(ecrtest.Config{})
	client := srv.Client()
	srv.Close()
	srv.Close() // twice is fine
	for _, target := range []string{srv.URL, "http://sts.eu-west-1.amazonaws.com"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		require.Error(t, err)
	}
}

func TestMistakesPanic(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.AddRole(ecrtest.Role{Name: "r", Trust: trustOf(`"*"`)})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/a"})
	for name, mistake := range map[string]func(){
		"account":           func() { ecrtest.NewServer(ecrtest.Config{Account: "1"}) },
		"region":            func() { ecrtest.NewServer(ecrtest.Config{Region: "Mars"}) },
		"another partition": func() { ecrtest.NewServer(ecrtest.Config{OtherRegions: []string{"cn-north-1"}}) },
		"policy":            func() { srv.AddUser(ecrtest.User{Name: "u", Policies: []string{"{}"}}) },
		"user name":         func() { srv.AddUser(ecrtest.User{Name: "a b"}) },
		"role twice":        func() { srv.AddRole(ecrtest.Role{Name: "r", Trust: trustOf(`"*"`)}) },
		"no trust":          func() { srv.AddRole(ecrtest.Role{Name: "s"}) },
		"duration": func() {
			srv.AddRole(ecrtest.Role{Name: "s", Trust: trustOf(`"*"`), MaxSessionDuration: 13 * time.Hour})
		},
		"role's partition": func() {
			srv.AddRole(ecrtest.Role{Name: "arn:aws-cn:iam::123456789012:role/r",
				Trust: trustOf(`"*"`)})
		},
		"repository twice":   func() { srv.CreateRepository(ecrtest.Repository{Name: "rise/a"}) },
		"repository name":    func() { srv.CreateRepository(ecrtest.Repository{Name: "a--b/"}) },
		"repository policy":  func() { srv.CreateRepository(ecrtest.Repository{Name: "rise/b", Policy: "{}"}) },
		"unknown repository": func() { srv.UpdateRepository("rise/x", func(*ecrtest.Repository) {}) },
		"unknown role":       func() { srv.UpdateRole("x", func(*ecrtest.Role) {}) },
		"issuer":             func() { srv.AddOIDCProvider("http://x") },
	} {
		require.Panics(t, mistake, name)
	}
}

// AWS's host names end in the partition's own domain; elsewhere there is nobody.
func TestHostsOfOtherPartitions(t *testing.T) {
	t.Parallel()
	for region, hosts := range map[string]map[string]bool{
		"eu-west-1": {
			"123456789012.dkr.ecr.eu-west-1.amazonaws.com": true, "123456789012.dkr-ecr.eu-west-1.on.aws": true,
			"123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn": false, "sts.eu-west-1.amazonaws.com.cn": false, "registry.example.com": true,
		},
		"cn-north-1": {
			"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn": true, "api.ecr.cn-north-1.amazonaws.com.cn": true,
			"123456789012.dkr.ecr.cn-north-1.amazonaws.com": false, "123456789012.dkr-ecr.cn-north-1.on.aws": false,
		},
	} {
		srv := newServer(t, ecrtest.Config{Region: region, InMemory: true})
		for host, there := range hosts {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/v2/", nil)
			require.NoError(t, err)
			resp, err := srv.Client().Do(r)
			if there {
				require.NoError(t, err, host)
				require.NoError(t, resp.Body.Close())
				continue
			}
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns, host)
			require.True(t, dns.IsNotFound)
		}
	}
}
