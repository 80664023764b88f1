package keeper_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

const ownToken = "s3cr3t-token-of-the-controller"

// tripper is the network, with an endpoint behind it.
type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func answers(status int, body string, header ...string) tripper {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func says(code string) string {
	return fmt.Sprintf(`{"error":"a sentence with the token `+ownToken+`","code":%q}`, code)
}

func gives(project, method string, now, expires time.Time) string {
	return fmt.Sprintf(`{"credentials":{"registry_url":"registry.example.com/rise/%s","username":%q,"password":"s3cr3t-%s-%d","expires_in":%d,"expires_at":%q,"auth_method":%q},"repository":%q}`,
		project, map[bool]string{true: "cluster"}[method == "login_credentials"], project, now.UnixNano(), max(0, int(expires.Sub(now)/time.Second)), expires.UTC().Format(time.RFC3339), method, project)
}

// README's table is this one.
func TestTroubles(t *testing.T) {
	t.Parallel()
	fails := func(err error) tripper { return func(*http.Request) (*http.Response, error) { return nil, err } }
	rows := []struct {
		name     string
		endpoint tripper
		code     string
		event    string
		gone     bool  // the secret, once it has expired
		calls    int64 // at most, in the half hour
	}{
		{"down", fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), "unavailable", "EndpointUnavailable", false, 300},
		{"slow", func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, "timeout", "EndpointUnavailable", false, 60},
		{"400", answers(400, says("invalid_request")), "invalid_request", "EndpointRefused", false, 30},
		{"401", answers(401, says("unauthenticated")), "access_denied", "EndpointRefused", false, 60},
		{"404", answers(404, says("not_found")), "not_found", "ProjectRefused", true, 30},
		{"404 of something else", answers(404, "<html>", "Content-Type", "text/html"), "misconfigured", "EndpointUnusable", false, 60},
		{"409", answers(409, says("conflict")), "conflict", "ProjectRefused", true, 30},
		{"429", answers(429, says("too_many_requests"), "Retry-After", "120"), "throttled", "EndpointBusy", false, 40},
		{"500", answers(500, says("internal")), "unavailable", "EndpointUnavailable", false, 60},
		{"502", answers(502, says("upstream_denied")), "unavailable", "EndpointUnavailable", false, 60},
		{"503", answers(503, says("unavailable"), "Retry-After", "120"), "unavailable", "EndpointUnavailable", false, 40},
		{"504", answers(504, says("timeout")), "timeout", "EndpointUnavailable", false, 60},
		{"TLS untrusted", fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), "misconfigured", "EndpointUnusable", false, 60},
		{"redirect", answers(302, "", "Location", "https://login.example.com/"), "misconfigured", "EndpointUnusable", false, 60},
		{"clock off", func(r *http.Request) (*http.Response, error) { // the endpoint's is a day behind
			now := time.Now().Add(-24 * time.Hour)
			return answers(200, gives("shop", "login_credentials", now, now.Add(time.Hour)), "Date", now.UTC().Format(http.TimeFormat))(r)
		}, "bad_response", "EndpointUnusable", false, 60},
		{"another project's", func(r *http.Request) (*http.Response, error) {
			return answers(200, gives("blog", "login_credentials", time.Now(), time.Now().Add(time.Hour)))(r)
		}, "bad_response", "EndpointUnusable", false, 60},
		{"nonsense", answers(200, "s3cr3t-shop"), "bad_response", "EndpointUnusable", false, 60},
		{"a bearer token", func(r *http.Request) (*http.Response, error) {
			return answers(200, gives("shop", "registry_token", time.Now(), time.Now().Add(time.Hour)))(r)
		}, "unsupported", "CredentialUnusable", false, 30},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				var calls, broken atomic.Int64
				c, err := client.New("https://deploy.example.com", client.Fixed(provider.NewSecret(ownToken)), client.WithConsumer(provider.Cluster), client.WithPatience(40*time.Second), client.WithTimeout(40*time.Second),
					client.WithHTTPClient(&http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
						calls.Add(1)
						if broken.Load() == 0 {
							return answers(200, gives("shop", "login_credentials", time.Now(), time.Now().Add(time.Hour)))(r)
						}
						return row.endpoint(r)
					})}))
				require.NoError(t, err)
				w.source = c
				w.label("n", "shop")
				w.start()
				require.Equal(t, []string{"create n"}, w.done())
				broken.Store(1)
				before := w.secret("n")

				w.pass(59 * time.Minute)
				require.Equal(t, before, w.secret("n"), "it is kept while it lives")
				require.Positive(t, w.value("rise_pull_secrets_failures_total", row.code))
				require.Contains(t, strings.Join(w.events.all(), "\n"), "n Warning "+row.event+": project shop: ")
				require.Contains(t, w.logs.String(), "code="+row.code)
				require.LessOrEqual(t, calls.Load(), row.calls+1)

				w.pass(7 * time.Minute)
				require.Equal(t, row.gone, w.secret("n") == nil, "the endpoint says that there is none, and it opens nothing any longer")
				if !row.gone {
					require.Equal(t, 1.0, w.value("rise_pull_secrets_expired_secrets"))
					require.Negative(t, w.value("rise_pull_secrets_earliest_expiry_seconds"))
				}

				broken.Store(0)
				w.pass(7 * time.Minute)
				require.Equal(t, "shop", w.project("n"))
				require.Contains(t, w.events.all(), "n Normal Recovered: the pull secret can be renewed again")
				require.Zero(t, w.value("rise_pull_secrets_expired_secrets"))
				require.NotContains(t, w.logs.String(), ownToken)
			})
		})
	}

	// What the table in README shows.
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, row := range rows {
		after := "kept"
		if row.gone {
			after = "removed"
		}
		found := false
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(line, "|")
			found = found || len(cells) == 7 && slices.Contains(strings.Split(strings.TrimSpace(cells[1]), ", "), row.name) && strings.Contains(cells[2], "`"+row.code+"`") &&
				strings.Contains(cells[3], "`"+row.event+"`") && strings.HasPrefix(strings.TrimSpace(cells[5]), after)
		}
		require.True(t, found, "README has no row for %s: %s, %s, %s", row.name, row.code, row.event, after)
	}
}

// 429 is about this controller: nobody asks meanwhile. 503 may be about one project.
func TestPause(t *testing.T) {
	t.Parallel()
	for kind, others := range map[provider.Kind]int{provider.ErrThrottled: 0, provider.ErrUnavailable: 1} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			in(t, func(w *world) {
				w.label("a", "shop")
				w.endpoint.fail(&provider.Error{Kind: kind, RetryAfter: 5 * time.Minute, Err: errors.New("x")})
				w.start()
				w.endpoint.well()
				w.label("b", "blog")
				w.pass(4 * time.Minute)
				require.Equal(t, 1+others, w.endpoint.count())
				w.pass(2 * time.Minute)
				require.Equal(t, "shop", w.project("a"))
				require.Equal(t, "blog", w.project("b"))
			})
		})
	}
}
