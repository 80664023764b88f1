package tokenauth_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A registry that was taken over, or somebody in its place, names another token server: the login goes nowhere.
func TestHostileChallenges(t *testing.T) {
	t.Parallel()
	bearer := func(realm string) []string {
		return []string{`Bearer realm="` + realm + `",service="registry.example.com"`}
	}
	challenges := map[string][]string{
		"another host":                   bearer("https://evil.example.com/token"),
		"a host that begins alike":       bearer("https://registry.example.com.evil.example.com/token"),
		"a host that ends alike":         bearer("https://evil-registry.example.com/token"),
		"a host below":                   bearer("https://token.registry.example.com/token"),
		"a metadata address":             bearer("http://169.254.169.254/latest/meta-data"),
		"a metadata address, TLS":        bearer("https://169.254.169.254/token"),
		"Azure's wire server":            bearer("https://168.63.129.16/token"),
		"a metadata name":                bearer("http://metadata.google.internal/token"),
		"a private address":              bearer("https://10.0.0.1/token"),
		"loopback":                       bearer("http://127.0.0.1/token"),
		"loopback by its name":           bearer("http://localhost:8080/token"),
		"loopback in IPv6":               bearer("https://[::1]/token"),
		"an address as a number":         bearer("https://2852039166/token"),
		"an address in hexadecimal":      bearer("https://0xa9fea9fe/token"),
		"plain HTTP":                     bearer("http://registry.example.com/token"),
		"plain HTTP on TLS's port":       bearer("http://registry.example.com:443/token"),
		"another port":                   bearer("https://registry.example.com:8443/token"),
		"port 0":                         bearer("https://registry.example.com:0/token"),
		"a port of letters":              bearer("https://registry.example.com:https/token"),
		"an empty port":                  bearer("https://registry.example.com:/token"),
		"a dot at the end":               bearer("https://registry.example.com./token"),
		"an international name":          bearer("https://registry.exämple.com/token"),
		"a name that looks alike":        bearer("https://registry.ехаmple.com/token"),
		"a wide full stop":               bearer("https://registry.example。com/token"),
		"percent signs in the host":      bearer("https://registry.example.com%2eevil.example.com/token"),
		"userinfo":                       bearer("https://registry.example.com@evil.example.com/token"),
		"userinfo with a password":       bearer("https://registry.example.com:443@evil.example.com/token"),
		"userinfo on the own host":       bearer("https://user:password@registry.example.com/token"),
		"a backslash":                    bearer(`https://evil.example.com\\@registry.example.com/token`),
		"a query":                        bearer("https://registry.example.com/token?next=https://evil.example.com"),
		"a fragment":                     bearer("https://registry.example.com/token#@evil.example.com"),
		"a line's end":                   bearer("https://registry.example.com/token\r\nX-Evil: 1"),
		"no scheme":                      bearer("registry.example.com/token"),
		"a relative one":                 bearer("/token"),
		"a scheme-relative one":          bearer("//evil.example.com/token"),
		"another scheme":                 bearer("ftp://registry.example.com/token"),
		"a file":                         bearer("file:///etc/passwd"),
		"an opaque one":                  bearer("https:registry.example.com/token"),
		"none":                           {`Bearer service="registry.example.com"`},
		"an empty one":                   bearer(""),
		"a very long one":                bearer("https://registry.example.com/" + strings.Repeat("token/", 1000)),
		"another host after the own":     {`Bearer realm="https://registry.example.com/token",service="registry.example.com",realm="https://evil.example.com/token"`},
		"Basic":                          {`Basic realm="https://registry.example.com/token"`},
		"Negotiate":                      {`Negotiate`},
		"nothing":                        nil,
		"no service":                     {`Bearer realm="https://registry.example.com/token"`},
		"a service that isn't printable": bearer2("registry\x01"),
		"a service without an end":       bearer2(strings.Repeat("registry", 100)),
	}
	for name, challenge := range challenges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.challengeOf(challenge...)
			p := newProvider(t, f.config(), f.option())
			for _, r := range []provider.Request{push("hello"), pull("hello"), forAll} {
				refused(t, p, r, provider.ErrMisconfigured)
			}
			require.Empty(t, f.sent())

			// Nor does token_url let it go elsewhere than it says, though the registry's own host is named.
			if realm := "https://registry.example.com/token"; !strings.Contains(fmt.Sprint(challenge), `"`+realm+`"`) {
				c := f.config()
				c.TokenURL = "https://auth.example.com/token"
				refused(t, newProvider(t, c, f.option()), push("hello"), provider.ErrMisconfigured)
				require.Empty(t, f.sent())
			}
		})
	}
	t.Logf("%d kinds of challenges", len(challenges))
}

