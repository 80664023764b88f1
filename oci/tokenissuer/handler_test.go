package tokenissuer_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// What is granted is what the grant and the question have in common, and never anything else.
func TestScopes(t *testing.T) {
	t.Parallel()
	const own = "repository:rise-apps/hello:"
	many := func(n int) []string {
		var scopes []string
		for i := range n {
			scopes = append(scopes, fmt.Sprintf("repository:x%d:pull", i))
		}
		return scopes
	}
	type rights = provider.Request
	pushes, pulls := rights{Project: "hello", Access: provider.Push}, rights{Project: "hello", Access: provider.Pull}
	all := rights{AllProjects: true, Access: provider.Pull}
	for name, test := range map[string]struct {
		grant rights
		below bool
		asked []string
		want  []string // nil: 403
	}{
		"login":                  {pushes, false, nil, []string{}},
		"login, empty":           {pushes, false, []string{""}, []string{}},
		"login, all projects":    {all, false, nil, []string{}},
		"docker":                 {pushes, false, []string{own + "push,pull"}, []string{own + "pull,push"}},
		"podman":                 {pushes, false, []string{own + "pull,push"}, []string{own + "pull,push"}},
		"zot":                    {pushes, false, []string{own + "push"}, []string{own + "push"}},
		"pull of a push":         {pushes, false, []string{own + "pull"}, []string{own + "pull"}},
		"push of a pull":         {pulls, false, []string{own + "pull,push"}, []string{own + "pull"}},
		"push alone of a pull":   {pulls, false, []string{own + "push"}, nil},
		"delete":                 {pushes, false, []string{own + "delete"}, nil},
		"everything":             {pushes, false, []string{own + "*"}, nil},
		"delete beside":          {pushes, false, []string{own + "pull,delete,*,push"}, []string{own + "pull,push"}},
		"capitals":               {pushes, false, []string{own + "PULL,Push"}, nil},
		"catalog":                {pushes, false, []string{"registry:catalog:*"}, nil},
		"catalog beside":         {pushes, false, []string{"registry:catalog:*", own + "pull"}, []string{own + "pull"}},
		"another":                {pushes, false, []string{"repository:rise-apps/other:pull"}, nil},
		"mount":                  {pushes, false, []string{own + "pull,push", "repository:rise-apps/other:pull"}, []string{own + "pull,push"}},
		"mount of a shared":      {pushes, false, []string{own + "pull,push", "repository:base:pull"}, []string{own + "pull,push", "repository:base:pull"}},
		"push to a shared":       {pushes, false, []string{"repository:base:push"}, nil},
		"pull, push of a shared": {pushes, false, []string{"repository:mirror/a/b:pull,push"}, []string{"repository:mirror/a/b:pull"}},
		"shared, all projects":   {all, false, []string{"repository:base:pull"}, []string{"repository:base:pull"}},
		"shared folder":          {pushes, false, []string{"repository:mirror:pull"}, nil},
		"in one field":           {pushes, false, []string{own + "pull repository:base:pull " + own + "push"}, []string{own + "pull,push", "repository:base:pull"}},
		"spaces":                 {pushes, false, []string{"  " + own + "pull   "}, []string{own + "pull"}},
		"a class":                {pushes, false, []string{"repository(plugin):rise-apps/hello:pull"}, nil},
		"a colon in the name":    {pushes, false, []string{"repository:rise-apps/hello:x:pull"}, nil},
		"a host in the name":     {pushes, false, []string{"repository:registry.example.com:5000/rise-apps/hello:pull"}, nil},
		"no name":                {pushes, false, []string{"repository::pull"}, []string{}},
		"no actions":             {pushes, false, []string{own}, []string{}},
		"commas":                 {pushes, false, []string{own + ",,,"}, []string{}},
		"commas and an action":   {pushes, false, []string{own + ",pull,,"}, []string{own + "pull"}},
		"no colon":               {pushes, false, []string{"rise-apps/hello"}, []string{}},
		"one colon":              {pushes, false, []string{"repository:rise-apps/hello"}, []string{}},
		"no type":                {pushes, false, []string{":rise-apps/hello:pull"}, []string{}},
		"junk beside":            {pushes, false, []string{"x", own + "pull"}, []string{own + "pull"}},
		"capital name":           {pushes, false, []string{"repository:rise-apps/Hello:pull"}, nil},
		"a slash too many":       {pushes, false, []string{"repository:rise-apps//hello:pull"}, nil},
		"a slash behind":         {pushes, false, []string{"repository:rise-apps/hello/:pull"}, nil},
		"climbing":               {pushes, true, []string{"repository:rise-apps/hello/../other:pull"}, nil},
		"longer":                 {pushes, true, []string{"repository:rise-apps/hello2:pull"}, nil},
		"shorter":                {pushes, true, []string{"repository:rise-apps/hell:pull"}, nil},
		"no namespace":           {pushes, true, []string{"repository:hello:pull"}, nil},
		"namespace alone":        {pushes, true, []string{"repository:rise-apps:pull"}, nil},
		"another namespace":      {pushes, true, []string{"repository:rise-apps2/hello:pull"}, nil},
		"namespace twice":        {pushes, true, []string{"repository:rise-apps/rise-apps/hello:pull"}, nil},
		"a pattern":              {pushes, true, []string{"repository:rise-apps/*:pull"}, nil},
		"the grant's pattern":    {all, true, []string{"repository:rise-apps/*:pull"}, nil},
		"below, off":             {pushes, false, []string{"repository:rise-apps/hello/web:pull"}, nil},
		"below":                  {pushes, true, []string{"repository:rise-apps/hello/web:pull,push"}, []string{"repository:rise-apps/hello/web:pull,push"}},
		"far below":              {pushes, true, []string{"repository:rise-apps/hello/a/b_c/d:push"}, []string{"repository:rise-apps/hello/a/b_c/d:push"}},
		"below another":          {pushes, true, []string{"repository:rise-apps/other/hello:pull"}, nil},
		"too long":               {pushes, true, []string{"repository:rise-apps/hello/" + strings.Repeat("x", 250) + ":pull"}, nil},
		"all projects":           {all, false, []string{own + "pull", "repository:rise-apps/other:pull,push"}, []string{own + "pull", "repository:rise-apps/other:pull"}},
		"all projects, below":    {all, false, []string{"repository:rise-apps/hello/web:pull"}, nil},
		"all, no project":        {all, true, []string{"repository:rise-apps/Hello:pull"}, nil},
		"all, elsewhere":         {all, true, []string{"repository:hello:pull"}, nil},
		"all, to push":           {all, false, []string{own + "push"}, nil},
		"the 32nd":               {pushes, false, append(many(31), own+"pull"), []string{own + "pull"}},
		"the 33rd":               {pushes, false, append(many(32), own+"pull"), nil},
		"the 33rd of one field":  {pushes, false, []string{strings.Join(append(many(32), own+"pull"), " ")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigning(t)
			c := config()
			c.SubRepositories, c.SharedRepositories = test.below, []string{"base", "mirror/*"}
			p := newProvider(t, c, s)
			x := &exchanges{}
			h := p.Handler(allGood, nil, x.option())
			r := exchange(t, h, grantFor(t, p, test.grant), test.asked...)
			if test.want == nil {
				require.Equal(t, []any{http.StatusForbidden, "DENIED"}, []any{r.status, r.code})
				require.Contains(t, r.message, "This credential is good for pu")
				require.Empty(t, x.last().Granted)
				return
			}
			require.Equal(t, http.StatusOK, r.status, r.message)
			require.Equal(t, test.want, append([]string{}, r.access()...))
			require.Equal(t, test.want, append([]string{}, x.last().Granted...))
		})
	}
}

