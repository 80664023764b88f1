package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// logging is what a token server asks, and what it is told.
type logging struct {
	service service
	events  []endpoint.Event
	seen    []*http.Request
	asked   []provider.Request
}

func (l *logging) authenticate(r *http.Request) (user, error) {
	l.seen = append(l.seen, r)
	token, ok := endpoint.BearerToken(r)
	switch {
	case ok && token.Reveal() == "alice's":
		return user{name: "alice"}, nil
	case ok && token.Reveal() == "broken":
		return user{}, &provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 3 * time.Second}
	}
	return user{}, endpoint.ErrUnauthenticated
}

func (l *logging) authorize(_ context.Context, _ user, r provider.Request) error {
	l.asked = append(l.asked, r)
	switch {
	case r.Project == "unknown", r.Project == "readable" && r.Access == provider.Push:
		return provider.ErrNotFound
	case r.Project == "suspended", r.Project == "frozen" && r.Access == provider.Push:
		return provider.ErrConflict
	case r.Project == "broken":
		return errors.New("the database is down")
	}
	return nil
}

func (l *logging) in(t *testing.T, password string, asked []provider.Request, opts ...endpoint.Option) (string, []provider.Request, error) {
	t.Helper()
	*l = logging{}
	login := endpoint.Logins(&l.service, l.authenticate, l.authorize,
		append(opts, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error { l.events = append(l.events, e); return nil }))...)
	r := httptest.NewRequest(http.MethodPost, "/token?secret=x", strings.NewReader("a body"))
	r.Header.Set("Cookie", "session=x")
	r.Header.Set("Authorization", "Basic x")
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	return login(r, provider.NewSecret(password), asked)
}

func TestLogins(t *testing.T) {
	t.Parallel()
	var l logging
	push := func(project string) provider.Request {
		return provider.Request{Project: project, Access: provider.Push}
	}
	pull := func(project string) provider.Request {
		return provider.Request{Project: project, Access: provider.Pull}
	}
	subject, granted, err := l.in(t, "alice's", []provider.Request{
		push("hello"), push("readable"), push("frozen"), push("unknown"), push("suspended"), pull("hello"), pull("unknown"),
	})
	require.NoError(t, err)
	require.Equal(t, "alice", subject)
	require.Equal(t, []provider.Request{push("hello"), pull("readable"), pull("frozen"), pull("hello")}, granted)
	require.Empty(t, l.service.asked, "nothing is issued")
	type row struct {
		project string
		access  provider.Access
		status  int
	}
	var rows []row
	for _, e := range l.events {
		require.True(t, e.Login)
		require.Contains(t, e.LogValue().String(), "login=true")
		require.Equal(t, []string{"alice", "fake", "192.0.2.1:1234"}, []string{e.Subject, e.Provider, e.RemoteAddr})
		rows = append(rows, row{e.Project, e.Access, e.Status})
	}
	require.Equal(t, []row{
		{"hello", provider.Push, 200}, {"readable", provider.Push, 404}, {"readable", provider.Pull, 200}, {"frozen", provider.Push, 409},
		{"frozen", provider.Pull, 200}, {"unknown", provider.Push, 404}, {"unknown", provider.Pull, 404}, {"suspended", provider.Push, 409},
		{"suspended", provider.Pull, 409}, {"hello", provider.Pull, 200}, {"unknown", provider.Pull, 404},
	}, rows)

	// Authenticate sees the token and the address, and nothing else of the client's.
	require.Len(t, l.seen, 1)
	require.Equal(t, http.Header{"Authorization": {"Bearer alice's"}}, l.seen[0].Header)
	require.Equal(t, []any{http.MethodGet, "/", "192.0.2.1:1234"}, []any{l.seen[0].Method, l.seen[0].URL.String(), l.seen[0].RemoteAddr})
	_, _, err = l.in(t, "alice's", nil, endpoint.WithTrustedProxies(netip.MustParsePrefix("192.0.2.0/24")))
	require.NoError(t, err)
	require.Equal(t, "198.51.100.1:0", l.seen[0].RemoteAddr)
	require.Equal(t, "198.51.100.1", endpoint.SourceAddress(l.seen[0]).String())
	require.Empty(t, l.events, "who asks for nothing was told nothing")

	for _, test := range []struct {
		password, project string
		kind              provider.Kind
		status            int
	}{
		{"mallory's", "hello", provider.ErrAccessDenied, http.StatusUnauthorized},
		{"with a space", "hello", provider.ErrAccessDenied, http.StatusUnauthorized},
		{"", "hello", provider.ErrAccessDenied, http.StatusUnauthorized},
		{"broken", "hello", provider.ErrUnavailable, http.StatusServiceUnavailable},
		{"alice's", "broken", provider.ErrUnavailable, http.StatusServiceUnavailable},
	} {
		subject, granted, err := l.in(t, test.password, []provider.Request{push(test.project)})
		require.ErrorIs(t, err, test.kind)
		require.Empty(t, subject)
		require.Empty(t, granted)
		require.Len(t, l.events, 1)
		require.Equal(t, test.status, l.events[0].Status)
		require.Error(t, l.events[0].Err)
	}
	for _, password := range []string{"alice's\n", "alice's\r\nX-User: root", "\x00", "alice's\x7f", "a\tb", "\u0085"} {
		_, _, err = l.in(t, password, []provider.Request{push("hello")})
		require.ErrorIs(t, err, provider.ErrAccessDenied, "%q", password)
		require.Empty(t, l.seen, "%q: no header can hold it", password)
		require.Len(t, l.events, 1)
	}
	_, _, err = l.in(t, "broken", nil)
	var failure *provider.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 3*time.Second, failure.RetryAfter)
}