func bearer2(service string) []string {
	return []string{`Bearer realm="https://registry.example.com/token",service="` + service + `"`}
}

// Where the token server is others' too, a registry that was taken over could name another of them.
func TestAnotherService(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.config()
	c.TokenService = service
	p := newProvider(t, c, f.option())
	tokenFor(t, p, push("hello"))
	f.challenge(f.realm(), "other.example.com")
	e := refused(t, newProvider(t, c, f.option()), push("hello"), provider.ErrMisconfigured)
	require.Contains(t, e.message, "another service than token_service")
	require.Equal(t, map[string]int{"https://registry.example.com/token": 1}, f.sent())
}

// What hangs ends by itself, wherever it does so.
func TestHangs(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]func(r *http.Request) (*http.Response, error){
		"before the answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"within it": func(r *http.Request) (*http.Response, error) {
			response := respond(r, http.StatusOK, "", nil)
			response.Body, response.ContentLength = io.NopCloser(untilDone{r.Context().Done()}), -1
			return response, nil
		},
	} {
		for _, path := range []string{"/v2/", "/token"} {
			t.Run(name+" at "+path, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFake(t)
					p := newProvider(t, f.config(), tokenauth.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
						if r.URL.Path == path {
							return hangs(r)
						}
						return f.RoundTrip(r)
					})))
					start := time.Now()
					refused(t, p, push("hello"), provider.ErrTimeout)
					require.Equal(t, 20*time.Second, time.Since(start))
				})
			})
		}
	}
}

// untilDone is a body that ends badly, when that is closed.
type untilDone struct{ done <-chan struct{} }

func (b untilDone) Read([]byte) (int, error) {
	<-b.done
	return 0, context.Canceled
}

// A proxy hears nothing of what isn't encrypted.
func TestNoProxyForPlainHTTP(t *testing.T) {
	t.Parallel()
	s := newServer(t, tokenauthtest.Harbor)
	asked := 0
	p := newProvider(t, configFor(s), tokenauth.WithTransport(&http.Transport{Proxy: func(r *http.Request) (*url.URL, error) {
		asked++
		require.Equal(t, "https", r.URL.Scheme)
		return nil, nil //nolint:nilnil // no proxy
	}}))
	tokenFor(t, p, push("hello"))
	require.Equal(t, 1, asked, "for the registry, which might have had TLS")
}

// What answers at the registry's address may be no registry, or somebody else.
func TestHostileRegistries(t *testing.T) {
	t.Parallel()
	good := `Bearer realm="https://registry.example.com/token",service="registry.example.com"`
	for name, test := range map[string]struct {
		answer response
		want   provider.Kind
	}{
		"open":                      {body(200, `{}`), provider.ErrMisconfigured},
		"open, with a challenge":    {body(200, `{}`, "WWW-Authenticate", good), provider.ErrMisconfigured},
		"a website":                 {body(404, `<html>`, "Content-Type", "text/html"), provider.ErrMisconfigured},
		"a redirection":             {body(307, ``, "Location", "https://evil.example.com/v2/", "WWW-Authenticate", good), provider.ErrMisconfigured},
		"403":                       {body(403, ``, "WWW-Authenticate", good), provider.ErrMisconfigured},
		"busy":                      {body(429, ``, "WWW-Authenticate", good), provider.ErrThrottled},
		"down":                      {body(502, ``, "WWW-Authenticate", good), provider.ErrUnavailable},
		"more than anybody's there": {body(401, strings.Repeat("x", 1<<20), "WWW-Authenticate", good), provider.ErrBadResponse},
		"without an end":            {endless, provider.ErrBadResponse},
	} {
		f := newFake(t)
		p := newProvider(t, f.config(), tokenauth.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/v2/" {
				return test.answer(r, nil), nil
			}
			return f.RoundTrip(r)
		})))
		refused(t, p, push("hello"), test.want)
		require.Empty(t, f.requests, name)
	}
}