// What the sentence of a 403 says.
func TestDeniedSentences(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	for _, test := range []struct {
		request provider.Request
		below   bool
		want    string
	}{
		{push("hello"), false, "pushing to and pulling from rise-apps/hello,"},
		{push("hello"), true, "pushing to and pulling from rise-apps/hello and what is below it,"},
		{provider.Request{Project: "hello", Access: provider.Pull}, false, "pulling from rise-apps/hello,"},
		{provider.Request{AllProjects: true, Access: provider.Pull}, false, "pulling from the projects' repositories,"},
	} {
		c := config()
		c.SubRepositories = test.below
		p := newProvider(t, c, s)
		r := exchange(t, p.Handler(allGood, nil, silent()), grantFor(t, p, test.request), "repository:other:pull")
		require.Equal(t, "This credential is good for "+test.want+" and not for what was asked for.", r.message)
	}
}

// A token is what registries were measured to take.
func TestToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSigning(t)
		p := newProvider(t, config(), s)
		time.Sleep(300 * time.Millisecond)
		r := exchange(t, p.Handler(allGood, nil, silent()), grantFor(t, p, push("hello")), "repository:rise-apps/hello:pull,push")
		now := time.Now().Unix()
		require.Equal(t, float64(299), r.body["expires_in"], "whole seconds that are left")
		require.NotEmpty(t, r.claims["jti"])
		delete(r.claims, "jti")
		require.Equal(t, map[string]any{
			"iss": "rise", "sub": "alice", "aud": host, "exp": float64(now + 300), "nbf": float64(now - 60), "iat": float64(now - 60),
			"access": []any{map[string]any{"type": "repository", "name": "rise-apps/hello", "actions": []any{"pull", "push"}}},
		}, r.claims)
		require.Equal(t, "ES256", r.jose["alg"])
		parsed, err := jose.ParseSignedCompact(r.body["token"].(string), []jose.SignatureAlgorithm{jose.ES256})
		require.NoError(t, err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.authorityPEM)
		chains, err := parsed.Signatures[0].Protected.Certificates(x509.VerifyOptions{Roots: roots, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		require.NoError(t, err)
		_, err = parsed.Verify(chains[0][0].PublicKey)
		require.NoError(t, err)
	})
}

