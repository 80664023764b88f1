package ecr_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What is sent to AWS, or to where credentials come from, goes nowhere else, whatever the answer points to: not a signed request, not a token
// in a header, not a web identity token in a body.
func TestRedirectionsAreNotFollowed(t *testing.T) { //nolint:paralleltest // environment
	elsewhere := 0
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer evil.Close()
	to := strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)
	asked := 0
	var code int
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == apiToken {
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			_, _ = fmt.Fprint(w, "metadata-token")
			return
		}
		http.Redirect(w, r, to+"/", code)
	}))
	defer front.Close()
	file := setSources(t, "secret-token")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", front.URL)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", front.URL)
	for _, service := range []string{"", "_STS", "_SSO"} { // the SDK's own calls follow the last two alone
		t.Setenv("AWS_ENDPOINT_URL"+service, front.URL)
	}
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	keys := config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "x/secret1", "x/token1"))
	profile := func(name string) func(*config.LoadOptions) error {
		return func(o *config.LoadOptions) error {
			o.SharedConfigFiles, o.SharedConfigProfile = []string{file}, name
			return nil
		}
	}
	for name, options := range map[string][]func(*config.LoadOptions) error{
		"signed":                             {keys},
		"signed, with a client of one's own": {keys, config.WithHTTPClient(&http.Client{})},
		"signed, with no client":             {keys, config.WithHTTPClient(nil)},
		"web identity":                       {profile("web")},
		"SSO":                                {profile("sso")},
		"IMDS":                               {profile("imds")},
		"IMDS, with a client of one's own":   {profile("imds"), config.WithHTTPClient(&http.Client{})},
		"container":                          {profile("container")},
		"container, with a client of one's own": {profile("container"),
			config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = http.DefaultClient })},
		"container, with a client of the SDK's": {profile("container"),
			config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = awshttp.NewBuildableClient() })},
	} {
		for _, code = range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("%s, %d", name, code), func(t *testing.T) {
				asked = 0
				c := ecr.DefaultConfig()
				c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", "arn:aws:iam::123456789012:role/push"
				p, err := ecr.New(t.Context(), c, hermetic(), ecr.WithLoadOptions(options...))
				require.NoError(t, err)
				_, err = provider.Issue(t.Context(), p, push)
				require.ErrorIs(t, err, provider.ErrBadResponse, "%v", err)
				require.ErrorContains(t, err, strconv.Itoa(code))
				require.Positive(t, asked)
				require.Zero(t, elsewhere)
			})
		}
	}
}

// A proxy answers in the place of the container credentials endpoint: the case of a NO_PROXY that lacks its address.
func TestProxyInFrontOfTheCredentialsEndpoint(t *testing.T) { //nolint:paralleltest // environment
	const token = "static-container-token"
	sent := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, "<html>Denied by gateway. Your request: %s %s Authorization: %s</html>", r.Method, r.URL, sent)
	}))
	defer proxy.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	behind := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.Proxy = http.ProxyURL(address) })
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", "arn:aws:iam::123456789012:role/push"
	p, err := ecr.New(t.Context(), c, hermetic(),
		ecr.WithLoadOptions(config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = behind })))
	require.NoError(t, err)
	_, err = provider.Issue(t.Context(), p, push)
	require.ErrorIs(t, err, provider.ErrBadResponse)
	require.Equal(t, token, sent)
	require.ErrorContains(t, err, "the EKS Pod Identity agent at 169.254.170.23 answered HTTP status 403 (hint: what answers isn't the EKS Pod Identity agent")
	require.Contains(t, asError(t, err).Hint, "list them in NO_PROXY")
	require.NotContains(t, err.Error(), token)
	require.NotContains(t, err.Error(), "gateway")
}
