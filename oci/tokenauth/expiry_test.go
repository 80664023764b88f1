package tokenauth_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Of all that is said of a token's end, the earliest counts, by the clock of the server that says it.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(d time.Duration) int64 { return now.Add(d).Unix() }
		for name, test := range map[string]struct {
			claims map[string]any
			beside string // of the answer
			clock  time.Duration
			dated  bool
			want   time.Duration // 0: there is no credential
		}{
			"exp alone":                      {map[string]any{"exp": at(10 * time.Minute)}, "", 0, true, 10*time.Minute - time.Second},
			"exp alone, undated":             {map[string]any{"exp": at(10 * time.Minute)}, "", 0, false, 10 * time.Minute},
			"expires_in is earlier":          {map[string]any{"exp": at(10 * time.Minute)}, `,"expires_in":60`, 0, true, time.Minute},
			"expires_in is later":            {map[string]any{"exp": at(5 * time.Minute)}, `,"expires_in":3600`, 0, true, 5*time.Minute - time.Second},
			"expires_in counts from before":  {map[string]any{"exp": at(10 * time.Minute)}, `,"expires_in":300,"issued_at":"` + now.Add(-2*time.Minute).Format(time.RFC3339) + `"`, 0, true, 3*time.Minute - time.Second},
			"issued_at in the future":        {map[string]any{"exp": at(10 * time.Minute)}, `,"expires_in":300,"issued_at":"` + now.Add(2*time.Minute).Format(time.RFC3339) + `"`, 0, true, 5 * time.Minute},
			"issued_at alone":                {map[string]any{"exp": at(10 * time.Minute)}, `,"issued_at":"2001-01-01T00:00:00Z"`, 0, true, 10*time.Minute - time.Second},
			"the server's clock is ahead":    {map[string]any{"exp": at(2*time.Hour + 10*time.Minute), "iat": at(2 * time.Hour), "nbf": at(2 * time.Hour)}, `,"expires_in":600`, 2 * time.Hour, true, 10*time.Minute - time.Second},
			"and it doesn't say so":          {map[string]any{"exp": at(2*time.Hour + 10*time.Minute), "iat": at(2 * time.Hour)}, "", 2 * time.Hour, false, 10 * time.Minute},
			"the server's clock is behind":   {map[string]any{"exp": at(-2*time.Hour + 10*time.Minute), "iat": at(-2 * time.Hour), "nbf": at(-2 * time.Hour)}, `,"expires_in":600`, -2 * time.Hour, true, 10*time.Minute - time.Second},
			"and that doesn't show":          {map[string]any{"exp": at(-2*time.Hour + 10*time.Minute), "iat": at(-2 * time.Hour)}, "", -2 * time.Hour, false, 0},
			"it ended by the server's clock": {map[string]any{"exp": at(10 * time.Minute)}, "", 10 * time.Minute, true, 0},
			"a token from a cache":           {map[string]any{"exp": at(time.Minute), "iat": at(-59 * time.Minute)}, `,"expires_in":3600`, 0, true, time.Minute - time.Second},
			"a day":                          {map[string]any{"exp": at(24 * time.Hour)}, "", 0, true, 24*time.Hour - time.Second},
			"more than a day":                {map[string]any{"exp": at(25 * time.Hour)}, "", 0, true, 0},
			"good in half a minute":          {map[string]any{"nbf": at(30 * time.Second), "exp": at(time.Hour)}, "", 0, true, time.Hour - time.Second},
			"good in two minutes":            {map[string]any{"nbf": at(2 * time.Minute), "exp": at(time.Hour)}, "", 0, true, 0},
			"expires_in with a fraction":     {map[string]any{"exp": at(10 * time.Minute)}, `,"expires_in":60.5`, 0, true, 60*time.Second + 500*time.Millisecond},
		} {
			f := newFake(t)
			f.answers(func(r *http.Request, claims map[string]any) *http.Response {
				response := respond(r, http.StatusOK, `{"token":"`+jwt(with(claims, test.claims))+`"`+test.beside+`}`, nil)
				response.Header.Del("Date")
				if test.dated {
					response.Header.Set("Date", now.Add(test.clock).UTC().Format(http.TimeFormat))
				}
				return response
			})
			c, err := provider.Issue(t.Context(), newProvider(t, f.config(), f.option()), push("hello"))
			if test.want == 0 {
				require.Error(t, err, name)
				continue
			}
			require.NoError(t, err, name)
			require.Equal(t, test.want, c.ExpiresAt.Sub(now), name)
		}
	})
}

// RetryAfter is what the token server says, if that makes sense.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]time.Duration{
			"7": 7 * time.Second, "60": time.Minute, "": 0, "-1": 0, "soon": 0, "1e3": 0, strconv.Itoa(1 << 30): time.Hour,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat): time.Minute, time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
		} {
			for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
				f := newFake(t)
				f.answers(body(status, "", "Retry-After", text))
				_, err := provider.Issue(t.Context(), newProvider(t, f.config(), f.option()), push("hello"))
				var e *provider.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, want, e.RetryAfter, text)
			}
		}
	})
}
