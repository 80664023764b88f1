package endpoint_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

func TestSessionPerCaller(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		s := &service{}
		var authorized []provider.Request
		var opts []endpoint.Option
		want := provider.Request{Project: "hello", Access: provider.Push}
		if own {
			opts, want.Caller = append(opts, endpoint.WithSessionPerCaller()), "alice"
		}
		h := endpoint.New(s, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
			func(_ context.Context, _ user, r provider.Request) error {
				authorized = append(authorized, r)
				return nil
			},
			append(opts, endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))...)
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
		require.Equal(t, []provider.Request{want}, s.asked)
		want.Caller = ""
		require.Equal(t, []provider.Request{want}, authorized)
	}
}

// Who waits for a turn, waits as the caller that it is, in a credential that callers share too.
func TestCallersTakeTurns(t *testing.T) {
	t.Parallel()
	s := &service{}
	var subjects []string
	s.credentials = func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
		subjects = append(subjects, decorator.SubjectOf(ctx))
		return s.good(r), nil
	}
	for _, name := range []string{"alice", "mallory"} {
		h := endpoint.New(s, func(*http.Request) (user, error) { return user{name: name}, nil },
			func(context.Context, user, provider.Request) error { return nil }, endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
		require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
	}
	require.Equal(t, []string{"alice", "mallory"}, subjects)
}

func TestSourceOfEvents(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]endpoint.Option{nil, {endpoint.WithTrustedProxies(netip.MustParsePrefix("192.0.2.0/24"))}} {
		var events []endpoint.Event
		h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "alice"}, nil },
			func(context.Context, user, provider.Request) error { return nil },
			append(opts, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error { events = append(events, e); return nil }))...)
		r := httptest.NewRequest(http.MethodGet, "/?project=hello", nil) // from 192.0.2.1:1234
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, "192.0.2.1:1234", events[0].RemoteAddr)
		if opts == nil {
			require.Empty(t, events[0].SourceAddr)
		} else {
			require.Equal(t, "198.51.100.1", events[0].SourceAddr)
			require.Contains(t, events[0].LogValue().String(), "source_addr=198.51.100.1")
		}
	}
}

// A subject that can't name a session is the service's mistake: not the caller's request, and nobody shares another's session.
func TestSessionPerCallerNeedsSubjects(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"", "alice\n", strings.Repeat("a", provider.MaxCallerLength+1)} {
		s := &service{}
		h := endpoint.New(s, func(*http.Request) (user, error) { return user{name: subject}, nil },
			func(context.Context, user, provider.Request) error { return nil },
			endpoint.WithSessionPerCaller(), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
		require.Equal(t, http.StatusInternalServerError, ask(t.Context(), h, "hello"), "%q", subject)
		require.Empty(t, s.asked)
	}
}

// detailed is a caller with something to say of itself.
type detailed struct{ user }

func (detailed) Details() []slog.Attr { return []slog.Attr{slog.String("claim", "acme")} }

// What a caller says of itself is in each of its events, refused or not, before what the provider says.
func TestCallersDetails(t *testing.T) {
	t.Parallel()
	var events []endpoint.Event
	h := endpoint.New(&service{}, func(*http.Request) (detailed, error) { return detailed{user{name: "alice"}}, nil },
		func(_ context.Context, _ detailed, r provider.Request) error {
			if r.Project == "hello" {
				return nil
			}
			return provider.ErrNotFound
		},
		endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error { events = append(events, e); return nil }))
	require.Equal(t, http.StatusOK, ask(t.Context(), h, "hello"))
	require.Equal(t, http.StatusNotFound, ask(t.Context(), h, "other"))
	require.Equal(t, http.StatusBadRequest, ask(t.Context(), h, "No!"))
	for _, e := range events {
		require.Equal(t, slog.String("claim", "acme"), e.Details[0])
	}
}