// No token outlives the certificate, and no grant says so; at its end nothing is made any more.
func TestCertificateEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSigning(t)
		var err error
		s.key, s.certificatePEM, err = s.authority.NewSigningKey(10 * time.Minute)
		require.NoError(t, err)
		ends := time.Unix(time.Now().Add(10*time.Minute).Unix(), 0)
		p := newProvider(t, config(), s)
		x := &exchanges{}
		h := p.Handler(allGood, nil, x.option())
		c, err := provider.Issue(t.Context(), p, push("hello"))
		require.NoError(t, err)
		require.Equal(t, ends, c.ExpiresAt)
		time.Sleep(8 * time.Minute)
		r := exchange(t, h, c.Password.Reveal())
		require.Equal(t, float64(ends.Unix()), r.claims["exp"])
		require.True(t, p.Keys().EndsSoon)
		require.Equal(t, ends.UTC(), p.Keys().CertificateEnds)
		time.Sleep(2 * time.Minute)
		_, err = p.Credentials(t.Context(), push("hello"))
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.Equal(t, saysExpired, exchange(t, h, c.Password.Reveal()).message)
		r = exchange(t, p.Handler(allGood, func(*http.Request, provider.Secret, []provider.Request) (string, []provider.Request, error) {
			return "alice", nil, nil
		}, x.option()), "a token")
		require.Equal(t, http.StatusServiceUnavailable, r.status)
		require.ErrorContains(t, x.last().Err, "the signing certificate has expired")
		require.Equal(t, tokenissuer.Failed, x.last().Outcome)
	})
}

