package endpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

const (
	goodToken = "good-token-4711"
	password  = "s3cr3t-hunter2"
)

type user struct {
	name     string
	projects map[string]provider.Access
}

func (u user) Subject() string { return u.name }

// service is an embedding service and its provider, with a switch for each thing that can go wrong.
type service struct {
	credentials  func(context.Context, provider.Request) (provider.Credentials, error)
	authenticate func(*http.Request) (user, error)
	authorize    func(context.Context, user, provider.Request) error
	narrow       bool // the provider accepts no project that begins with x

	mu     sync.Mutex
	asked  []provider.Request
	events []endpoint.Event
	logs   bytes.Buffer
}

func (s *service) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	if s.narrow && project[0] == 'x' {
		return name.Repository{}, &provider.Error{Kind: provider.ErrInvalidRequest, Op: "check project name"}
	}
	return name.NewRepository("registry.example.com/rise/" + project)
}

func (s *service) Type() string { return "fake" }

func (s *service) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	if s.credentials != nil {
		return s.credentials(ctx, r)
	}
	return s.good(r), nil
}

func (s *service) good(r provider.Request) provider.Credentials {
	repository, err := s.Repository(r.Project, r.Consumer)
	if err != nil {
		panic(err)
	}
	return provider.Credentials{
		Target: repository, Access: r.Access, Method: provider.LoginCredentials, Username: "AWS", Password: provider.NewSecret(password),
		ExpiresAt: time.Now().Add(time.Hour), Details: []slog.Attr{slog.String("session_name", "rise-push-hello")},
	}
}

func (s *service) serve(t *testing.T, opts ...endpoint.Option) string {
	t.Helper()
	authenticate := func(r *http.Request) (user, error) {
		if s.authenticate != nil {
			return s.authenticate(r)
		}
		token, ok := endpoint.BearerToken(r)
		if !ok || !token.Equal(provider.NewSecret(goodToken)) {
			return user{}, fmt.Errorf("token: %w", endpoint.ErrUnauthenticated)
		}
		return user{"alice", map[string]provider.Access{"hello": provider.Push, "readonly": provider.Pull, "x-y": provider.Push}}, nil
	}
	authorize := func(ctx context.Context, u user, r provider.Request) error {
		if s.authorize != nil {
			return s.authorize(ctx, u, r)
		}
		if !u.projects[r.Project].Includes(r.Access) {
			return provider.ErrNotFound
		}
		return nil
	}
	logger := slog.New(slog.NewJSONHandler(&s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	log := endpoint.Log(logger)
	audit := endpoint.WithAudit(func(ctx context.Context, e endpoint.Event) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
		return log(ctx, e)
	})
	mux := http.NewServeMux()
	h := endpoint.New(s, authenticate, authorize, append([]endpoint.Option{audit}, opts...)...)
	mux.Handle("/api/v1/registry/credentials", h)
	mux.Handle("/api/v1/registry/credentials/p/{project}/d/{deployment}", h)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/api/v1/registry/credentials"
}

type reply struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, method, url, authorization string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, resp.Header.Get("Set-Cookie"))
	return reply{resp.StatusCode, resp.Header, string(body)}
}

const bearer = "Bearer " + goodToken

