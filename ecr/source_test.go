package ecr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// outside answers whatever is asked, wherever.
type outside func(*http.Request) (int, http.Header, string)

func (w outside) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	status, header, body := w(r)
	if status == 0 {
		return nil, errors.New(body)
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
}

// in is a provider whose whole outside answers like that. Where its credentials come from is for the environment and a profile to say.
func (w outside) in(t testing.TB, load ...func(*config.LoadOptions) error) *ecr.Provider {
	t.Helper()
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", "arn:aws:iam::123456789012:role/push"
	p, err := ecr.New(t.Context(), c, ecr.WithLoadOptions(append([]func(*config.LoadOptions) error{
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil), config.WithHTTPClient(w), config.WithRetryer(func() awssdk.Retryer { return awssdk.NopRetryer{} }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient, o.Retryer = w, awssdk.NopRetryer{} }),
	}, load...)...))
	require.NoError(t, err)
	return p
}

const (
	roleList = "/latest/meta-data/iam/security-credentials/"
	apiToken = "/latest/api/token"
)

// metadata is IMDSv2 whose instance has the role r, until an answer says otherwise.
func metadata(list, keys string) outside {
	return func(r *http.Request) (int, http.Header, string) {
		switch r.URL.Path {
		case apiToken:
			return 200, http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"21600"}}, "metadata-token"
		case roleList:
			return 200, nil, list
		}
		return 200, nil, keys
	}
}

func always(status int, contentType, body string) outside {
	return func(*http.Request) (int, http.Header, string) {
		return status, http.Header{"Content-Type": {contentType}}, body
	}
}

