package server_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
)

const ciToken = "ci-token-of-0815"

// ecrServer is an AWS account and a configuration of the server for it, in the ways in which an operator gives them: a file,
// with the keys as variables, and AWS_ENDPOINT_URL.
func ecrServer(t *testing.T) (*ecrtest.Server, configload.Loader, ecrtest.Deployment) {
	t.Helper()
	aws := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(aws.Close)
	d := aws.Setup(ecrtest.SetupOptions{ExternalID: "external-id-1"})
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	loader := files(t, map[string]string{"production.yaml": fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
auth:
  tokens:
    - {token: "${CI_TOKEN}", subject: ci, projects: [hello, "team-*"], access: push}
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: %s
  external_id: external-id-1
  access_key_id: "${KEY_ID}"
  secret_access_key: "${KEY}"
  cache: {enabled: false}
`, d.PushRoleARN)})
	loader.RunMode = "production"
	loader.LookupEnv = env(map[string]string{"CI_TOKEN": ciToken, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret})
	return aws, loader, d
}

// beside are the calls beside the one of the look at the start, which may come at any moment.
func beside(aws *ecrtest.Server) []ecrtest.Call {
	return slices.DeleteFunc(aws.Calls(), func(c ecrtest.Call) bool { return c.Name() == "sts:GetCallerIdentity" })
}

func TestECR(t *testing.T) { //nolint:paralleltest // environment
	aws, loader, d := ecrServer(t)
	s := start(t, loader)
	require.Empty(t, beside(aws), "starting does nothing more than to look who it is")
	c := s.issue(t, ciToken)
	calls := beside(aws)
	require.Len(t, calls, 2)
	require.Equal(t, "sts:AssumeRole", calls[0].Name())
	require.Equal(t, d.PushRoleARN, calls[0].Form.Get("RoleArn"))
	require.Equal(t, "external-id-1", calls[0].Form.Get("ExternalId"))
	require.Equal(t, "3600", calls[0].Form.Get("DurationSeconds"))
	require.Equal(t, "rise-push-hello", calls[0].Form.Get("RoleSessionName"))
	require.Contains(t, calls[0].Form.Get("Policy"), `"Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello"`)
	require.Equal(t, "ecr:GetAuthorizationToken", calls[1].Name())
	require.Contains(t, calls[1].Principal, "assumed-role/")
	require.NotEqual(t, d.ControllerUser.ID, calls[1].AccessKeyID)

	require.Equal(t, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rise/hello", c.RegistryURL)
	require.Equal(t, "AWS", c.Username)
	require.NotEmpty(t, c.Password)
	require.Equal(t, "login_credentials", c.AuthMethod)
	require.NotNil(t, c.ExpiresIn)
	require.InDelta(t, 3600, *c.ExpiresIn, 30, "the session's hour, not the token's twelve")
	expires, err := time.Parse(time.RFC3339, c.ExpiresAt)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), expires, 30*time.Second)

	for range 100 {
		s.issue(t, ciToken)
	}
	require.LessOrEqual(t, aws.Connections(""), 2)

	aws.ResetCalls()
	for _, project := range []string{"*", "a*", "%3F", "..%2Fb", "a%2Fb", "A", "-a", "a--b", strings.Repeat("a", 64), "a%252fb", "a%0Ab", "%C3%A9", ""} {
		status, body, _ := s.ask(t, ciToken, "project="+project)
		require.Equal(t, http.StatusBadRequest, status, project)
		require.Contains(t, body, `"code":"invalid_request"`)
	}
	status, _, _ := s.ask(t, ciToken, "project=other")
	require.Equal(t, http.StatusNotFound, status)
	require.Empty(t, beside(aws), "none of that reaches AWS")
}

// The server at debug level, through success and every failure: nothing that it prints or answers holds a secret.
func TestNoSecretInAnyOutput(t *testing.T) { //nolint:paralleltest // environment
	aws, loader, d := ecrServer(t)
	secrets := []string{d.ControllerUser.Secret, ciToken}
	keep := func(body []byte) []byte { // every secret that AWS hands out
		text := string(body)
		for _, tag := range []string{"<SecretAccessKey>", "<SessionToken>", `"authorizationToken":"`} {
			if _, rest, ok := strings.Cut(text, tag); ok {
				end := strings.IndexAny(rest, `<"`)
				secrets = append(secrets, rest[:end])
			}
		}
		return body
	}
	s := start(t, loader)
	var answers []string
	ask := func(token, query string) {
		status, body, c := s.ask(t, token, query)
		if status == http.StatusOK {
			secrets = append(secrets, c.Password)
			return
		}
		answers = append(answers, body)
	}
	for _, fault := range []ecrtest.Fault{
		{},
		{Action: "sts:*", Error: "AccessDenied"},
		{Action: "sts:*", Error: "SignatureDoesNotMatch", Message: "The request signature we calculated does not match.\n" + d.ControllerUser.Secret},
		{Action: "sts:*", Error: "AccessDenied", Message: "key " + d.ControllerUser.Secret + " is not allowed"},
		{Action: "sts:*", Error: "ValidationError"},
		{Action: "sts:*", Status: 503},
		{Action: "sts:*", Reset: true},
		{Action: "sts:*", Malformed: true},
		{Action: "sts:*", Truncate: true},
		{Action: "ecr:*", Error: "AccessDeniedException"},
		{Action: "ecr:*", Error: "ServerException", Status: 500},
		{Action: "ecr:*", Malformed: true},
		{Action: "ecr:*", Truncate: true},
		{Action: "ecr:*", Mutate: func([]byte) []byte { return []byte(`{"authorizationData":[]}`) }},
		{Action: "ecr:*", Mutate: func(b []byte) []byte { return append(b, b...) }},
	} {
		if fault.Action != "" {
			remove := aws.Inject(fault)
			ask(ciToken, "project=hello")
			remove()
		}
		remove := aws.Inject(ecrtest.Fault{Times: 2, Mutate: keep})
		ask(ciToken, "project=hello")
		remove()
	}
	ask(ciToken+"x", "project=hello")
	ask(ciToken, "project=other")
	ask(ciToken, "project="+"a%2Fb")
	require.NoError(t, s.stop())
	require.Greater(t, len(secrets), 20)
	for _, output := range append(answers, s.output.String()) {
		for _, secret := range secrets {
			require.NotContains(t, output, secret)
		}
	}
	require.Contains(t, s.output.String(), "level=ERROR", "there was something to be printed")
}

// The server knows no ids of projects: it says so when it starts, not to each caller.
func TestProjectIDs(t *testing.T) {
	t.Parallel()
	_, err := newServer(t, files(t, map[string]string{"development.yaml": `
server: {listen: "127.0.0.1:0"}
auth: {tokens: [{token: ci-token-of-0815, subject: ci, projects: [hello]}]}
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: arn:aws:iam::123456789012:role/push
  project_ids: true
`}), service.Own{}, io.Discard)
	require.ErrorContains(t, err, "registry.project_ids: this server knows no ids of projects")
}
