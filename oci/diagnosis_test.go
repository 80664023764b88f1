package oci_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// logins is a keychain that knows one login for every registry; none if it is empty.
type logins struct{ user, password string }

func (l logins) Resolve(authn.Resource) (authn.Authenticator, error) {
	if l.user == "" {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: l.user, Password: l.password}, nil
}

// site is one set-up.
type site struct {
	config oci.ClientAuthConfig
	opts   []oci.Option
	o      diagnosis.Options
}

func (s site) diagnose(t *testing.T) []diagnosis.Finding {
	t.Helper()
	return s.diagnoseWithin(t.Context(), t)
}

func (s site) diagnoseWithin(ctx context.Context, t *testing.T) []diagnosis.Finding {
	t.Helper()
	p, err := oci.NewClientAuth(s.config, s.opts...)
	require.NoError(t, err)
	findings, err := diagnosis.Of(ctx, p, s.o)
	require.NoError(t, err)
	var list []diagnosis.Finding
	for f := range findings {
		list = append(list, f)
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	for _, secret := range []string{realtest.Password, "hunter2", base64.StdEncoding.EncodeToString([]byte(realtest.User + ":" + realtest.Password))} {
		require.NotContains(t, string(text), secret)
	}
	return list
}

// trouble is the first finding that isn't passed or skipped.
func trouble(list []diagnosis.Finding) diagnosis.Finding {
	for _, f := range list {
		if f.Status == diagnosis.Failed || f.Status == diagnosis.Warned {
			return f
		}
	}
	return diagnosis.Finding{}
}

func login(user, password string) []oci.Option {
	return []oci.Option{oci.WithKeychain(logins{user, password})}
}

func tlsServer(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func host(server *httptest.Server) string { return server.Listener.Addr().String() }

func images() http.Handler { return ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))) }

