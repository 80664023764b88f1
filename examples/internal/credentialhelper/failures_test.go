package credentialhelper_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// What it says of an endpoint that gives no credential: one line for clients that quote it, and for the user what to do. README has the table.
func TestFailures(t *testing.T) {
	t.Parallel()
	ours := credential("registry.example.com/rise/hello")
	for name, test := range map[string]struct {
		handler http.Handler
		env     func(t *testing.T, env []string) []string
		out     string   // part of the line
		stderr  []string // beside it
	}{
		"down": {
			env: func(t *testing.T, env []string) []string {
				t.Helper()
				return append(env, "RISE_URL=http://"+realtest.FreeAddress(t))
			},
			out: "can't be reached", stderr: []string{"asking again", "see whether the service is running"},
		},
		"slow": {
			handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
			out:     "didn't answer in time", stderr: []string{"firewall"},
		},
		"401": {
			handler: ours, env: func(_ *testing.T, env []string) []string { return append(env, "RISE_TOKEN=another-token-of-0815") },
			out: "doesn't accept the token", stderr: []string{"may have expired", "the token is in the variable RISE_TOKEN"},
		},
		"401 from a clock that is off": {
			handler: problem(401, "unauthenticated", "A valid bearer token is required.", "Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)),
			out:     "doesn't accept the token", stderr: []string{"this machine's clock is 1h0m", "ahead of the service's"},
		},
		"a clock that is a day ahead": {handler: clocked(-24 * time.Hour), out: "expired at", stderr: []string{"this machine's clock is 24h0m", "set it right"}},
		"404 for push": {
			handler: problem(404, "not_found", "No such project."),
			out:     "knows no such project, or this token's owner has no right to it", stderr: []string{"RISE_PROJECT", "RISE_ACCESS=pull"},
		},
		"404 for pull": {
			handler: problem(404, "not_found", "No such project."), env: func(_ *testing.T, env []string) []string { return append(env, "RISE_ACCESS=pull") },
			out: "knows no such project", stderr: []string{"RISE_PROJECT"},
		},
		"404 of something else": {handler: http.NotFoundHandler(), out: "has no credentials endpoint", stderr: []string{"check the URL"}},
		"409":                   {handler: problem(409, "conflict", "The project takes no pushes."), out: "at present", stderr: []string{"suspended"}},
		"429 for long": {
			handler: problem(429, "too_many_requests", "Too many requests.", "Retry-After", "3600"),
			out:     "has had too many requests", stderr: []string{"later"},
		},
		"502": {handler: problem(502, "upstream_denied", "The registry denied us."), out: "was refused by the registry", stderr: []string{"operator"}},
		"503 for long": {
			handler: problem(503, "unavailable", "Try again.", "Retry-After", "3600"),
			out:     "is unavailable at present", stderr: []string{"try again later"},
		},
		"a redirect": {handler: http.RedirectHandler("https://login.example.com/", http.StatusFound), out: "redirects to \"https://login.example.com\"", stderr: []string{"login page"}},
		"TLS that isn't trusted": {
			env: func(t *testing.T, env []string) []string {
				t.Helper()
				url, _ := secure(t, ours, time.Now().Add(time.Hour))
				return append(env, "RISE_URL="+url)
			},
			out: "an authority that isn't trusted here", stderr: []string{"CA file", "RISE_CA_FILE"},
		},
		"TLS from a clock that is off": {
			env: func(t *testing.T, env []string) []string {
				t.Helper()
				url, ca := secure(t, ours, time.Now().Add(-time.Hour))
				return append(env, "RISE_URL="+url, "RISE_CA_FILE="+ca)
			},
			out: "has expired, or isn't valid yet, by this machine's clock", stderr: []string{"check this machine's date and time"},
		},
		"no token in the file": {
			env: func(t *testing.T, env []string) []string {
				t.Helper()
				return append(env, "RISE_TOKEN=", "RISE_TOKEN_FILE="+filepath.Join(t.TempDir(), "none"))
			},
			out: "the token's file can't be read", stderr: []string{"may read it"},
		},
		"no token of GitHub's": {
			env: func(_ *testing.T, env []string) []string {
				return append(env, "RISE_TOKEN=", "RISE_AUDIENCE=rise.example.com")
			},
			out: "ACTIONS_ID_TOKEN_REQUEST_URL", stderr: []string{"id-token: write"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := test.handler
			if handler == nil {
				handler = nobody(t)
			}
			env := asked(t, handler)
			if test.env != nil {
				env = test.env(t, env)
			}
			o := runFor(t.Context(), time.Second, env, "registry.example.com", "get")
			require.Equal(t, 1, o.code)
			require.Regexp(t, `^docker-credential-rise: [^\n]+\n$`, o.out, "one line")
			require.Contains(t, o.out, test.out)
			require.Contains(t, o.stderr, strings.TrimSpace(o.out))
			for _, said := range test.stderr {
				require.Contains(t, o.stderr, said)
			}
			requireNoSecret(t, o)
			t.Log(o.stderr)
		})
	}
}

// What passes is waited for, and the user reads why.
func TestTroubleThatPasses(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]http.Handler{
		"429": problem(429, "too_many_requests", "Too many requests.", "Retry-After", "1"),
		"503": problem(503, "unavailable", "Try again.", "Retry-After", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asks atomic.Int32
			o := run(t, asked(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asks.Add(1) == 1 {
					trouble.ServeHTTP(w, r)
					return
				}
				credential("registry.example.com/rise/hello").ServeHTTP(w, r)
			})), "registry.example.com", "get")
			require.Zero(t, o.code, o.stderr)
			require.Contains(t, o.out, password)
			require.Contains(t, o.stderr, "asking again")
			require.NotContains(t, o.stderr, password)
			require.NotContains(t, o.stderr, token)
		})
	}
}

// clocked answers as a service whose clock is off by so much.
func clocked(off time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(off)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		credential("registry.example.com/rise/hello").with("expires_at", now.Add(time.Hour).UTC().Format(time.RFC3339)).ServeHTTP(w, r)
	})
}

// A clock does no harm that is off by less than the credential's life, or behind.
func TestClockOff(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-10 * time.Minute, 24 * time.Hour} {
		o := run(t, asked(t, clocked(off)), "registry.example.com", "get")
		require.Zero(t, o.code, o.stderr)
		require.Contains(t, o.out, password)
	}
}

func TestOwnAuthority(t *testing.T) {
	t.Parallel()
	url, ca := secure(t, credential("registry.example.com/rise/hello"), time.Now().Add(time.Hour))
	o := run(t, append(environment(url), "RISE_CA_FILE="+ca), "registry.example.com", "get")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.out, password)
}

// secure serves with a certificate that nobody trusts but who has the file.
func secure(t *testing.T, h http.Handler, until time.Time) (url, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := home(t, map[string]string{"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
	return s.URL, filepath.Join(dir, "ca.pem")
}