func TestForms(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	p := newProvider(t, config(), s)
	h := p.Handler(allGood, nil, silent())
	grant := grantFor(t, p, push("hello"))
	const scope, want = "repository:rise-apps/hello:pull,push", http.StatusOK
	post := func(values url.Values, change ...func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		for _, c := range change {
			c(r)
		}
		return r
	}
	get := func(query string, change ...func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/token?"+query, nil)
		for _, c := range change {
			c(r)
		}
		return r
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	form := func(pairs ...string) url.Values {
		v := url.Values{"grant_type": {"password"}, "service": {host}, "username": {"rise"}, "password": {grant}, "scope": {scope}}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for name, test := range map[string]struct {
		request *http.Request
		want    int
	}{
		"docker":               {get("account=rise&client_id=docker&offline_token=true&service="+host+"&scope="+url.QueryEscape(scope), basic("rise", grant)), want},
		"containerd":           {post(form("client_id", "containerd-client")), want},
		"helm's login":         {post(form("scope", "")), want},
		"any user name":        {get("", basic("someone", grant)), want},
		"no user name":         {get("", basic("", grant)), want},
		"post with Basic":      {post(url.Values{"service": {host}}, basic("rise", grant)), want},
		"form before Basic":    {post(form("password", grant), basic("rise", "x")), want},
		"no service":           {get("", basic("rise", grant)), want},
		"empty service":        {get("service=", basic("rise", grant)), want},
		"malformed query":      {get("scope=%zz&service="+host, basic("rise", grant)), want},
		"another service":      {get("service=other", basic("rise", grant)), http.StatusBadRequest},
		"two services":         {get("service="+host+"&service=other", basic("rise", grant)), http.StatusBadRequest},
		"service in the form":  {post(form("service", "other")), http.StatusBadRequest},
		"refresh token":        {post(form("grant_type", "refresh_token", "refresh_token", grant)), http.StatusBadRequest},
		"two grant types":      {post(url.Values{"grant_type": {"password", "password"}, "password": {grant}}), http.StatusBadRequest},
		"a huge form":          {post(form("x", strings.Repeat("x", 70_000))), http.StatusBadRequest},
		"a huge query":         {get("x="+strings.Repeat("x", 70_000), basic("rise", grant)), http.StatusBadRequest},
		"password in a query":  {get("grant_type=password&password=" + grant), http.StatusUnauthorized},
		"and of a post":        {post(url.Values{"grant_type": {"password"}}, func(r *http.Request) { r.URL.RawQuery = "password=" + grant }), http.StatusUnauthorized},
		"form without a type":  {post(url.Values{"password": {grant}}), http.StatusUnauthorized},
		"form of another kind": {post(form(), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }), http.StatusUnauthorized},
		"bearer":               {get("", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+grant) }), http.StatusUnauthorized},
		"as the user":          {get("", basic(grant, "")), http.StatusUnauthorized},
		"two headers": {get("", basic("rise", grant), func(r *http.Request) {
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		}), http.StatusUnauthorized},
		"none": {get(""), http.StatusUnauthorized},
		"HEAD": {httptest.NewRequest(http.MethodHead, "/token", nil), http.StatusMethodNotAllowed},
		"PUT":  {httptest.NewRequest(http.MethodPut, "/token", nil), http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := send(t, h, test.request)
			require.Equal(t, test.want, r.status, r.message)
			require.NotContains(t, fmt.Sprint(r.body["errors"]), grant)
			if test.want == http.StatusMethodNotAllowed {
				require.Equal(t, "GET, POST", r.header.Get("Allow"))
			}
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/token", h)
	r := httptest.NewRequest(http.MethodGet, "/auth/token", nil)
	r.SetBasicAuth("rise", grant)
	require.Equal(t, http.StatusOK, send(t, mux, r).status, "wherever it is mounted")
}

// What fails counts for the address it came from; a good grant doesn't, and isn't refused for it.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	p := newProvider(t, config(), s)
	var addresses, grants []string
	wait := time.Duration(0)
	x := &exchanges{}
	h := p.Handler(allGood, nil, x.option(),
		tokenissuer.WithSource(func(*http.Request) string { return "198.51.100.1" }),
		tokenissuer.WithAddressLimit(func(r *http.Request) time.Duration { addresses = append(addresses, r.RemoteAddr); return wait }),
		tokenissuer.WithGrantLimit(func(_ context.Context, grant string) time.Duration { grants = append(grants, grant); return wait / 2 }))
	c, err := provider.Issue(t.Context(), p, push("hello"))
	require.NoError(t, err)
	grant := c.Password.Reveal()
	require.Equal(t, http.StatusOK, exchange(t, h, grant).status)
	require.Empty(t, addresses)
	require.Equal(t, []string{c.Details[0].Value.String()}, grants, "by the id that the credential's audit event has")
	require.Equal(t, "198.51.100.1", x.last().SourceAddr)
	require.Equal(t, http.StatusUnauthorized, exchange(t, h, "x").status)
	require.Equal(t, http.StatusUnauthorized, exchange(t, h, grant+"x").status)
	require.Equal(t, http.StatusUnauthorized, exchange(t, h, "").status)
	require.Len(t, addresses, 3)
	require.Len(t, grants, 1)
	wait = 3 * time.Second
	for _, password := range []string{"x", grant + "x", ""} {
		r := exchange(t, h, password)
		require.Equal(t, []any{http.StatusTooManyRequests, "TOOMANYREQUESTS", "3"}, []any{r.status, r.code, r.header.Get("Retry-After")})
	}
	require.Equal(t, tokenissuer.Refused, x.last().Outcome)
	r := exchange(t, h, grant)
	require.Equal(t, []any{http.StatusTooManyRequests, "2"}, []any{r.status, r.header.Get("Retry-After")}, "by its own limit")
	require.Len(t, addresses, 6)
}