// Each broken set-up is real; the diagnosis names its cause first, and the remedy makes it pass.
func TestDiagnosis(t *testing.T) {
	t.Parallel()
	open, guarded := realtest.Registry(t, false), realtest.Registry(t, true)
	secure := tlsServer(t, images())
	website := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(website.Close)
	welcome := func(header string) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set(header, "registry/2.0")
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "true")
		}))
		t.Cleanup(server.Close)
		return server
	}
	portal, quay := welcome(""), welcome("Docker-Distribution-API-Version")
	moved := httptest.NewServer(http.RedirectHandler("https://me:hunter2@"+host(secure)+"/v2/", http.StatusMovedPermanently))
	t.Cleanup(moved.Close)
	negotiating := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != realtest.Password {
			w.Header()["Www-Authenticate"] = []string{"Negotiate", `Basic realm="all"`}
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(negotiating.Close)
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(busy.Close)
	readOnly := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(readOnly.Close)
	closed := realtest.ClosedAddress(t)
	dead := &http.Transport{DialContext: realtest.NoSuchHost(t).DialContext}
	proxied := &http.Transport{Proxy: http.ProxyURL(mustURL(t, "http://me:hunter2@"+closed))}
	push := diagnosis.Options{Project: "hello", WriteProbe: true}
	fine := site{config: oci.ClientAuthConfig{RegistryURL: open}, opts: login("", ""), o: push}
	trusting := oci.WithTransport(secure.Client().Transport)

	for name, test := range map[string]struct {
		broken, mended site
		check          string
		status         diagnosis.Status
		summary        string
		remedy         string
	}{
		"dead DNS name": {
			site{config: oci.ClientAuthConfig{RegistryURL: "registry.invalid"}, opts: append(login("", ""), oci.WithTransport(dead))}, fine,
			"registry", diagnosis.Failed, "the host name registry.invalid doesn't exist in DNS", "check the name",
		},
		"closed port": {
			site{config: oci.ClientAuthConfig{RegistryURL: closed}, opts: login("", "")}, fine,
			"registry", diagnosis.Failed, "nothing listens at " + closed, "check host and port",
		},
		"dead proxy": {
			site{config: oci.ClientAuthConfig{RegistryURL: "https://registry.example.com"}, opts: append(login("", ""), oci.WithTransport(proxied))}, fine,
			"registry", diagnosis.Failed, "the HTTP proxy", "NO_PROXY",
		},
		"untrusted certificate": {
			site{config: oci.ClientAuthConfig{RegistryURL: "https://" + host(secure)}, opts: login("", "")},
			site{config: oci.ClientAuthConfig{RegistryURL: "https://" + host(secure)}, opts: append(login("", ""), trusting), o: push},
			"registry", diagnosis.Failed, "unknown authority", "trust the certificate's authority",
		},
		"certificate for another name": {
			site{config: oci.ClientAuthConfig{RegistryURL: "https://localhost:" + port(t, host(secure))}, opts: append(login("", ""), trusting)},
			site{config: oci.ClientAuthConfig{RegistryURL: host(secure)}, opts: append(login("", ""), trusting), o: push},
			"registry", diagnosis.Failed, "is for other names", "use a name that is in the certificate",
		},
		"HTTP for HTTPS": {
			site{config: oci.ClientAuthConfig{RegistryURL: "https://" + open}, opts: login("", "")},
			site{config: oci.ClientAuthConfig{RegistryURL: "http://" + open}, opts: login("", ""), o: push},
			"registry", diagnosis.Failed, "plain HTTP is spoken at " + open, "registry_url: http://" + open,
		},
		"HTTPS for HTTP": {
			site{config: oci.ClientAuthConfig{RegistryURL: "http://" + host(secure)}, opts: append(login("", ""), trusting)},
			site{config: oci.ClientAuthConfig{RegistryURL: "https://" + host(secure)}, opts: append(login("", ""), trusting), o: push},
			"registry", diagnosis.Failed, "HTTPS is spoken at " + host(secure), "registry_url: https://" + host(secure),
		},
		"not a registry": {
			site{config: oci.ClientAuthConfig{RegistryURL: host(website)}, opts: login("", "")}, fine,
			"registry", diagnosis.Failed, "doesn't speak the OCI distribution API: GET /v2/ answered 404", "its website",
		},
		"a website that has a page for everything": {
			site{config: oci.ClientAuthConfig{RegistryURL: host(portal)}, opts: login("", "")},
			site{config: oci.ClientAuthConfig{RegistryURL: host(quay)}, opts: login("", "")},
			"registry", diagnosis.Failed, "doesn't speak the OCI distribution API: GET /v2/ answered 200 with a web page", "its website",
		},
		"redirected": {
			site{config: oci.ClientAuthConfig{RegistryURL: "http://" + host(moved)}, opts: append(login("", ""), trusting)},
			site{config: oci.ClientAuthConfig{RegistryURL: "https://" + host(secure)}, opts: append(login("", ""), trusting)},
			"registry", diagnosis.Failed, "registry_url redirects to https://" + host(secure), "set registry_url: https://" + host(secure) + ",",
		},
		"several ways to log in": {
			site{config: oci.ClientAuthConfig{RegistryURL: host(negotiating)}, opts: login(realtest.User, "hunter2")},
			site{config: oci.ClientAuthConfig{RegistryURL: host(negotiating)}, opts: login(realtest.User, realtest.Password)},
			"registry_login", diagnosis.Failed, "the registry refuses the local docker login", "docker login " + host(negotiating),
		},
		"a registry that fails": {
			site{config: oci.ClientAuthConfig{RegistryURL: host(busy)}, opts: login("", "")}, fine,
			"registry", diagnosis.Failed, "answered 503", "the registry's log",
		},
		"the clients' host": {
			site{config: oci.ClientAuthConfig{RegistryURL: open, ClientRegistryURL: closed}, opts: login("", ""), o: push},
			site{config: oci.ClientAuthConfig{RegistryURL: open, ClientRegistryURL: "localhost:" + port(t, open)}, opts: login("", ""), o: push},
			"client_registry", diagnosis.Failed, "client_registry_url can't be used: nothing listens at " + closed, "check host and port",
		},
		"htpasswd refused": {
			site{config: oci.ClientAuthConfig{RegistryURL: guarded}, opts: login(realtest.User, "hunter2"), o: push},
			site{config: oci.ClientAuthConfig{RegistryURL: guarded}, opts: login(realtest.User, realtest.Password), o: push},
			"registry_login", diagnosis.Failed, "refuses the local docker login for " + guarded, "docker login " + guarded,
		},
		"no login": {
			site{config: oci.ClientAuthConfig{RegistryURL: guarded}, opts: login("", ""), o: push},
			site{config: oci.ClientAuthConfig{RegistryURL: guarded}, opts: login(realtest.User, realtest.Password), o: push},
			"registry_login", diagnosis.Warned, "has no entry for " + guarded, "docker login " + guarded,
		},
		"push refused": {
			site{config: oci.ClientAuthConfig{RegistryURL: host(readOnly)}, opts: login("", ""), o: push}, fine,
			"push_access", diagnosis.Failed, "refuses a push without a login to " + host(readOnly) + "/hello", "docker login",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := test.broken.diagnose(t)
			first := trouble(list)
			require.Equal(t, test.check, first.Check, "%+v", list)
			require.Equal(t, test.status, first.Status)
			require.Contains(t, first.Summary, test.summary)
			require.Contains(t, first.Remedy, test.remedy)
			for _, f := range list {
				if f.Status == diagnosis.Skipped && f.Because != "" {
					require.Equal(t, test.check, f.Because)
				}
			}
			list = test.mended.diagnose(t)
			require.Zero(t, trouble(list))
		})
	}
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return p
}