func TestIssued(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query  string
		asked  provider.Request
		change func(*provider.Credentials, time.Time)
		want   string // the credentials member, with E for the expiry
	}{
		"push is the default": {
			"?project=hello", provider.Request{Project: "hello", Access: provider.Push}, func(c *provider.Credentials, expiry time.Time) { c.ExpiresAt = expiry },
			`{"registry_url":"registry.example.com/rise/hello","username":"AWS","password":"s3cr3t-hunter2","expires_in":3599,"expires_at":"E","auth_method":"login_credentials"}`,
		},
		"pull": {
			"?project=hello&access=pull&other=ignored", provider.Request{Project: "hello", Access: provider.Pull}, func(c *provider.Credentials, expiry time.Time) { c.ExpiresAt = expiry },
			`{"registry_url":"registry.example.com/rise/hello","username":"AWS","password":"s3cr3t-hunter2","expires_in":3599,"expires_at":"E","auth_method":"login_credentials"}`,
		},
		"no expiry": {
			"?project=hello&access=push", provider.Request{Project: "hello", Access: provider.Push}, func(c *provider.Credentials, _ time.Time) { c.ExpiresAt = time.Time{} },
			`{"registry_url":"registry.example.com/rise/hello","username":"AWS","password":"s3cr3t-hunter2","auth_method":"login_credentials"}`,
		},
		"the client's own login": {
			"?project=hello", provider.Request{Project: "hello", Access: provider.Push},
			func(c *provider.Credentials, _ time.Time) {
				c.ExpiresAt, c.Method, c.Username, c.Password = time.Time{}, provider.ClientLogin, "", provider.Secret{}
			},
			`{"registry_url":"registry.example.com/rise/hello","username":"","password":"","auth_method":"login_credentials"}`,
		},
		"a token": {
			"?project=hello", provider.Request{Project: "hello", Access: provider.Push},
			func(c *provider.Credentials, expiry time.Time) {
				c.ExpiresAt, c.Method, c.Username = expiry, provider.RegistryToken, ""
			},
			`{"registry_url":"registry.example.com/rise/hello","username":"","password":"s3cr3t-hunter2","expires_in":3599,"expires_at":"E","auth_method":"registry_token"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expiry := time.Now().Add(3599*time.Second + 900*time.Millisecond) // here, as parallel tests wait
			s := &service{}
			s.credentials = func(_ context.Context, r provider.Request) (provider.Credentials, error) {
				c := s.good(r)
				test.change(&c, expiry)
				return c, nil
			}
			got := get(t, http.MethodGet, s.serve(t)+test.query, bearer)
			require.Equal(t, http.StatusOK, got.status)
			want := strings.ReplaceAll(test.want, `"E"`, `"`+expiry.UTC().Format(time.RFC3339)+`"`)
			// expires_in counts from the answer: it may have become a second less by now.
			body := strings.ReplaceAll(got.body, `"expires_in":3598`, `"expires_in":3599`)
			require.Equal(t, `{"credentials":`+want+`,"repository":"hello"}`+"\n", body)
			require.Equal(t, []provider.Request{test.asked}, s.asked)

			require.Len(t, s.events, 1)
			e := s.events[0]
			require.Equal(t, "alice", e.Subject)
			require.Equal(t, "hello", e.Project)
			require.Equal(t, test.asked.Access, e.Access)
			require.Equal(t, "fake", e.Provider)
			require.Equal(t, endpoint.Issued, e.Outcome)
			require.Equal(t, http.StatusOK, e.Status)
			require.Empty(t, e.Code)
			require.Empty(t, e.Kind)
			require.Equal(t, "[session_name=rise-push-hello]", fmt.Sprint(e.Details))
			require.Contains(t, e.RemoteAddr, "127.0.0.1:")
			require.NotContains(t, s.logs.String(), password)
			require.NotContains(t, s.logs.String(), goodToken)
			require.Contains(t, s.logs.String(), `"level":"INFO","msg":"registry credentials","outcome":"issued"`)
		})
	}
}

func failing(err error) func(context.Context, provider.Request) (provider.Credentials, error) {
	return func(context.Context, provider.Request) (provider.Credentials, error) {
		return provider.Credentials{}, err
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	kind := func(k provider.Kind) *service {
		return &service{credentials: failing(&provider.Error{Kind: k, Op: "assume push role", Err: errors.New("cause " + password)})}
	}
	for name, test := range map[string]struct {
		service       *service
		method        string // GET
		query         string // ?project=hello
		authorization string // bearer
		opts          []endpoint.Option
		status        int
		code          string
		header        string // "Name: value"
		kind          provider.Kind
	}{
		"post":           {method: http.MethodPost, status: 405, code: "method_not_allowed", header: "Allow: GET"},
		"head":           {method: http.MethodHead, status: 405, code: "method_not_allowed", header: "Allow: GET"},
		"options":        {method: http.MethodOptions, authorization: "none", status: 405, code: "method_not_allowed", header: "Allow: GET"},
		"no token":       {authorization: "none", status: 401, code: "unauthenticated", header: "WWW-Authenticate: Bearer"},
		"wrong token":    {authorization: "Bearer wrong", status: 401, code: "unauthenticated", header: "WWW-Authenticate: Bearer"},
		"basic":          {authorization: "Basic " + goodToken, status: 401, code: "unauthenticated", header: "WWW-Authenticate: Bearer"},
		"bare token":     {authorization: goodToken, status: 401, code: "unauthenticated", header: "WWW-Authenticate: Bearer"},
		"long token":     {authorization: bearer + strings.Repeat("x", 9000), status: 401, code: "unauthenticated", header: "WWW-Authenticate: Bearer"},
		"limit, address": {authorization: "none", opts: []endpoint.Option{endpoint.WithAddressLimit(func(*http.Request) time.Duration { return 1500 * time.Millisecond })}, status: 429, code: "too_many_requests", header: "Retry-After: 2"},
		"limit, post":    {method: http.MethodPost, opts: []endpoint.Option{endpoint.WithAddressLimit(func(*http.Request) time.Duration { return time.Second })}, status: 429, code: "too_many_requests", header: "Retry-After: 1"},
		"limit, head":    {method: http.MethodHead, opts: []endpoint.Option{endpoint.WithAddressLimit(func(*http.Request) time.Duration { return time.Second })}, status: 429, code: "too_many_requests", header: "Retry-After: 1"},
		"post, subject":  {method: http.MethodPost, opts: []endpoint.Option{endpoint.WithSubjectLimit(func(context.Context, string) time.Duration { return time.Minute })}, status: 405, code: "method_not_allowed", header: "Allow: GET"},
		"limit, subject": {query: "?", opts: []endpoint.Option{endpoint.WithSubjectLimit(func(_ context.Context, subject string) time.Duration {
			return map[string]time.Duration{"alice": time.Minute}[subject]
		})}, status: 429, code: "too_many_requests", header: "Retry-After: 60"},
		"no project":       {query: "?", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"two projects":     {query: "?project=hello&project=hello", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"unknown access":   {query: "?project=hello&access=admin", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"empty access":     {query: "?project=hello&access=", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"two accesses":     {query: "?project=hello&access=pull&access=pull", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"bad escape":       {query: "?project=hello%zz", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"semicolon":        {query: "?project=hello;access=pull", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"long query":       {query: "?project=hello&x=" + strings.Repeat("x", 5000), status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"narrowed name":    {service: &service{narrow: true}, query: "?project=x-y", status: 400, code: "invalid_request", kind: provider.ErrInvalidRequest},
		"unknown project":  {query: "?project=nobody", status: 404, code: "not_found", kind: provider.ErrNotFound},
		"access too wide":  {query: "?project=readonly", status: 404, code: "not_found", kind: provider.ErrNotFound},
		"forbidden":        {service: &service{authorize: func(context.Context, user, provider.Request) error { return provider.ErrAccessDenied }}, status: 404, code: "not_found", kind: provider.ErrAccessDenied},
		"refused for now":  {service: &service{authorize: func(context.Context, user, provider.Request) error { return provider.ErrConflict }}, status: 409, code: "conflict", kind: provider.ErrConflict},
		"authz fails":      {service: &service{authorize: func(context.Context, user, provider.Request) error { return errors.New("database " + password) }}, status: 503, code: "unavailable", header: "Retry-After: 5"},
		"authz times out":  {service: &service{authorize: func(context.Context, user, provider.Request) error { return context.DeadlineExceeded }}, status: 503, code: "unavailable", header: "Retry-After: 5", kind: provider.ErrTimeout},
		"authn fails":      {service: &service{authenticate: func(*http.Request) (user, error) { return user{}, errors.New("database " + password) }}, status: 503, code: "unavailable", header: "Retry-After: 5"},
		"not found":        {service: kind(provider.ErrNotFound), status: 404, code: "not_found", kind: provider.ErrNotFound},
		"conflict":         {service: kind(provider.ErrConflict), status: 409, code: "conflict", kind: provider.ErrConflict},
		"not ours":         {service: kind(provider.ErrNotOurs), status: 409, code: "conflict", kind: provider.ErrNotOurs},
		"orphaned":         {service: kind(provider.ErrOrphaned), status: 409, code: "conflict", kind: provider.ErrOrphaned},
		"denied":           {service: kind(provider.ErrAccessDenied), status: 502, code: "upstream_denied", kind: provider.ErrAccessDenied},
		"nonsense":         {service: kind(provider.ErrBadResponse), status: 502, code: "upstream_denied", kind: provider.ErrBadResponse},
		"misconfigured":    {service: kind(provider.ErrMisconfigured), status: 502, code: "upstream_denied", kind: provider.ErrMisconfigured},
		"unsupported":      {service: kind(provider.ErrUnsupported), status: 502, code: "upstream_denied", kind: provider.ErrUnsupported},
		"throttled":        {service: kind(provider.ErrThrottled), status: 503, code: "unavailable", header: "Retry-After: 5", kind: provider.ErrThrottled},
		"throttled, asked": {service: &service{credentials: failing(&provider.Error{Kind: provider.ErrThrottled, RetryAfter: 90 * time.Second})}, status: 503, code: "unavailable", header: "Retry-After: 90", kind: provider.ErrThrottled},
		"unavailable":      {service: kind(provider.ErrUnavailable), status: 503, code: "unavailable", header: "Retry-After: 5", kind: provider.ErrUnavailable},
		"timeout":          {service: kind(provider.ErrTimeout), status: 504, code: "timeout", kind: provider.ErrTimeout},
		"deadline": {service: &service{credentials: func(ctx context.Context, _ provider.Request) (provider.Credentials, error) {
			<-ctx.Done()
			return provider.Credentials{}, ctx.Err()
		}}, opts: []endpoint.Option{endpoint.WithTimeout(time.Millisecond)}, status: 504, code: "timeout", kind: provider.ErrTimeout},
		"a bug":        {service: &service{credentials: failing(errors.New("bug " + password))}, status: 500, code: "internal"},
		"a panic":      {service: &service{credentials: func(context.Context, provider.Request) (provider.Credentials, error) { panic("boom " + password) }}, status: 500, code: "internal"},
		"authz panics": {service: &service{authorize: func(_ context.Context, _ user, r provider.Request) error { return make([]error, len(r.Project))[99] }}, status: 500, code: "internal"},
		"another project's credential": {service: &service{credentials: func(context.Context, provider.Request) (provider.Credentials, error) {
			return (&service{}).good(provider.Request{Project: "other", Access: provider.Push}), nil
		}}, status: 502, code: "upstream_denied", kind: provider.ErrBadResponse},
		"an expired credential": {service: &service{credentials: func(_ context.Context, r provider.Request) (provider.Credentials, error) {
			c := (&service{}).good(r)
			c.ExpiresAt = time.Now().Add(-time.Second)
			return c, nil
		}}, status: 502, code: "upstream_denied", kind: provider.ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.service
			if s == nil {
				s = &service{}
			}
			method, query, authorization := test.method, test.query, test.authorization
			if method == "" {
				method = http.MethodGet
			}
			if query == "" {
				query = "?project=hello"
			}
			switch authorization {
			case "":
				authorization = bearer
			case "none":
				authorization = ""
			}
			got := get(t, method, s.serve(t, test.opts...)+query, authorization)
			require.Equal(t, test.status, got.status)
			if method != http.MethodHead {
				var body map[string]string
				require.NoError(t, json.Unmarshal([]byte(got.body), &body))
				require.Equal(t, test.code, body["code"])
				require.NotEmpty(t, body["error"])
				require.Len(t, body, 2)
			}
			for _, header := range []string{"Allow", "WWW-Authenticate", "Retry-After"} {
				value, _ := strings.CutPrefix(test.header, header+": ")
				if value == test.header {
					value = ""
				}
				require.Equal(t, value, got.header.Get(header), header)
			}
			require.NotContains(t, got.body, password, "causes go to the log")
			require.NotContains(t, got.body, "assume")

			require.Len(t, s.events, 1)
			e := s.events[0]
			require.Equal(t, test.status, e.Status)
			require.Equal(t, test.code, e.Code)
			require.Equal(t, test.kind, e.Kind)
			want, level := endpoint.Refused, "WARN"
			if test.status >= 500 {
				want, level = endpoint.Failed, "ERROR"
				require.Error(t, e.Err, "the operator gets the cause")
			}
			require.Equal(t, want, e.Outcome)
			require.Contains(t, s.logs.String(), `"level":"`+level+`"`)
			require.Zero(t, e.ExpiresAt)
		})
	}
}

// What a panic's value or a credential holds never reaches the log.
func TestLogsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*service{
		"issued": {},
		"panic":  {credentials: func(context.Context, provider.Request) (provider.Credentials, error) { panic(errors.New(password)) }},
		"wrong": {credentials: func(_ context.Context, r provider.Request) (provider.Credentials, error) {
			c := (&service{}).good(r)
			c.Access = provider.Pull
			return c, nil
		}},
	} {
		url := s.serve(t)
		get(t, http.MethodGet, url+"?project=hello", bearer)
		get(t, http.MethodGet, url+"?project=hello", bearer+"x")
		for _, secret := range []string{password, goodToken} {
			require.NotContains(t, s.logs.String(), secret, name)
			for _, e := range s.events {
				require.NotContains(t, fmt.Sprintf("%+v %v", e, slog.AnyValue(e).Resolve()), secret, name)
			}
		}
	}
}

func TestUnknownAndForbiddenLookTheSame(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var steps []string
	s := &service{}
	exists := map[string]bool{"theirs": true}
	s.authorize = func(_ context.Context, _ user, r provider.Request) error {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, "authorize "+r.Access.String())
		if exists[r.Project] {
			return fmt.Errorf("project %s belongs to bob: %w", r.Project, provider.ErrAccessDenied)
		}
		return fmt.Errorf("no project %s: %w", r.Project, provider.ErrNotFound)
	}
	url := s.serve(t)
	unknown, forbidden := get(t, http.MethodGet, url+"?project=nobody", bearer), get(t, http.MethodGet, url+"?project=theirs", bearer)
	unknown.header.Del("Date")
	forbidden.header.Del("Date")
	require.Equal(t, unknown, forbidden)
	require.Equal(t, http.StatusNotFound, unknown.status)
	require.Equal(t, []string{"authorize push", "authorize push"}, steps)
	require.Empty(t, s.asked, "nothing upstream tells them apart either")
}

func TestInvalidNamesNeverReachTheProvider(t *testing.T) {
	t.Parallel()
	s := &service{authorize: func(context.Context, user, provider.Request) error { return nil }}
	url := s.serve(t)
	first := ""
	for _, project := range []string{
		"*", "a*", "?", "%3F", "..%2Fb", "a%2Fb", "A", "-a", "a--b", strings.Repeat("a", 64), "a%252fb", "a%0Ab", "%C3%A9", "", "a%00", "a+b", "%24%7Bx%7D",
	} {
		got := get(t, http.MethodGet, url+"?project="+project, bearer)
		require.Equal(t, http.StatusBadRequest, got.status, project)
		if first == "" {
			first = got.body
		}
		require.Equal(t, first, got.body, "the answer repeats nothing of the request")
	}
	require.Empty(t, s.asked)
	for _, e := range s.events {
		require.Empty(t, e.Project, "what isn't valid could be anything")
	}
}

func TestCanceledRequest(t *testing.T) {
	t.Parallel()
	started, ended := make(chan struct{}), make(chan struct{})
	s := &service{credentials: func(ctx context.Context, _ provider.Request) (provider.Credentials, error) {
		close(started)
		<-ctx.Done()
		return provider.Credentials{}, ctx.Err()
	}}
	url := s.serve(t, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
		s.events = append(s.events, e)
		close(ended)
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"?project=hello", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", bearer)
	go func() { <-started; cancel() }()
	_, err = http.DefaultClient.Do(r)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	require.Equal(t, endpoint.Canceled, s.events[0].Outcome)
}

func TestNewRefusesNil(t *testing.T) {
	t.Parallel()
	authenticate := func(*http.Request) (user, error) { return user{}, nil }
	authorize := func(context.Context, user, provider.Request) error { return nil }
	require.Panics(t, func() { endpoint.New(nil, authenticate, authorize) })
	require.Panics(t, func() { endpoint.New(&service{}, nil, authorize) })
	require.Panics(t, func() { endpoint.New(&service{}, authenticate, nil) })
	require.Panics(t, func() { endpoint.WithRepositories(nil) }, "and not 500 for each request")
	require.Panics(t, func() { endpoint.WithProjectIDs(nil) })
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER  abc ": "abc", "Bearer": "", "Bearer ": "", "Bearer a b": "", "Basic abc": "", "": "", "abc": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		token, ok := endpoint.BearerToken(r)
		require.Equal(t, want, token.Reveal(), header)
		require.Equal(t, want != "", ok, header)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	_, ok := endpoint.BearerToken(r)
	require.False(t, ok, "two headers are nobody's")
}