type roundTripper func(r *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// With net/http's own transport it is the same: what is compressed stays so, redirections and what is endless end there.
func TestHostileConnections(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(evil.Close)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   provider.Kind
	}{
		"301": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, evil.URL, http.StatusMovedPermanently)
		}, provider.ErrMisconfigured},
		"307": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, evil.URL, http.StatusTemporaryRedirect)
		}, provider.ErrMisconfigured},
		"a compressed bomb": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Error("it asks for what is compressed")
			}
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			_, _ = zip.Write(bytes.Repeat([]byte(" "), 10<<20))
			_ = zip.Close()
		}, provider.ErrBadResponse},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for _, err := io.Copy(w, spaces{}); err == nil; {
			}
		}, provider.ErrBadResponse},
		"endless headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 10000 {
				w.Header().Set(fmt.Sprint("X-", i), "header")
			}
		}, provider.ErrUnavailable},
		"cut":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, provider.ErrUnavailable},
		"half":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "100") }, provider.ErrUnavailable},
		"no HTTP":  {hijacked("SSH-2.0-OpenSSH_9.2\r\n" + password), provider.ErrUnavailable},
		"no HTTP2": {hijacked("HTTP/1.1 " + password + "\r\n\r\n"), provider.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tokenauthtest.Harbor)
			atTokens(s, test.answer)
			refused(t, newProvider(t, configFor(s)), push("hello"), test.want)
			require.Zero(t, elsewhere.Load())
		})
	}
}

// hijacked answers with bytes.
func hijacked(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
}

// The same place, written otherwise, is the same place.
func TestHarmlessChallenges(t *testing.T) {
	t.Parallel()
	for realm, tokenURL := range map[string]string{
		"https://registry.example.com/token": "", "https://registry.example.com:443/token": "", "HTTPS://Registry.Example.COM/token": "",
		"https://auth.example.com/token": "https://auth.example.com/token", "https://AUTH.example.com:443/token": "https://auth.example.com/token",
	} {
		f := newFake(t)
		f.challenge(realm, service)
		c := f.config()
		c.TokenURL = tokenURL
		tokenFor(t, newProvider(t, c, f.option()), push("hello"))
		want := "https://registry.example.com/token"
		if tokenURL != "" {
			want = tokenURL
		}
		require.Equal(t, map[string]int{want: 1}, f.sent(), realm)
	}
	good := `Bearer realm="https://registry.example.com/token",service="registry.example.com"`
	for _, headers := range [][]string{
		{`Basic realm="x"`, good}, {good, `Basic realm="x"`}, {`bearer REALM="https://registry.example.com/token",Service=registry.example.com,error="invalid_token"`},
		{good, `Bearer realm="https://evil.example.com/token",service="registry.example.com"`},
	} {
		f := newFake(t)
		f.challengeOf(headers...)
		tokenFor(t, newProvider(t, f.config(), f.option()), push("hello"))
		require.Equal(t, map[string]int{"https://registry.example.com/token": 1}, f.sent(), headers)
	}
	f := newFake(t) // token_url is the whole of it
	f.challenge("https://auth.example.com/another", service)
	c := f.config()
	c.TokenURL = "https://auth.example.com/token"
	require.Contains(t, refused(t, newProvider(t, c, f.option()), push("hello"), provider.ErrMisconfigured).hint, "token_url: https://auth.example.com/another")
	require.Empty(t, f.sent())
}

