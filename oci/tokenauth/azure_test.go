package tokenauth_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

const (
	tenant    = "409520d4-8100-4d1d-ad47-72432ddcc120"
	clientID  = "6731de76-14a6-49ae-97bc-6eba6914391e"
	assertion = "header.federated-token-of-the-workload.signature"
)

// newAzure is a registry of Azure's that knows the workload, and the configuration for it.
func newAzure(t *testing.T) (*tokenauthtest.Server, tokenauth.Config) {
	t.Helper()
	s := tokenauthtest.NewServer(tokenauthtest.Config{
		Kind: tokenauthtest.ACR, Accounts: accounts(),
		Workload: tokenauthtest.Workload{TenantID: tenant, ClientID: clientID, Assertion: assertion, Username: user},
	})
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(assertion+"\n"), 0o600))
	c := configFor(s)
	c.Username, c.Password = "", provider.Secret{}
	c.Azure = tokenauth.AzureConfig{TenantID: tenant, ClientID: clientID, TokenFile: file, AuthorityHost: s.EntraURL}
	return s, c
}

func tokenPaths(s *tokenauthtest.Server) (paths []string) {
	for _, r := range s.Requests() {
		paths = append(paths, r.Method+" "+strings.TrimPrefix(r.Path, "/"+tenant))
	}
	return paths
}

// The workload's token is exchanged at Entra and the registry once, and then a credential is one request.
func TestAzure(t *testing.T) {
	t.Parallel()
	s, c := newAzure(t)
	p := newProvider(t, c)
	for range 3 {
		got, err := provider.Issue(t.Context(), p, push("hello"))
		require.NoError(t, err)
		require.Greater(t, time.Until(got.ExpiresAt), 74*time.Minute)
		require.NotContains(t, fmt.Sprintf("%+v", got.Details), assertion)
	}
	require.Equal(t, []string{"GET /v2/", "POST /oauth2/v2.0/token", "POST /oauth2/exchange", "POST /oauth2/token", "POST /oauth2/token", "POST /oauth2/token"}, tokenPaths(s))
	tokenFor(t, p, pull("hello"))
	require.Equal(t, "GET /oauth2/token", tokenPaths(s)[6], "with pull_username")

	s.RevokeRefreshTokens()
	refused(t, p, push("hello"), provider.ErrAccessDenied)
	tokenFor(t, p, push("hello"))
	require.Equal(t, []string{"POST /oauth2/token", "POST /oauth2/v2.0/token", "POST /oauth2/exchange", "POST /oauth2/token"}, tokenPaths(s)[7:])
}

// Many at once exchange once.
func TestAzureAtOnce(t *testing.T) {
	t.Parallel()
	s, c := newAzure(t)
	p := newProvider(t, c)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := provider.Issue(t.Context(), p, push(fmt.Sprint("hello", i)))
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	exchanges := 0
	for _, path := range tokenPaths(s) {
		if strings.HasSuffix(path, "/exchange") {
			exchanges++
		}
	}
	require.Equal(t, 1, exchanges)
}