func TestDiagnosisIsWholeAndOrdered(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(images())
	t.Cleanup(registry.Close)
	both := oci.ClientAuthConfig{RegistryURL: host(registry), ClientRegistryURL: "localhost:" + port(t, host(registry))}
	for name, test := range map[string]struct {
		site   site
		checks []string
	}{
		"one host":           {site{config: oci.ClientAuthConfig{RegistryURL: host(registry)}}, []string{"registry passed", "registry_login passed"}},
		"project":            {site{config: oci.ClientAuthConfig{RegistryURL: host(registry)}, o: diagnosis.Options{Project: "hello"}}, []string{"registry passed", "registry_login passed", "push_access skipped"}},
		"two hosts and push": {site{config: both, o: diagnosis.Options{Project: "hello", WriteProbe: true}}, []string{"registry passed", "registry_login passed", "client_registry passed", "client_registry_login passed", "push_access passed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.site.opts = login("", "")
			var checks []string
			for _, f := range test.site.diagnose(t) {
				checks = append(checks, f.Check+" "+f.Status.String())
			}
			require.Equal(t, test.checks, checks)
		})
	}
	t.Run("taken in part", func(t *testing.T) {
		t.Parallel()
		p, err := oci.NewClientAuth(both, login("", "")...)
		require.NoError(t, err)
		for range 2 {
			for f := range p.Diagnose(t.Context(), diagnosis.Options{}) {
				require.Equal(t, "registry", f.Check)
				break
			}
		}
	})
}

// Without the option nothing is written; with it, the upload is canceled.
func TestWriteProbe(t *testing.T) {
	t.Parallel()
	var started, canceled atomic.Int32
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			started.Add(1)
			w.Header().Set("Location", "/v2/apps/hello/blobs/uploads/1")
			w.WriteHeader(http.StatusAccepted)
		case http.MethodDelete:
			canceled.Add(1)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer registry.Close()
	s := site{config: oci.ClientAuthConfig{RegistryURL: host(registry), Namespace: "apps"}, opts: login("", ""), o: diagnosis.Options{Project: "hello"}}
	s.diagnose(t)
	require.Zero(t, started.Load())
	s.o.WriteProbe = true
	list := s.diagnose(t)
	require.Equal(t, "an upload could be started, and was canceled", list[len(list)-1].Summary)
	require.EqualValues(t, 1, started.Load())
	require.EqualValues(t, 1, canceled.Load())
}

