package ecr_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

type somebody struct{}

func (somebody) Subject() string { return "somebody" }

// served is the endpoint in front of p, and what it audits.
type served struct {
	http.Handler
	mu     sync.Mutex
	events []endpoint.Event
}

func serve(p provider.Provider, opts ...endpoint.Option) *served {
	s := &served{}
	opts = append(opts, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
		return nil
	}))
	s.Handler = endpoint.New(p, func(*http.Request) (somebody, error) { return somebody{}, nil },
		func(context.Context, somebody, provider.Request) error { return nil }, opts...)
	return s
}

func (s *served) ask(ctx context.Context, query string) int {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+query, nil))
	return w.Code
}

// hang is where something hangs, and what has to be so for that.
type hang struct {
	fault    ecrtest.Fault
	outside  bool // the controller role is assumed
	pod      bool // credentials come from an endpoint
	irsa     bool // credentials come from STS, for a token
	dial     bool // connections aren't made
	stall    bool // answers begin, and don't go on
	ensure   bool // it shows with repositories
	expected string
}

func hangs() map[string]hang {
	return map[string]hang{
		"STS":                 {fault: ecrtest.Fault{Action: sts, Latency: time.Hour}, expected: "assume push role"},
		"ECR":                 {fault: ecrtest.Fault{Action: token, Latency: time.Hour}, expected: "get authorization token"},
		"controller's hop":    {outside: true, fault: ecrtest.Fault{Action: sts, Latency: time.Hour}, expected: "assume controller role"},
		"who we are":          {outside: true, fault: ecrtest.Fault{Action: "sts:GetCallerIdentity", Latency: time.Hour}, expected: "get caller identity"},
		"credentials":         {pod: true, fault: ecrtest.Fault{Action: "pod-identity:*", Latency: time.Hour}, expected: "find AWS credentials"},
		"connections":         {dial: true, expected: "assume push role"},
		"bodies":              {stall: true, expected: "assume push role"},
		"whose repository":    {ensure: true, fault: ecrtest.Fault{Action: "ecr:ListTagsForResource", Latency: time.Hour}, expected: "read the repository's tags"},
		"a repository's make": {ensure: true, fault: ecrtest.Fault{Action: "ecr:CreateRepository", Latency: time.Hour}, expected: "create repository"},
	}
}