// Each repository counts, and so does a login that asks for none.
func TestLoginsAreLimited(t *testing.T) {
	t.Parallel()
	var l logging
	asked := []provider.Request{{Project: "hello", Access: provider.Push}, {Project: "readable", Access: provider.Push}}
	count, most := 0, 100
	bySubject := endpoint.WithSubjectLimit(func(_ context.Context, subject string) time.Duration {
		require.Equal(t, "alice", subject)
		if count++; count > most {
			return 3 * time.Second
		}
		return 0
	})
	_, _, err := l.in(t, "alice's", asked, bySubject)
	require.NoError(t, err)
	require.Equal(t, 2, count)
	_, _, err = l.in(t, "alice's", nil, bySubject)
	require.NoError(t, err)
	require.Equal(t, 3, count)
	most = 4
	_, granted, err := l.in(t, "alice's", asked, bySubject)
	require.ErrorIs(t, err, provider.ErrThrottled)
	require.Empty(t, granted)
	require.Equal(t, http.StatusTooManyRequests, l.events[len(l.events)-1].Status)

	_, _, err = l.in(t, "alice's", asked, endpoint.WithAddressLimit(func(r *http.Request) time.Duration {
		require.Equal(t, "198.51.100.1", r.Header.Get("X-Forwarded-For"), "the client's own request")
		return 3 * time.Second
	}))
	var failure *provider.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, []any{provider.ErrThrottled, 3 * time.Second}, []any{failure.Kind, failure.RetryAfter})
	require.Empty(t, l.seen, "before anybody looks at the token")
}

// With ids, authorization is asked before and after, as for a request.
func TestLoginsWithProjectIDs(t *testing.T) {
	t.Parallel()
	var l logging
	_, granted, err := l.in(t, "alice's", []provider.Request{{Project: "hello", Access: provider.Push}},
		endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return "p-1", nil }))
	require.NoError(t, err)
	want := provider.Request{Project: "hello", ProjectID: "p-1", Access: provider.Push}
	require.Equal(t, []provider.Request{want}, granted)
	require.Equal(t, []provider.Request{{Project: "hello", Access: provider.Push}, want}, l.asked)
	_, _, err = l.in(t, "alice's", []provider.Request{{Project: "hello", Access: provider.Push}},
		endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return "", nil }))
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.Panics(t, func() { endpoint.Logins(&l.service, nil, l.authorize) })
}

// bound is a provider whose credentials are each a caller's own.
type bound struct{ service }

func (*bound) CallerBound() {}

// Its requests name the caller, without any option.
func TestCallerBound(t *testing.T) {
	t.Parallel()
	b := &bound{}
	h := endpoint.New(b, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
		func(context.Context, user, provider.Request) error { return nil }, endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
	require.Equal(t, []provider.Request{{Project: "hello", Access: provider.Push, Caller: "alice"}}, b.asked)
}
