package client_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// What isn't what was asked for is an error, whatever the status says, and its text doesn't give away what came.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]map[string]any{
		"another project's repository":   {"registry_url": "registry.example.com/rise/other"},
		"a repository below":             {"registry_url": "registry.example.com/rise/hello/other"},
		"a whole registry":               {"registry_url": "registry.example.com"},
		"a whole registry, with a slash": {"registry_url": "registry.example.com/"},
		"no host":                        {"registry_url": "rise/hello"},
		"a scheme":                       {"registry_url": "https://registry.example.com/rise/hello"},
		"a tag":                          {"registry_url": "registry.example.com/rise/hello:v1"},
		"an impossible port":             {"registry_url": "registry.example.com:99999/rise/hello"},
		"port 0":                         {"registry_url": "registry.example.com:0/rise/hello"},
		"an empty part":                  {"registry_url": "registry.example.com//hello"},
		"a path upwards":                 {"registry_url": "registry.example.com/../hello"},
		"a path that stays":              {"registry_url": "registry.example.com/rise/./hello"},
		"a slash at its end":             {"registry_url": "registry.example.com/rise/hello/"},
		"another registry":               {"registry_url": "evil.example.com/rise/hello"},
		"the password as registry":       {"registry_url": password},
		"the password as target":         {"registry_url": "registry.example.com/" + password},
		"no target":                      {"registry_url": nil},
		"a number as target":             {"registry_url": 1},
		"no user name":                   {"username": ""},
		"no password":                    {"password": ""},
		"no password at all":             {"password": nil},
		"a null password":                {"password": any(jsonNull{})},
		"a list as password":             {"password": []string{password}},
		"a colon in the name":            {"username": "A:B"},
		"a line end in the name":         {"username": "A\nB"},
		"a line end in the password":     {"password": password + "\r\n"},
		"an unknown method":              {"auth_method": "magic"},
		"no method":                      {"auth_method": nil},
		"a token with a user name":       {"auth_method": "registry_token"},
		"an empty token":                 {"auth_method": "registry_token", "username": "", "password": ""},
		"expired":                        {"expires_in": 0},
		"expired, by the time":           {"expires_at": "2020-01-01T00:00:00Z"},
		"less than nothing":              {"expires_in": -1},
		"a fraction":                     {"expires_in": 3599.5},
		"text as seconds":                {"expires_in": "3600"},
		"more than anything":             {"expires_in": math.MaxInt64},
		"a million years":                {"expires_in": 31_536_000_000_000},
		"no time":                        {"expires_at": "tomorrow"},
		"a number as time":               {"expires_at": 1767225600},
		"an absurd time":                 {"expires_at": "0000-01-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, changes), nil }, client.WithRegistry("registry.example.com"))
			got, err := get(t, c)
			failed(t, err, provider.ErrBadResponse)
			require.Zero(t, got)
			_, err = get(t, c)
			require.Error(t, err)
			require.Equal(t, 2, l.count(), "it isn't kept")
		})
	}
	good := `{"credentials":{"registry_url":"registry.example.com/rise/hello","username":"AWS","password":"` + password + `","auth_method":"login_credentials"},"repository":"hello"}`
	for name, body := range map[string]string{
		"nothing":             "",
		"null":                "null",
		"a page":              "<!DOCTYPE html><title>Log in</title>" + password,
		"a list":              "[" + good + "]",
		"half":                good[:len(good)/2],
		"twice":               good + good,
		"more":                good + "x",
		"NaN":                 strings.Replace(good, `"username"`, `"expires_in":NaN,"username"`, 1),
		"1e3":                 strings.Replace(good, `"username"`, `"expires_in":1e30,"username"`, 1),
		"other case":          strings.Replace(good, `"password"`, `"PASSWORD"`, 1),
		"two passwords":       strings.Replace(good, `"username"`, `"password":"x","username"`, 1),
		"two repositories":    strings.Replace(good, `"repository"`, `"repository":"other","repository"`, 1),
		"another project":     strings.Replace(good, `"repository":"hello"`, `"repository":"other"`, 1),
		"the token sent back": strings.Replace(good, `"repository":"hello"`, `"repository":"`+token+`"`, 1),
		"no project":          strings.Replace(good, `,"repository":"hello"`, ``, 1),
		"no credentials":      `{"repository":"hello"}`,
		"credentials as text": `{"credentials":"` + password + `","repository":"hello"}`,
		"no UTF-8":            strings.Replace(good, "AWS", "A\xffS", 1),
		"deep":                strings.Repeat(`{"credentials":`, 20_000),
		"huge":                strings.Replace(good, `"username"`, `"filler":"`+strings.Repeat("x", 300<<10)+`","username"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := dial(t, func(int, *http.Request) (*http.Response, error) {
				return reply(200, body, "Content-Type", "text/html; charset=utf-8"), nil
			})
			_, err := get(t, c)
			failed(t, err, provider.ErrBadResponse)
		})
	}
	c, _ := dial(t, func(int, *http.Request) (*http.Response, error) {
		return reply(200, strings.Replace(good, `"username"`, `"new":{"a":[1]},"username"`, 1)), nil
	})
	_, err := get(t, c)
	require.NoError(t, err, "what a newer endpoint adds is no mistake")
}

// What answers in an endpoint's place is told apart from it.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer *http.Response
		kind   provider.Kind
		says   []string
	}{
		{reply(404, "404 page not found", "Content-Type", "text/plain"), provider.ErrMisconfigured, []string{"no credentials endpoint", "check the URL"}},
		{reply(404, `{"error":"x"}`), provider.ErrMisconfigured, []string{"no credentials endpoint"}},
		{reply(401, "<html>", "Content-Type", "text/html"), provider.ErrAccessDenied, []string{"text/html", "proxy or login page"}},
		{reply(403, "blocked"), provider.ErrAccessDenied, []string{"403", "proxy or login page"}},
		{reply(405, `{"error":"Only GET.","code":"method_not_allowed"}`), provider.ErrBadResponse, []string{"method_not_allowed"}},
		{reply(400, "Client sent an HTTP request to an HTTPS server."), provider.ErrBadResponse, []string{"400", "check that the URL"}},
		{reply(502, "<html>"), provider.ErrUnavailable, []string{"proxy before it"}},
		{reply(504, "<html>"), provider.ErrTimeout, []string{"proxy before it"}},
		{reply(500, "<html>"), provider.ErrUnavailable, []string{"500"}},
		{reply(204, ""), provider.ErrBadResponse, []string{"204"}},
		{reply(418, ""), provider.ErrBadResponse, []string{"418"}},
		{reply(302, "", "Location", "https://login.example.com/?state=abc"), provider.ErrMisconfigured, []string{"https://login.example.com", "isn't sent"}},
		{reply(301, "", "Location", "/elsewhere"), provider.ErrMisconfigured, []string{"redirects elsewhere"}},
		{reply(304, "", "Location", "::"), provider.ErrMisconfigured, []string{"304"}},
	} {
		c, l := dial(t, func(int, *http.Request) (*http.Response, error) { return tt.answer, nil })
		_, err := get(t, c)
		failed(t, err, tt.kind)
		for _, says := range tt.says {
			require.ErrorContains(t, err, says)
		}
		require.NotContains(t, err.Error(), "state=abc")
		require.Equal(t, 1, l.count())
	}
}

// A server that sends the token back, wherever it can, doesn't get it into an error.
func TestTokenSentBack(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]*http.Response{
		"sentence":     reply(404, `{"error":"no project for `+token+`","code":"not_found"}`),
		"half of it":   reply(404, `{"error":"no project for `+token[5:20]+`","code":"not_found"}`),
		"in capitals":  reply(404, `{"error":"no project for `+strings.ToUpper(token)+`","code":"not_found"}`),
		"code":         reply(404, `{"error":"no","code":"`+strings.ToLower(strings.NewReplacer("-", "_").Replace(token))+`"}`),
		"media type":   reply(404, token, "Content-Type", token),
		"redirect":     reply(302, "", "Location", "https://"+token+".example.com/"+token),
		"retry":        reply(503, token, "Retry-After", token),
		"project":      reply(200, `{"credentials":{"registry_url":"registry.example.com/rise/hello","username":"AWS","password":"x","auth_method":"login_credentials"},"repository":"`+token+`"}`),
		"host":         reply(200, `{"credentials":{"registry_url":"`+token+`.example.com/rise/hello","username":"AWS","password":"x","auth_method":"login_credentials"},"repository":"hello"}`),
		"repository":   reply(200, `{"credentials":{"registry_url":"registry.example.com/`+strings.ToLower(token)+`","username":"AWS","password":"x","auth_method":"login_credentials"},"repository":"hello"}`),
		"200 and text": reply(200, token, "Content-Type", token),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := dial(t, func(int, *http.Request) (*http.Response, error) { return answer, nil },
				client.WithRegistry("registry.example.com"), client.WithPatience(time.Millisecond))
			_, err := get(t, c)
			e := failure(t, err, provider.KindOf(err))
			require.NotContains(t, strings.ToLower(e.LogValue().String()), strings.ToLower(token[7:20]))
		})
	}
	c, err := client.New(base, client.Fixed(provider.NewSecret("plaintoken12345678")), client.WithHTTPClient(&http.Client{Transport: &line{
		answer: func(int, *http.Request) (*http.Response, error) {
			return reply(404, `{"error":"no","code":"plaintoken12345678"}`), nil
		},
	}}))
	require.NoError(t, err)
	_, err = get(t, c)
	require.NotContains(t, err.Error(), "plaintoken")
	require.Empty(t, client.CodeOf(err))

	// A transport's error may quote anything.
	c, _ = dial(t, func(_ int, r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("malformed HTTP response %q", r.Header.Get("Authorization"))
	})
	_, err = get(t, c)
	failed(t, err, provider.ErrUnavailable)
	c, _ = dial(t, func(int, *http.Request) (*http.Response, error) {
		return nil, errors.New(`invalid proxy address "http://me:proxy-password@[proxy": missing ']' in host`)
	})
	_, err = get(t, c)
	failed(t, err, provider.ErrMisconfigured)
	require.NotContains(t, err.Error(), "proxy-password")
}

// The token goes nowhere but to the endpoint.
func TestRedirectsArentFollowed(t *testing.T) {
	t.Parallel()
	visited := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited++ }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != client.Path {
				visited++
			}
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, other.URL, status)
		}))
		followed := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		c, err := client.New(server.URL, client.Fixed(provider.NewSecret(token)), client.WithHTTPClient(followed))
		require.NoError(t, err)
		_, err = get(t, c)
		failed(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, other.URL)
		server.Close()
	}
	require.Zero(t, visited)
}

// Certificates that aren't trusted, and what isn't TLS, each have their sentence, and the token doesn't get there.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := &service{host: "registry.example.com", method: provider.LoginCredentials, life: time.Hour}
	secure := httptest.NewUnstartedServer(s.handler())
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(s.handler())
	defer plain.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	ask := func(url string, opts ...client.Option) error {
		c, err := client.New(url+client.Path, client.Fixed(provider.NewSecret(token)), opts...)
		require.NoError(t, err)
		_, err = get(t, c)
		return err
	}
	_, port, err := net.SplitHostPort(secure.Listener.Addr().String())
	require.NoError(t, err)

	require.NoError(t, ask(secure.URL, client.WithCAFile(authority)))
	err = ask(secure.URL)
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "isn't trusted here")
	require.ErrorContains(t, err, "CA file")
	err = ask("https://localhost:"+port, client.WithCAFile(authority))
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "another name")
	err = ask(strings.Replace(plain.URL, "http:", "https:", 1))
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "doesn't speak TLS")
	err = ask(strings.Replace(secure.URL, "https:", "http:", 1))
	failed(t, err, provider.ErrBadResponse)
	require.ErrorContains(t, err, "answered 400")

	wrong := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Time:    func() time.Time { return time.Now().AddDate(200, 0, 0) },
	}}}
	err = ask(secure.URL, client.WithHTTPClient(wrong))
	failed(t, err, provider.ErrMisconfigured)
	require.ErrorContains(t, err, "check this machine's date and time")
}

// Servers that break off, trickle or pour.
func TestBrokenServers(t *testing.T) {
	t.Parallel()
	raw := func(t *testing.T, talk func(net.Conn)) string {
		t.Helper()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { defer func() { _ = conn.Close() }(); talk(conn) }()
			}
		}()
		return "http://" + listener.Addr().String()
	}
	request := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4<<10)) }
	for name, tt := range map[string]struct {
		talk func(net.Conn)
		kind provider.Kind
		says string
	}{
		"closes":     {request, provider.ErrUnavailable, "ended the connection"},
		"breaks off": {func(c net.Conn) { request(c); _, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{") }, provider.ErrUnavailable, "ended the connection"},
		"isn't HTTP": {func(c net.Conn) { _, _ = fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2\r\n"); request(c) }, provider.ErrUnavailable, "couldn't be asked"},
		"endless head": {func(c net.Conn) {
			request(c)
			pour(c, "HTTP/1.1 200 OK\r\n", "X-Filler: "+strings.Repeat("x", 1000)+"\r\n")
		}, provider.ErrUnavailable, "couldn't be asked"},
		"endless body":  {func(c net.Conn) { request(c); pour(c, "HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000)) }, provider.ErrBadResponse, "more than 256 KiB"},
		"endless error": {func(c net.Conn) { request(c); pour(c, "HTTP/1.1 404 Not Found\r\n\r\n", strings.Repeat("x", 1000)) }, provider.ErrBadResponse, "more than 256 KiB"},
		"says nothing":  {func(c net.Conn) { request(c); request(c) }, provider.ErrTimeout, "in time"},
		"stops": {func(c net.Conn) {
			request(c)
			_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
			request(c)
		}, provider.ErrTimeout, "in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 300 * time.Millisecond
			if tt.kind != provider.ErrTimeout { // it has to be found before the time is over, on a slow machine too
				limit = 4 * time.Second
			}
			c, err := client.New(raw(t, tt.talk), client.Fixed(provider.NewSecret(token)), client.WithTimeout(limit), client.WithPatience(limit))
			require.NoError(t, err)
			for range 5 {
				if _, err = get(t, c); provider.KindOf(err) != provider.ErrTimeout || tt.kind == provider.ErrTimeout {
					break // else the client's patience ended while it asked once more
				}
			}
			failed(t, err, tt.kind)
			require.ErrorContains(t, err, tt.says)
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	c, err := client.New("http://"+listener.Addr().String(), client.Fixed(provider.NewSecret(token)), client.WithPatience(100*time.Millisecond))
	require.NoError(t, err)
	_, err = get(t, c)
	failed(t, err, provider.ErrUnavailable)
	require.ErrorContains(t, err, "connection refused")
}

func pour(c net.Conn, first, more string) {
	_, err := fmt.Fprint(c, first)
	for n := 0; err == nil && n < 10_000; n++ {
		_, err = fmt.Fprint(c, more)
	}
}

// A clock that is off is named, with how far: the answer's Date tells.
func TestClock(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		off  time.Duration // of this machine's clock
		err  string
		life time.Duration
	}{
		"right":        {0, "", time.Hour},
		"a bit ahead":  {20 * time.Minute, "", 40 * time.Minute},
		"far ahead":    {2 * time.Hour, "2h0m0s ahead of the service's: set it right", 0},
		"a bit behind": {-20 * time.Minute, "", time.Hour},
		"far behind":   {-48 * time.Hour, "", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				theirs := func() time.Time { return time.Now().Add(-tt.off) }
				c, _ := dial(t, func(_ int, r *http.Request) (*http.Response, error) {
					a := credential(t, r, map[string]any{"expires_at": theirs().Add(time.Hour).UTC().Format(time.RFC3339)})
					a.Header.Set("Date", theirs().UTC().Format(http.TimeFormat))
					return a, nil
				})
				got, err := get(t, c)
				if tt.err != "" {
					failed(t, err, provider.ErrBadResponse)
					require.ErrorContains(t, err, tt.err)
					return
				}
				require.NoError(t, err)
				require.WithinDuration(t, time.Now().Add(tt.life), got.ExpiresAt, 0)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // what signs its tokens here has them refused
		c, _ := dial(t, func(int, *http.Request) (*http.Response, error) {
			a := refusal(401, "unauthenticated")
			a.Header.Set("Date", httpDate(10*time.Minute))
			return a, nil
		})
		_, err := get(t, c)
		failed(t, err, provider.ErrAccessDenied)
		require.ErrorContains(t, err, "10m0s behind the service's")
	})
}