func (h hang) provider(t *testing.T) (*ecr.Provider, *awsServer) {
	t.Helper()
	aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
	if h.outside {
		aws.outside()
	}
	dialer := aws.DialContext
	if h.dial {
		dialer = func(ctx context.Context, network, _ string) (net.Conn, error) { // as net.Dialer does it
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(5 * time.Second):
				return nil, &net.OpError{Op: "dial", Net: network, Err: context.DeadlineExceeded}
			}
		}
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext, t.DialTLSContext, t.Proxy = dialer, dialer, nil
	})
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(client)}
	if h.stall {
		load = append(load, config.WithHTTPClient(&http.Client{Transport: stalling{client.GetTransport()}}))
	}
	if h.pod {
		aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
		pod := aws.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(aws)})
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.URL)
		t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", pod.Token)
		load = append(load, config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }))
	}
	if h.irsa {
		oidc := aws.AddOIDCProvider("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")
		aws.UpdateRole(aws.deployment.ControllerRoleARN, func(r *ecrtest.Role) {
			r.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + oidc.ARN + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`
		})
		file := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(file, []byte(oidc.Token("system:serviceaccount:rise:rise", "", 12*time.Hour)), 0o600))
		t.Setenv("AWS_ROLE_ARN", aws.deployment.ControllerRoleARN)
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
		aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
	}
	p, err := ecr.New(t.Context(), aws.config, hermetic(), ecr.WithLoadOptions(load...))
	require.NoError(t, err)
	return p, aws
}

// stalling sends an answer's headers and nothing after.
type stalling struct{ http.RoundTripper }

func (s stalling) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		_ = response.Body.Close()
		response.Body = stalled{r.Context()}
	}
	return response, err
}

type stalled struct{ ctx context.Context } //nolint:containedctx // the request's

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (stalled) Close() error { return nil }

// An upstream that hangs in every attempt is a timeout, whichever clock ends first: the attempts' own, the request's, or the caller's.
func TestHangs(t *testing.T) { //nolint:paralleltest // environment
	clearAWS(t)
	for name, h := range hangs() {
		for clock, times := range map[string]struct{ request, caller time.Duration }{
			"attempts' first":           {request: 10 * time.Minute},
			"request's first":           {request: 12 * time.Second},
			"request's, in an attempt":  {request: 3 * time.Second},
			"request's, as it is":       {request: endpoint.DefaultTimeout},
			"request's, a little later": {request: 31 * time.Second},
			"caller's first":            {request: time.Minute, caller: 7 * time.Second},
			"caller's, in a later one":  {request: time.Minute, caller: 14 * time.Second},
		} {
			for _, with := range []string{"", ", cache"} {
				t.Run(name+", "+clock+with, func(t *testing.T) { //nolint:paralleltest // environment
					synctest.Test(t, func(t *testing.T) {
						p, aws := h.provider(t)
						if h.fault.Action != "" {
							aws.Inject(h.fault)
						}
						var served *served
						opts := []endpoint.Option{endpoint.WithTimeout(times.request)}
						if h.ensure {
							opts = append(opts, endpoint.WithRepositories(p))
						}
						if with == "" {
							served = serve(p, opts...)
						} else {
							served = serve(cached(t, p), opts...)
						}
						t.Cleanup(func() { time.Sleep(5 * time.Minute) }) // for what the SDK lets nobody cancel
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						if times.caller > 0 {
							time.AfterFunc(times.caller, cancel)
						}
						start := time.Now()
						require.Equal(t, http.StatusGatewayTimeout, served.ask(ctx, "hello"))
						require.LessOrEqual(t, time.Since(start), min(times.request, 10*time.Minute))
						e := served.events[0]
						require.Equal(t, provider.ErrTimeout, e.Kind)
						if times.caller > 0 {
							require.Equal(t, endpoint.Canceled, e.Outcome)
							return
						}
						require.Equal(t, endpoint.Failed, e.Outcome)
						if times.request > 5*time.Minute {
							require.ErrorContains(t, e.Err, h.expected)
						}
						require.Equal(t, http.StatusGatewayTimeout, served.ask(t.Context(), "hello"), "what is remembered of it is the same")
					})
				})
			}
		}
	}
}

// Where one attempt hangs and the next is answered, the answer counts; where the last one hangs, that.
func TestHangsInBetween(t *testing.T) {
	t.Parallel()
	hanging := func(f ecrtest.Fault) ecrtest.Fault { f.Latency = time.Hour; return f }
	for name, tt := range map[string]struct {
		faults []ecrtest.Fault
		status int
	}{
		"once, then fine":          {[]ecrtest.Fault{hanging(ecrtest.Fault{Times: 1})}, http.StatusOK},
		"twice, then fine":         {[]ecrtest.Fault{hanging(ecrtest.Fault{Times: 2})}, http.StatusOK},
		"once, then fails":         {[]ecrtest.Fault{hanging(ecrtest.Fault{Times: 1}), {Status: 503}}, http.StatusServiceUnavailable},
		"once, then denies":        {[]ecrtest.Fault{hanging(ecrtest.Fault{Times: 1}), {Error: "AccessDenied"}}, http.StatusBadGateway},
		"fails twice, then hangs":  {[]ecrtest.Fault{{Status: 503, Times: 2}, hanging(ecrtest.Fault{})}, http.StatusGatewayTimeout},
		"fails once, then hangs":   {[]ecrtest.Fault{{Status: 503, Times: 1}, hanging(ecrtest.Fault{})}, http.StatusGatewayTimeout},
		"resets once, then hangs":  {[]ecrtest.Fault{{Reset: true, Times: 1}, hanging(ecrtest.Fault{})}, http.StatusGatewayTimeout},
		"hangs, then resets":       {[]ecrtest.Fault{hanging(ecrtest.Fault{Times: 1}), {Reset: true}}, http.StatusServiceUnavailable},
		"slow, but in time":        {[]ecrtest.Fault{{Latency: 9 * time.Second}}, http.StatusOK},
		"throttles, then it hangs": {[]ecrtest.Fault{{Error: "Throttling", Times: 1}, hanging(ecrtest.Fault{})}, http.StatusGatewayTimeout},
	} {
		for _, action := range []string{sts, token} {
			t.Run(name+", "+action, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p, aws := hang{}.provider(t)
					for _, f := range tt.faults {
						if f.Action = action; action == token && f.Error == "Throttling" {
							f.Error = "ThrottlingException"
						}
						aws.Inject(f)
					}
					require.Equal(t, tt.status, serve(p, endpoint.WithTimeout(5*time.Minute)).ask(t.Context(), "hello"))
				})
			})
		}
	}
}

// What hangs once doesn't hang for good: a source of credentials whose answer got lost is asked again.
func TestCredentialSourcesAreAskedAgain(t *testing.T) { //nolint:paralleltest // environment
	clearAWS(t)
	for name, action := range map[string]string{"Pod Identity": "pod-identity:*", "IRSA": "sts:AssumeRoleWithWebIdentity"} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // environment
			synctest.Test(t, func(t *testing.T) {
				h := hang{pod: name == "Pod Identity", irsa: name == "IRSA"}
				p, aws := h.provider(t)
				remove := aws.Inject(ecrtest.Fault{Action: action, Latency: 24 * time.Hour})
				served := serve(cached(t, p))
				require.Equal(t, http.StatusGatewayTimeout, served.ask(t.Context(), "hello"))
				remove()
				time.Sleep(2 * time.Minute)
				require.Equal(t, http.StatusOK, served.ask(t.Context(), "hello"))
			})
		})
	}
}