// tokenRegistry is a registry with a token service of its own, which knows one login and grants what it likes.
func tokenRegistry(t *testing.T, granted string) string {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && user == realtest.User && password == realtest.Password:
			_, _ = io.WriteString(w, `{"token":"`+granted+`"}`)
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") == "Bearer push" || (r.Header.Get("Authorization") == "Bearer pull" && r.Method == http.MethodGet):
			if r.Method == http.MethodPost {
				w.Header().Set("Location", r.URL.Path+"1")
				w.WriteHeader(http.StatusAccepted)
			}
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+server.URL+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return host(server)
}

func TestTokenService(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		granted, password, check, summary string
	}{
		"accepted":       {"push", realtest.Password, "", ""},
		"refused":        {"push", "hunter2", "registry_login", "the token service refuses the login"},
		"a part granted": {"pull", realtest.Password, "push_access", "refuses the local docker login to push"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := site{
				config: oci.ClientAuthConfig{RegistryURL: tokenRegistry(t, test.granted)}, opts: login(realtest.User, test.password),
				o: diagnosis.Options{Project: "hello", WriteProbe: true},
			}.diagnose(t)
			require.Contains(t, list[0].Summary, "asks for a token of its token service")
			require.Equal(t, test.check, trouble(list).Check, "%+v", list)
			require.Contains(t, trouble(list).Summary, test.summary)
		})
	}
}

// Only 401 and 403 are about the user and the password.
func TestOtherAnswersToALogin(t *testing.T) {
	t.Parallel()
	const password = "the user or the password is wrong"
	for status, cause := range map[int]string{
		http.StatusUnauthorized: password, http.StatusForbidden: password, http.StatusNotFound: "doesn't understand",
		http.StatusTooManyRequests: "fails or is busy", http.StatusInternalServerError: "fails or is busy", http.StatusServiceUnavailable: "fails or is busy",
	} {
		for _, scheme := range []string{"Basic", "Bearer"} {
			t.Run(fmt.Sprint(scheme, status), func(t *testing.T) {
				t.Parallel()
				var server *httptest.Server
				server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" || r.Header.Get("Authorization") != "" {
						w.WriteHeader(status)
						return
					}
					w.Header().Set("WWW-Authenticate", scheme+` realm="`+server.URL+`/token",service="x"`)
					w.WriteHeader(http.StatusUnauthorized)
				}))
				t.Cleanup(server.Close)
				f := trouble(site{config: oci.ClientAuthConfig{RegistryURL: host(server)}, opts: login(realtest.User, realtest.Password)}.diagnose(t))
				require.Equal(t, "registry_login", f.Check)
				require.Contains(t, f.Summary, cause)
				require.Equal(t, cause == password, strings.HasPrefix(f.Remedy, "docker login"), f.Remedy)
			})
		}
	}
}

// A push without a login isn't refused to one.
func TestPushWithoutLogin(t *testing.T) {
	t.Parallel()
	registry := realtest.Registry(t, true)
	list := site{config: oci.ClientAuthConfig{RegistryURL: registry}, opts: login("", ""), o: diagnosis.Options{Project: "hello", WriteProbe: true}}.diagnose(t)
	last := list[len(list)-1]
	require.Equal(t, "push_access", last.Check)
	require.Contains(t, last.Summary, "there is no local docker login for it")
	require.Contains(t, last.Remedy, "docker login "+registry)
}

// A hostile registry names a token service, or an upload's location, that isn't its own.
func TestLoginsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(elsewhere.Close)
	for name, handler := range map[string]http.HandlerFunc{
		"realm": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+elsewhere.URL+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"redirected ping": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"redirected login": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"location": func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.Header().Set("Location", elsewhere.URL+"/upload")
				w.WriteHeader(http.StatusAccepted)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := httptest.NewServer(handler)
			defer registry.Close()
			list := site{
				config: oci.ClientAuthConfig{RegistryURL: host(registry)}, opts: login(realtest.User, realtest.Password),
				o: diagnosis.Options{Project: "hello", WriteProbe: true},
			}.diagnose(t)
			if name != "location" {
				require.True(t, slices.ContainsFunc(list, func(f diagnosis.Finding) bool { return f.Status == diagnosis.Failed }), "%+v", list)
			}
			require.Zero(t, visits.Load(), "%+v", list)
		})
	}
}