// What may go wrong on the way, each in the configuration's words, and nobody is told what isn't for them.
func TestAzureRefusals(t *testing.T) {
	t.Parallel()
	answerAt := func(suffix string, answer http.HandlerFunc) func(*tokenauthtest.Server, *tokenauth.Config) {
		return func(s *tokenauthtest.Server, _ *tokenauth.Config) {
			s.Wrap(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, suffix) {
						answer(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	for name, test := range map[string]struct {
		change func(*tokenauthtest.Server, *tokenauth.Config)
		kind   provider.Kind
		says   string
		last   string // where it ended
	}{
		"another tenant": {func(_ *tokenauthtest.Server, c *tokenauth.Config) {
			c.Azure.TenantID = "other.onmicrosoft.com"
		}, provider.ErrMisconfigured, "check azure.tenant_id", "/oauth2/v2.0/token"},
		"another application": {func(_ *tokenauthtest.Server, c *tokenauth.Config) {
			c.Azure.ClientID = "00000000-0000-0000-0000-000000000000"
		}, provider.ErrMisconfigured, "check azure.client_id", "/oauth2/v2.0/token"},
		"another workload": {func(_ *tokenauthtest.Server, c *tokenauth.Config) {
			_ = os.WriteFile(c.Azure.TokenFile, []byte("another"), 0o600)
		}, provider.ErrAccessDenied, "AADSTS700213 (hint: add a federated credential", "/oauth2/v2.0/token"},
		"no token file": {func(_ *tokenauthtest.Server, c *tokenauth.Config) {
			_ = os.Remove(c.Azure.TokenFile)
		}, provider.ErrMisconfigured, "azure.token_file: can't be read", "/v2/"},
		"an empty token file": {func(_ *tokenauthtest.Server, c *tokenauth.Config) {
			_ = os.WriteFile(c.Azure.TokenFile, nil, 0o600)
		}, provider.ErrMisconfigured, "azure.token_file: is empty", "/v2/"},
		"a huge token file": {func(_ *tokenauthtest.Server, c *tokenauth.Config) {
			_ = os.WriteFile(c.Azure.TokenFile, make([]byte, 1<<20), 0o600)
		}, provider.ErrMisconfigured, "azure.token_file: is longer than", "/v2/"},
		"Entra redirects": {answerAt("/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}), provider.ErrMisconfigured, "Entra redirects", "/oauth2/v2.0/token"},
		"Entra is a website": {answerAt("/oauth2/v2.0/token", text("<html>")), provider.ErrBadResponse, "a web page", "/oauth2/v2.0/token"},
		"Entra says nothing": {answerAt("/oauth2/v2.0/token", text(`{"access_token":""}`)), provider.ErrBadResponse, "JSON without a plain access_token", "/oauth2/v2.0/token"},
		"Entra gives lines":  {answerAt("/oauth2/v2.0/token", text(`{"access_token":"a\r\nb"}`)), provider.ErrBadResponse, "JSON without a plain access_token", "/oauth2/v2.0/token"},
		"Entra fails":        {answerAt("/oauth2/v2.0/token", status(503)), provider.ErrUnavailable, "Entra fails", "/oauth2/v2.0/token"},
		"Entra throttles":    {answerAt("/oauth2/v2.0/token", status(429)), provider.ErrThrottled, "429", "/oauth2/v2.0/token"},
		"Entra quotes the token": {answerAt("/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.PostFormValue("client_assertion"), http.StatusBadRequest)
		}), provider.ErrBadResponse, "not as it does", "/oauth2/v2.0/token"},
		"no role at the registry": {answerAt("/oauth2/exchange", status(401)), provider.ErrAccessDenied, "the role AcrPush", "/oauth2/exchange"},
		"not Azure's registry":    {answerAt("/oauth2/exchange", status(404)), provider.ErrMisconfigured, "azure is for Azure's container registry", "/oauth2/exchange"},
		"the registry redirects": {answerAt("/oauth2/exchange", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}), provider.ErrMisconfigured, "redirects", "/oauth2/exchange"},
		"the exchange is a website": {answerAt("/oauth2/exchange", text("<html>")), provider.ErrBadResponse, "a web page", "/oauth2/exchange"},
		"the exchange is 10 MB":     {answerAt("/oauth2/exchange", text(`{"refresh_token":"`+strings.Repeat("x", 10<<20)+`"}`)), provider.ErrBadResponse, "is longer than", "/oauth2/exchange"},
		"the registry was taken over": {answerAt("/v2/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://evil.example.com/oauth2/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}), provider.ErrMisconfigured, "another host or port than its own", "/v2/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := newAzure(t)
			test.change(s, &c)
			e := refused(t, newProvider(t, c), push("hello"), test.kind)
			require.Contains(t, e.message, test.says)
			require.NotContains(t, e.message, assertion)
			require.NotContains(t, e.message, "entra-")
			paths := tokenPaths(s)
			require.True(t, strings.HasSuffix(paths[len(paths)-1], test.last), paths)
		})
	}
}

// What Entra gives is for Azure's registries alone, and goes to the registry's host.
func TestAzureTokensGoWhereTheyBelong(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.move("/oauth2/token")
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(assertion), 0o600))
	c := f.config()
	c.Username, c.Password = "", provider.Secret{}
	c.Azure = tokenauth.AzureConfig{TenantID: tenant, ClientID: clientID, TokenFile: file}
	var went []string
	p := newProvider(t, c, tokenauth.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost {
			return f.RoundTrip(r)
		}
		require.NoError(t, r.ParseForm())
		went = append(went, r.URL.String())
		require.Empty(t, r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/" + tenant + "/oauth2/v2.0/token":
			require.Equal(t, "https://containerregistry.azure.net/.default", r.PostForm.Get("scope"))
			require.Equal(t, assertion, r.PostForm.Get("client_assertion"))
			return respond(r, 200, `{"access_token":"of-entra"}`, nil), nil
		case "/oauth2/exchange":
			require.Equal(t, "of-entra", r.PostForm.Get("access_token"))
			require.NotContains(t, r.PostForm.Encode(), assertion)
			return respond(r, 200, `{"refresh_token":"of-the-registry"}`, nil), nil
		}
		require.Equal(t, "of-the-registry", r.PostForm.Get("refresh_token"))
		require.NotContains(t, r.PostForm.Encode(), "of-entra")
		r.URL.RawQuery = "service=" + service + "&scope=" + r.PostForm.Get("scope")
		return respond(r, 200, `{"access_token":"`+jwt(goodClaims(r))+`"}`, nil), nil
	})))
	tokenFor(t, p, push("hello"))
	require.Equal(t, []string{
		"https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token", "https://registry.example.com/oauth2/exchange", "https://registry.example.com/oauth2/token",
	}, went)
}

// Diagnosis says where on the way it fails.
func TestAzureDiagnosis(t *testing.T) {
	t.Parallel()
	_, c := newAzure(t)
	for _, f := range diagnose(t, c, diagnosis.Options{Project: "hello", WriteProbe: true}) {
		require.Equal(t, diagnosis.Passed, f.Status, f.Check+": "+f.Summary)
	}
	for name, test := range map[string]struct {
		change          func(*tokenauth.AzureConfig)
		summary, remedy string
	}{
		"another tenant":      {func(a *tokenauth.AzureConfig) { a.TenantID = "other.onmicrosoft.com" }, "to ask Entra: Entra refuses the application's federated token: AADSTS90002", "check azure.tenant_id"},
		"another application": {func(a *tokenauth.AzureConfig) { a.ClientID = "00000000-0000-0000-0000-000000000000" }, "AADSTS700016", "check azure.client_id"},
		"another workload":    {func(a *tokenauth.AzureConfig) { _ = os.WriteFile(a.TokenFile, []byte("another"), 0o600) }, "AADSTS700213", "add a federated credential"},
		"no token":            {func(a *tokenauth.AzureConfig) { _ = os.Remove(a.TokenFile) }, "azure.token_file: can't be read", ""},
	} {
		_, c := newAzure(t)
		test.change(&c.Azure)
		list := diagnose(t, c, diagnosis.Options{})
		require.Equal(t, []any{"login", diagnosis.Failed}, []any{list[3].Check, list[3].Status}, name)
		require.Contains(t, list[3].Summary, test.summary, name)
		require.Contains(t, list[3].Remedy, test.remedy, name)
	}
}