// An exchange leaves no secret anywhere.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	p := newProvider(t, config(), s)
	var log bytes.Buffer
	h := p.Handler(allGood, nil, tokenissuer.WithAudit(tokenissuer.Log(slog.New(slog.NewJSONHandler(&log, nil)))))
	grant := grantFor(t, p, provider.Request{Project: "hello", ProjectID: "p-1", Access: provider.Push, Caller: "alice"})
	r := exchange(t, h, grant, "repository:rise-apps/hello:pull,push", "repository:evil\"\n:pull", "registry:catalog:*")
	require.Equal(t, http.StatusOK, r.status)
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	require.NotEmpty(t, line["grant"])
	require.NotEmpty(t, line["expires_at"])
	require.Equal(t, []any{"INFO", "issued", "alice", "hello", "p-1"}, []any{line["level"], line["outcome"], line["subject"], line["project"], line["project_id"]})
	require.Equal(t, []any{"repository:rise-apps/hello:pull,push", "other"}, line["asked"])
	require.Equal(t, []any{"repository:rise-apps/hello:pull,push"}, line["granted"])
	exchange(t, h, grant+"x", "repository:rise-apps/hello:pull")
	exchange(t, h, "some-password")
	for _, secret := range []string{grant, grant[:40], r.body["token"].(string), "some-password"} {
		require.NotContains(t, log.String(), secret)
	}
	require.Equal(t, 2, strings.Count(log.String(), `"level":"WARN"`))
}

// A panic of the service's is its own failure.
func TestPanics(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	p := newProvider(t, config(), s)
	x := &exchanges{}
	h := p.Handler(func(context.Context, tokenissuer.Question) error { panic("a secret") }, func(*http.Request, provider.Secret, []provider.Request) (string, []provider.Request, error) {
		panic("a secret")
	}, x.option())
	require.Equal(t, http.StatusServiceUnavailable, exchange(t, h, grantFor(t, p, push("hello"))).status)
	require.Equal(t, "ask whether the grant is good: panic of type string", x.last().Err.Error())
	r := exchange(t, h, "a token")
	require.Equal(t, []any{http.StatusInternalServerError, "UNKNOWN"}, []any{r.status, r.code})
	require.Equal(t, "panic of type string", x.last().Err.Error())
	require.Panics(t, func() { p.Handler(nil, nil) })

	// A goroutine that ends leaves nobody waiting: this would last for the handler's half minute.
	h = p.Handler(func(context.Context, tokenissuer.Question) error { runtime.Goexit(); return nil }, nil, x.option())
	require.Equal(t, http.StatusServiceUnavailable, exchange(t, h, grantFor(t, p, push("hello"))).status)
	require.ErrorContains(t, x.last().Err, "a bug: the goroutine was ended")
}

// Who begins a form and never ends it holds nothing for longer than an exchange may take, whatever the server's own times are.
func TestSlowForm(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			x := &exchanges{}
			h := newProvider(t, config(), newSigning(t)).Handler(allGood, nil, x.option(), tokenissuer.WithTimeout(50*time.Millisecond))
			server := httptest.NewUnstartedServer(h)
			server.EnableHTTP2 = protocol == "HTTP/2.0"
			server.StartTLS()
			t.Cleanup(server.Close)
			form, write := io.Pipe()
			go io.WriteString(write, "grant_type=") //nolint:errcheck // perhaps nobody reads it any more
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			t.Cleanup(cancel)
			context.AfterFunc(ctx, func() { _ = write.CloseWithError(context.Canceled) }) // the client waits for its body
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, form)
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			answer, err := server.Client().Do(r)
			require.NoError(t, err)
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, protocol, answer.Proto)
			require.Equal(t, http.StatusBadRequest, answer.StatusCode)
			require.Contains(t, string(text), "The request can't be answered: the form took too long to arrive.")
			require.Equal(t, tokenissuer.Refused, x.last().Outcome)
		})
	}
}

// A client that goes away is no failure of the service's.
func TestCanceled(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	p := newProvider(t, config(), s)
	x := &exchanges{}
	ctx, cancel := context.WithCancel(t.Context())
	h := p.Handler(func(ctx context.Context, _ tokenissuer.Question) error {
		cancel()
		return errors.New("broken")
	}, nil, x.option())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/token", nil)
	r.SetBasicAuth("rise", grantFor(t, p, push("hello")))
	require.Equal(t, http.StatusServiceUnavailable, send(t, h, r).status)
	require.Equal(t, tokenissuer.Canceled, x.last().Outcome)
}