// What a credentials endpoint answers, or something in its place, isn't quoted. The error says which, where and how, and what to do.
func TestCredentialSources(t *testing.T) { //nolint:paralleltest // environment
	const (
		secret     = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
		page       = "<html>denied by gateway; Authorization: static-container-token</html>"
		keys       = `{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"` + secret + `","Token":"short"}`
		noProxy    = "keep 169.254.170.2 (ECS), 169.254.170.23 and fd00:ec2::23 (EKS Pod Identity), 169.254.169.254 and fd00:ec2::254 (instance metadata)"
		relative   = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
		full       = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
		podAddress = "http://169.254.170.23/v1/credentials"
		json       = "application/json"
	)
	for name, test := range map[string]struct {
		variable, value string
		outside         outside
		kind            provider.Kind
		text, hint      string
	}{
		"keys in an error": {relative, "/v2/credentials", always(403, "text/plain", keys), provider.ErrBadResponse,
			"the ECS credentials endpoint at 169.254.170.2 answered HTTP status 403 ", noProxy},
		"keys in an error, as JSON": {relative, "/v2/credentials", always(500, json, keys), provider.ErrUnavailable,
			"the ECS credentials endpoint at 169.254.170.2 answered HTTP status 500 ", noProxy},
		"an echo": {full, podAddress, always(403, "text/html", page), provider.ErrBadResponse,
			"the EKS Pod Identity agent at 169.254.170.23 answered HTTP status 403 ", noProxy},
		"an echo, on IPv6": {full, "http://[fd00:ec2::23]/v1/credentials", always(407, "text/html", page), provider.ErrBadResponse,
			"the EKS Pod Identity agent at [fd00:ec2::23] answered HTTP status 407 ", noProxy},
		"an echo in the code and message": {full, podAddress, always(403, json, `{"code":"`+secret+`","message":"`+secret+`"}`), provider.ErrBadResponse,
			"answered HTTP status 403 ", noProxy},
		"a captive page": {full, podAddress, always(200, "text/html", page), provider.ErrBadResponse,
			"answered HTTP status 200 with a body that isn't its ", noProxy},
		"JSON of something else": {full, podAddress, always(200, json, `{"token":"`+secret+`"}`), provider.ErrBadResponse,
			"answered HTTP status 200 with a body that isn't its ", noProxy},
		"half a key": {full, podAddress, always(200, json, `{"AccessKeyId":"`+secret+`"}`), provider.ErrBadResponse,
			"answered HTTP status 200 with a body that isn't its ", noProxy},
		"a redirection": {full, podAddress, func(*http.Request) (int, http.Header, string) {
			return 302, http.Header{"Location": {"http://login.example.com/?" + secret}}, page
		}, provider.ErrBadResponse, "answered HTTP status 302 ", noProxy},
		"elsewhere": {full, "http://127.0.0.1:8080/creds", always(401, "text/plain", page), provider.ErrBadResponse,
			"the container credentials endpoint at 127.0.0.1:8080 answered HTTP status 401 ", "check AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		"busy": {full, podAddress, always(429, "text/plain", "Too Many Requests. "+secret), provider.ErrThrottled, "answered HTTP status 429 ", "limits the rate"},
		"nothing": {full, podAddress, always(0, "", "proxy: "+secret), provider.ErrUnavailable, "the EKS Pod Identity agent at 169.254.170.23: ",
			"can't be reached"},
		"no trust": {full, podAddress, always(400, "text/plain", "[5ad7]: (AccessDeniedException): Unauthorized Exception! "+secret+", fault: client"),
			provider.ErrAccessDenied, "answered HTTP status 400, AccessDeniedException ", "trust in pods.eks.amazonaws.com"},
		"no trust, in words that have other causes elsewhere": {full, podAddress,
			always(400, json, `{"code":"AccessDeniedException","message":"roles may not be assumed by root; role chaining; User: x is not authorized to perform: sts:TagSession"}`),
			provider.ErrAccessDenied, "answered HTTP status 400, AccessDeniedException ", "AWS refused the credentials' own source"},
		"no association": {full, podAddress, always(404, "text/plain", "[5ad7]: (ResourceNotFoundException): "+secret+", fault: client"),
			provider.ErrMisconfigured, "answered HTTP status 404, ResourceNotFoundException ", "aws eks create-pod-identity-association"},
		"another cluster's token": {full, podAddress, always(400, "text/plain", "[5ad7]: (InvalidTokenException): "+secret+", fault: client"),
			provider.ErrAccessDenied, "answered HTTP status 400, InvalidTokenException ", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"},
		"EKS throttles": {full, podAddress, always(429, "text/plain", "[5ad7]: (ThrottlingException): "+secret+", fault: client"),
			provider.ErrThrottled, "answered HTTP status 429, ThrottlingException ", "limits the rate"},
		"no task role": {relative, "/v2/credentials", always(400, json, `{"code":"NoCredentialsAssociated","message":"`+secret+`","HTTPErrorCode":400}`),
			provider.ErrMisconfigured, "answered HTTP status 400, NoCredentialsAssociated ", "taskRoleArn"},
		"IMDS: a captive page": {"", "", metadata(page, page), provider.ErrBadResponse,
			"the EC2 instance metadata service at 169.254.169.254 answered HTTP status 200 with a body that isn't its ", noProxy},
		"IMDS: a secret for a role's name": {"", "", metadata(secret, keys), provider.ErrBadResponse, "with a body that isn't its ", noProxy},
		"IMDS: a page for the keys":        {"", "", metadata("r", page), provider.ErrBadResponse, "with a body that isn't its ", noProxy},
		"IMDS: a message":                  {"", "", metadata("r", `{"Code":"Failed","Message":"`+secret+`"}`), provider.ErrBadResponse, "with a body that isn't its ", noProxy},
		"IMDS: its role isn't EC2's": {"", "", metadata("r", `{"Code":"AssumeRoleUnauthorizedAccess","Message":"`+secret+`"}`), provider.ErrAccessDenied,
			"answered HTTP status 200, AssumeRoleUnauthorizedAccess ", "ec2.amazonaws.com"},
		"IMDS: no role": {"", "", func(r *http.Request) (int, http.Header, string) {
			if r.URL.Path == roleList {
				return 404, nil, page
			}
			return metadata("", "")(r)
		}, provider.ErrMisconfigured, "answered HTTP status 404 ", "give it an instance profile"},
		"IMDS: PUT hangs behind a hop limit": {"", "", func(r *http.Request) (int, http.Header, string) {
			if r.Method == http.MethodPut {
				return 0, nil, "net/http: timeout awaiting response headers"
			}
			return 401, nil, page
		}, provider.ErrMisconfigured, "answered HTTP status 401 ", "--http-put-response-hop-limit 2"},
		"IMDS: PUT is refused": {"", "", func(r *http.Request) (int, http.Header, string) {
			if r.Method == http.MethodPut {
				return 400, nil, page
			}
			return 401, nil, page
		}, provider.ErrBadResponse, "the EC2 instance metadata service at 169.254.169.254 answered HTTP status 400 ", "--http-put-response-hop-limit 2"},
		"IMDS: a proxy": {"", "", always(503, "text/html", page), provider.ErrUnavailable, "answered HTTP status 503 ", noProxy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "static-container-token")
			if test.variable != "" {
				t.Setenv(test.variable, test.value)
			}
			p := test.outside.in(t)
			_, err := provider.Issue(t.Context(), p, push)
			e := asError(t, err)
			require.Equal(t, "find AWS credentials", e.Op)
			require.ErrorIs(t, err, test.kind, "%v", err)
			require.ErrorContains(t, err, test.text)
			require.Contains(t, e.Hint, test.hint)
			text := fmt.Sprintf("%v %+v %#v %v", err, err, *e, slog.AnyValue(err))
			for f := range p.Diagnose(t.Context(), diagnosis.Options{}) {
				text += fmt.Sprint(f.Summary, f.Remedy, slog.GroupValue(f.Evidence...))
				if f.Check == "credentials" {
					require.Equal(t, diagnosis.Failed, f.Status)
					require.NotEqual(t, "see the error", f.Remedy)
					require.Contains(t, f.Summary+": "+f.Remedy, test.hint)
				}
			}
			for _, secret := range []string{secret, secret[:8], "static-container", "<html>", "gateway", "ASIAEXAMPLE", "metadata-token"} {
				require.NotContains(t, text, secret)
			}
		})
	}
}