type response = func(r *http.Request, claims map[string]any) *http.Response

// says answers with a token that has these claims too.
func says(changes map[string]any) response {
	return func(r *http.Request, claims map[string]any) *http.Response {
		return respond(r, http.StatusOK, `{"token":"`+jwt(with(claims, changes))+`"}`, nil)
	}
}

// saysText answers with a token of claims as they are written: EXP stands for a good end.
func saysText(payload string) response {
	return func(r *http.Request, _ map[string]any) *http.Response {
		claims := strings.ReplaceAll(payload, "EXP", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
		return respond(r, http.StatusOK, `{"token":"`+jwtOf(claims)+`"}`, nil)
	}
}

func body(status int, text string, header ...string) response {
	return func(r *http.Request, _ map[string]any) *http.Response {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return respond(r, status, text, h)
	}
}

// beside answers with a good token and more JSON.
func beside(more string) response {
	return func(r *http.Request, claims map[string]any) *http.Response {
		return respond(r, http.StatusOK, `{"token":"`+jwt(claims)+`",`+more+`}`, nil)
	}
}

func entry(typ, name string, actions ...string) map[string]any {
	return map[string]any{"type": typ, "name": name, "actions": actions}
}

// Whatever a token server answers: nobody gets what can do more than was asked, or nobody knows what, and the login goes to that token server alone.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	own := entry("repository", "rise-apps/hello", "pull", "push")
	ownText, _ := json.Marshal(own)
	text := string(ownText)
	soon := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	const (
		more, unsaid, less, bad = provider.ErrMisconfigured, provider.ErrUnsupported, provider.ErrAccessDenied, provider.ErrBadResponse
	)
	answers := map[string]struct {
		answer response
		want   provider.Kind
	}{
		"another repository too":        {says(map[string]any{"access": []any{own, entry("repository", "rise-apps/other", "pull")}}), more},
		"another repository instead":    {says(map[string]any{"access": []any{entry("repository", "rise-apps/other", "pull", "push")}}), more},
		"all repositories":              {says(map[string]any{"access": []any{entry("repository", "rise-apps/*", "pull", "push")}}), more},
		"everything":                    {says(map[string]any{"access": []any{entry("repository", "*", "*")}}), more},
		"the repository above":          {says(map[string]any{"access": []any{entry("repository", "rise-apps", "pull", "push")}}), more},
		"one below":                     {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello/web", "pull", "push")}}), more},
		"a name that begins alike":      {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello2", "pull", "push")}}), more},
		"a name in capitals":            {says(map[string]any{"access": []any{entry("repository", "rise-apps/HELLO", "pull", "push")}}), more},
		"a name with a dot segment":     {says(map[string]any{"access": []any{entry("repository", "rise-apps/x/../hello", "pull", "push")}}), more},
		"a name with a space":           {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello ", "pull", "push")}}), more},
		"a name with a zero byte":       {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello\x00", "pull", "push")}}), more},
		"delete":                        {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "pull", "push", "delete")}}), more},
		"every action":                  {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "*")}}), more},
		"every action beside":           {says(map[string]any{"access": []any{own, entry("repository", "rise-apps/hello", "*")}}), more},
		"an action of nobody's":         {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "pull", "push", password)}}), more},
		"the catalog":                   {says(map[string]any{"access": []any{own, entry("registry", "catalog", "*")}}), more},
		"another type":                  {says(map[string]any{"access": []any{entry("repository(plugin)", "rise-apps/hello", "pull", "push")}}), more},
		"a type in capitals":            {says(map[string]any{"access": []any{entry("Repository", "rise-apps/hello", "pull", "push")}}), more},
		"an empty type":                 {says(map[string]any{"access": []any{entry("", "rise-apps/hello", "pull", "push")}}), more},
		"ten thousand entries":          {says(map[string]any{"access": slices.Repeat([]any{own}, 10000)}), bad},
		"pull alone":                    {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "pull")}}), less},
		"push alone":                    {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "push")}}), less},
		"no actions":                    {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello")}}), less},
		"nothing":                       {says(map[string]any{"access": []any{}}), less},
		"access null":                   {saysText(`{"aud":"registry.example.com","exp":EXP,"access":null}`), less},
		"no access":                     {says(map[string]any{"access": nil}), unsaid},
		"access a string":               {says(map[string]any{"access": "repository:rise-apps/hello:pull,push"}), unsaid},
		"access an object":              {says(map[string]any{"access": own}), unsaid},
		"access a number":               {says(map[string]any{"access": 1}), unsaid},
		"access nested":                 {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[[` + text + `]]}`), unsaid},
		"access inside another claim":   {saysText(`{"aud":"registry.example.com","exp":EXP,"claims":{"access":[` + text + `]}}`), unsaid},
		"access twice":                  {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[{"type":"repository","name":"x","actions":["*"]}],"access":[` + text + `]}`), unsaid},
		"access twice, escaped":         {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[` + text + `],"\u0061ccess":[]}`), unsaid},
		"access twice, in capitals":     {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[` + text + `],"Access":[{"type":"repository","name":"x","actions":["*"]}]}`), unsaid},
		"access twice, folded":          {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[` + text + `],"acceſs":[]}`), unsaid},
		"actions twice":                 {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[{"type":"repository","name":"rise-apps/hello","actions":["*"],"actions":["pull","push"]}]}`), unsaid},
		"Name":                          {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[{"type":"repository","name":"rise-apps/hello","Name":"x","actions":["pull","push"]}]}`), unsaid},
		"actions as a string":           {saysText(`{"aud":"registry.example.com","exp":EXP,"access":[{"type":"repository","name":"rise-apps/hello","actions":"pull,push"}]}`), unsaid},
		"actions in one string":         {says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "pull,push")}}), more},
		"another audience":              {says(map[string]any{"aud": "other.example.com"}), more},
		"another audience too":          {says(map[string]any{"aud": []string{service, "other.example.com"}}), more},
		"an audience in capitals":       {says(map[string]any{"aud": strings.ToUpper(service)}), more},
		"no audience":                   {says(map[string]any{"aud": nil}), unsaid},
		"an empty audience":             {says(map[string]any{"aud": []string{}}), unsaid},
		"audience a number":             {says(map[string]any{"aud": 7}), unsaid},
		"expired":                       {says(map[string]any{"exp": soon(-time.Minute)}), bad},
		"expired in 1970":               {says(map[string]any{"exp": 0}), bad},
		"expired before time began":     {says(map[string]any{"exp": -1e300}), bad},
		"expiring now":                  {says(map[string]any{"exp": soon(0)}), bad},
		"in ten years":                  {says(map[string]any{"exp": soon(87600 * time.Hour)}), more},
		"in a million years":            {says(map[string]any{"exp": 1e300}), more},
		"in ten years, by a wrong date": {farFuture, more},
		"an end that is no number":      {saysText(`{"aud":"registry.example.com","exp":NaN,"access":[` + text + `]}`), unsaid},
		"an end in words":               {says(map[string]any{"exp": "tomorrow"}), unsaid},
		"two ends":                      {saysText(`{"aud":"registry.example.com","exp":EXP,"exp":99999999999,"access":[` + text + `]}`), unsaid},
		"no end":                        {says(map[string]any{"exp": nil}), unsaid},
		"not good yet":                  {says(map[string]any{"nbf": soon(time.Hour), "exp": soon(2 * time.Hour)}), bad},
		"an expires_in below nothing":   {beside(`"expires_in":-1`), bad},
		"an expires_in in words":        {beside(`"expires_in":"3600"`), bad},
		"an expires_in that is a list":  {beside(`"expires_in":[3600]`), bad},
		"issued long ago":               {beside(`"expires_in":60,"issued_at":"2001-01-01T00:00:00Z"`), bad},
		"opaque":                        {body(200, `{"token":"djE6cmlzZTpodW50ZXIy"}`), unsaid},
		"opaque like Google's":          {body(200, `{"token":"ya29.c.b0AXv0zTPQ"}`), unsaid},
		"opaque like Nexus's":           {body(200, `{"token":"DockerToken.2b9d"}`), unsaid},
		"encrypted":                     {body(200, `{"token":"a.b.c.d.e"}`), unsaid},
		"the login":                     {echo, unsaid},
		"a token with a line's end":     {body(200, `{"token":"a.b\nc.d"}`), unsaid},
		"an empty token":                {body(200, `{"token":""}`), bad},
		"no token":                      {body(200, `{"access":"granted"}`), bad},
		"a token that is an object":     {body(200, `{"token":{"access":[]}}`), bad},
		"nothing at all":                {body(200, ``), bad},
		"a list":                        {body(200, `[]`), bad},
		"null":                          {body(200, `null`), bad},
		"two answers":                   {body(200, `{"token":"a.b.c"}{"token":"a.b.c"}`), bad},
		"HTML":                          {body(200, `<!DOCTYPE html><title>Log in</title>`, "Content-Type", "text/html"), bad},
		"HTML that says it is JSON":     {body(200, `<html>`), bad},
		"10 MB":                         {body(200, `{"token":"`+strings.Repeat("x", 10<<20)+`"}`), bad},
		"without an end":                {endless, bad},
		"a token of 60 KB":              {says(map[string]any{"x": strings.Repeat("x", 40<<10)}), unsaid},
		"compressed":                    {compressed(`{"token":"a.b.c"}`), bad},
		"a compressed bomb":             {compressed(strings.Repeat(" ", 50<<20)), bad},
		"deep":                          {body(200, strings.Repeat("[", 60000)), bad},
		"201":                           {body(201, `{"token":"a.b.c"}`), bad},
		"204":                           {body(204, ``), bad},
		"301 elsewhere":                 {body(301, ``, "Location", "https://evil.example.com/token"), provider.ErrMisconfigured},
		"302 to plain HTTP":             {body(302, ``, "Location", "http://registry.example.com/token"), provider.ErrMisconfigured},
		"307 elsewhere":                 {body(307, ``, "Location", "https://evil.example.com/token"), provider.ErrMisconfigured},
		"308 to a metadata address":     {body(308, ``, "Location", "http://169.254.169.254/"), provider.ErrMisconfigured},
		"303 on the own host":           {body(303, ``, "Location", "/login"), provider.ErrMisconfigured},
		"300 with a token":              {body(300, `{"token":"a.b.c"}`), provider.ErrMisconfigured},
		"another challenge":             {body(401, `{}`, "WWW-Authenticate", `Basic realm="https://evil.example.com/"`), provider.ErrAccessDenied},
		"400":                           {body(400, `{"errors":[]}`), provider.ErrMisconfigured},
		"403 that quotes the login":     {body(403, `{"errors":[{"code":"DENIED","message":"`+password+`"}]}`), provider.ErrAccessDenied},
		"404":                           {body(404, ``), provider.ErrMisconfigured},
		"418":                           {body(418, ``), bad},
		"429":                           {body(429, ``, "Retry-After", "7"), provider.ErrThrottled},
		"500":                           {body(500, password), provider.ErrUnavailable},
		"503 with an odd Retry-After":   {body(503, ``, "Retry-After", "99999999999999999999"), provider.ErrUnavailable},
		"an algorithm of nobody's":      {header(`{"alg":"ES256","crit":["b64"],"b64":false}`), unsaid},
		"a header that is no object":    {header(`"ES256"`), unsaid},
	}
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answers(test.answer)
			p := newProvider(t, f.config(), f.option())
			e := refused(t, p, push("hello"), test.want)
			require.Less(t, len(e.message), 1000)
			f.mu.Lock()
			hosts := map[string]bool{}
			for _, r := range f.requests {
				hosts[r.URL.Scheme+"://"+r.URL.Host] = true
			}
			f.mu.Unlock()
			require.Equal(t, map[string]bool{"https://registry.example.com": true}, hosts)
			require.Equal(t, map[string]int{"https://registry.example.com/token": 1}, f.sent())
		})
	}
	t.Logf("%d kinds of answers", len(answers))
}

// A pull gets no token that can push.
func TestPullsThatCouldPush(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answers(says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "pull", "push")}}))
	e := refused(t, newProvider(t, f.config(), f.option()), pull("hello"), provider.ErrMisconfigured)
	require.Contains(t, e.message, "the token allows push too: it isn't handed out")
}

func farFuture(r *http.Request, claims map[string]any) *http.Response {
	ends := time.Now().Add(87600 * time.Hour)
	return respond(r, http.StatusOK, `{"token":"`+jwt(with(claims, map[string]any{"exp": ends.Unix()}))+`"}`,
		http.Header{"Date": {ends.Add(-time.Hour).UTC().Format(http.TimeFormat)}})
}

// echo answers with what it was sent.
func echo(r *http.Request, _ map[string]any) *http.Response {
	text, _ := json.Marshal(map[string]string{"token": r.Header.Get("Authorization")})
	return respond(r, http.StatusOK, string(text), nil)
}

func header(text string) response {
	return func(r *http.Request, claims map[string]any) *http.Response {
		_, rest, _ := strings.Cut(jwt(claims), ".")
		return respond(r, http.StatusOK, `{"token":"`+encoded(text)+"."+rest+`"}`, nil)
	}
}

func compressed(text string) response {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return body(http.StatusOK, b.String(), "Content-Encoding", "gzip")
}

// endless is an answer that doesn't end.
func endless(r *http.Request, _ map[string]any) *http.Response {
	response := respond(r, http.StatusOK, "", nil)
	response.Body, response.ContentLength = io.NopCloser(spaces{}), -1
	return response
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// What registries put into tokens and answers beside is no matter.
func TestHarmlessAnswers(t *testing.T) {
	t.Parallel()
	own := entry("repository", "rise-apps/hello", "pull", "push")
	extended := maps.Clone(own)
	extended["meta"], extended["parameters"], extended["class"] = map[string]any{"project_path": "a"}, map[string]any{"pull_limit": "1"}, ""
	for name, answer := range map[string]response{
		"an audience in a list": says(map[string]any{"aud": []string{service}}),
		"members of their own":  says(map[string]any{"access": []any{extended}, "context": map[string]any{"access": []any{}}}),
		"twice":                 says(map[string]any{"access": []any{own, own}}),
		"in two parts":          says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "pull"), entry("repository", "rise-apps/hello", "push")}}),
		"push before pull":      says(map[string]any{"access": []any{entry("repository", "rise-apps/hello", "push", "pull", "pull")}}),
		"access_token alone": func(r *http.Request, claims map[string]any) *http.Response {
			return respond(r, http.StatusOK, `{"token":"","access_token":"`+jwt(claims)+`","expires_in":null,"issued_at":7,"scope":"","refresh_token":"x"}`, nil)
		},
		"an expires_in of nothing": beside(`"expires_in":0`),
		"an expires_in for ever":   beside(`"expires_in":1e300,"issued_at":"yesterday"`),
		"a fraction":               says(map[string]any{"exp": float64(time.Now().Unix()) + 600.5}),
	} {
		f := newFake(t)
		f.answers(answer)
		c, err := provider.Issue(t.Context(), newProvider(t, f.config(), f.option()), push("hello"))
		require.NoError(t, err, name)
		require.Greater(t, time.Until(c.ExpiresAt), 5*time.Minute, name)
	}
}