// Whatever hangs, there is an end, and it is said what hung.
func TestDiagnosisEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dial     func(ctx context.Context, network, address string) (net.Conn, error)
		keychain authn.Keychain
		check    string
		summary  string
	}{
		"connection": {slow, logins{}, "registry", "no answer in time"},
		"answer":     {silent, logins{}, "registry", "no answer in time from registry.example.com"},
		"credential helper": {
			served(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
			}), stuck{}, "registry_login", "no result within",
		},
	} {
		for _, limit := range []time.Duration{5 * time.Second, time.Hour} { // the latter is longer than checks take by themselves
			t.Run(name+" "+limit.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					start := time.Now()
					list := site{
						config: oci.ClientAuthConfig{RegistryURL: "http://registry.example.com", Insecure: true},
						opts:   []oci.Option{oci.WithKeychain(test.keychain), oci.WithTransport(&http.Transport{DialContext: test.dial})},
						o:      diagnosis.Options{Project: "hello", WriteProbe: true},
					}.diagnoseWithin(ctx, t)
					require.LessOrEqual(t, time.Since(start), min(limit, time.Minute))
					require.Equal(t, test.check, trouble(list).Check)
					require.Contains(t, trouble(list).Summary, test.summary)
					require.Equal(t, "push_access", list[len(list)-1].Check, "nothing is left out")
					time.Sleep(time.Hour) // whatever was stuck comes loose
				})
			})
		}
	}
}

// slow connects too late: net/http doesn't end what it dials with the request.
func slow(context.Context, string, string) (net.Conn, error) {
	time.Sleep(time.Minute)
	return nil, net.ErrClosed
}

type stuck struct{}

func (stuck) Resolve(authn.Resource) (authn.Authenticator, error) {
	time.Sleep(10 * time.Minute)
	return authn.Anonymous, nil
}

// silent accepts and says nothing.
func silent(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	return client, nil
}

// served serves each connection in memory.
func served(h http.HandlerFunc) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		listener := &oneConnection{conns: make(chan net.Conn, 1)}
		listener.conns <- server
		go func() { _ = (&http.Server{Handler: h, ReadHeaderTimeout: time.Minute}).Serve(listener) }()
		return client, nil
	}
}

type oneConnection struct{ conns chan net.Conn }

func (l *oneConnection) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	default:
		return nil, net.ErrClosed
	}
}
func (*oneConnection) Close() error   { return nil }
func (*oneConnection) Addr() net.Addr { return &net.TCPAddr{} }

// The default keychain reads docker's own file, which may be broken.
func TestDockerConfiguration(t *testing.T) { //nolint:paralleltest // environment
	guarded := realtest.Registry(t, true)
	dir := t.TempDir()
	for name, value := range map[string]string{"HOME": dir, "DOCKER_CONFIG": dir, "XDG_RUNTIME_DIR": dir, "XDG_CONFIG_HOME": dir, "REGISTRY_AUTH_FILE": ""} {
		t.Setenv(name, value)
	}
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600))
	}
	s := site{config: oci.ClientAuthConfig{RegistryURL: guarded}}
	auth := base64.StdEncoding.EncodeToString([]byte(realtest.User + ":" + realtest.Password))
	write(`{"auths":{"` + guarded + `":{"auth":"` + auth + `"}}}`)
	require.Zero(t, trouble(s.diagnose(t)))
	write(`{"auths":{"` + guarded + `":{"auth":"` + auth + ``)
	require.Contains(t, trouble(s.diagnose(t)).Summary, "can't be read")
	write(`{"credsStore":"no-such-helper-` + strings.Repeat("x", 10) + `"}`)
	require.Contains(t, trouble(s.diagnose(t)).Summary, "can't be read")
	write(`{}`)
	require.Contains(t, trouble(s.diagnose(t)).Summary, "has no entry")
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}