// A credentials provider of the caller's own asks with the SDK's own clients: its errors aren't quoted either.
func TestOwnCredentialsProviders(t *testing.T) { //nolint:paralleltest // environment
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	page := "<html>" + secret + "</html>"
	container := func(w outside) awssdk.CredentialsProvider {
		return endpointcreds.New("http://127.0.0.1/", func(o *endpointcreds.Options) { o.HTTPClient, o.Retryer = w, awssdk.NopRetryer{} })
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	instance := func(w outside) awssdk.CredentialsProvider {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			status, header, body := w(r)
			maps.Copy(rw.Header(), header)
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, body)
		}))
		t.Cleanup(s.Close)
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", s.URL)
		return ec2rolecreds.New()
	}
	for name, test := range map[string]struct {
		from awssdk.CredentialsProvider
		text string
	}{
		"container":            {container(always(403, "text/html", page)), "the container credentials endpoint answered HTTP status 403 "},
		"container, with JSON": {container(always(403, "application/json", `{"code":"`+secret+`","message":"`+secret+`"}`)), "answered HTTP status 403 "},
		"container, captive":   {container(always(200, "text/html", page)), "the container credentials endpoint answered HTTP status 200 with a body that isn't its "},
		"container, no keys":   {container(always(200, "application/json", "{}")), "the credentials that were found are empty"},
		"IMDS":                 {instance(always(403, "text/html", page)), "the EC2 instance metadata service answered HTTP status 403 "},
		"IMDS, captive":        {instance(metadata(page, page)), "the EC2 instance metadata service answered HTTP status 200 with a body that isn't its "},
		"IMDS, with a message": {instance(metadata("r", `{"Code":"`+secret+`","Message":"`+secret+`"}`)), "answered HTTP status 200 with a body that isn't its "},
		"whatever else it says": {awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{}, errors.New("vault: " + secret)
		}), "vault"},
	} {
		t.Run(name, func(t *testing.T) {
			p := always(500, "", "").in(t, config.WithCredentialsProvider(test.from))
			_, err := provider.Issue(t.Context(), p, push)
			require.Error(t, err)
			if test.text != "vault" {
				require.ErrorContains(t, err, test.text)
			}
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, *asError(t, err)), secret[:8])
		})
	}
}

// The path of a token file that can't be read is said; what was put in its place by mistake isn't.
func TestTokenFile(t *testing.T) { //nolint:paralleltest // environment
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
	missing := filepath.Join(t.TempDir(), "eks-pod-identity-token")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", missing)
	_, err := provider.Issue(t.Context(), always(500, "", "").in(t), push)
	require.ErrorContains(t, err, "open "+missing+": no such file or directory")
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
	_, err = provider.Issue(t.Context(), always(500, "", "").in(t), push)
	require.Error(t, err)
	require.NotContains(t, err.Error(), token[:8])
	require.Contains(t, asError(t, err).Hint, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
}

// profiles writes a profile for each way to credentials, with a secret for what it sends.
func profiles(t testing.TB, secret string) (file string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const start = "https://example.awsapps.com/start"
	write(".aws/sso/cache/e8be5486177c5b5392bd9aa76563515b29358e6e.json", fmt.Sprintf(
		`{"accessToken":%q,"expiresAt":%q,"region":"eu-west-1","startUrl":%q}`, secret, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), start))
	return write("config", `
[profile web]
role_arn = arn:aws:iam::123456789012:role/web
web_identity_token_file = `+write("token", secret)+`
[profile sso]
sso_start_url = `+start+`
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = role
[profile imds]
role_arn = arn:aws:iam::123456789012:role/next
credential_source = Ec2InstanceMetadata
[profile container]
role_arn = arn:aws:iam::123456789012:role/next
credential_source = EcsContainer
[profile process]
credential_process = cat `+filepath.Join(dir, "output")+`
`)
}
