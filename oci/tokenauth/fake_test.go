package tokenauth_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The registry of tests that need no connections.
const (
	registryHost = "registry.example.com"
	service      = "registry.example.com"
)

// fake is all hosts that there are: the registry, its token server at first on the same one, and whatever else is asked.
type fake struct {
	mu           sync.Mutex
	header       http.Header // of the registry's 401
	path         string      // of the token server
	answer       func(r *http.Request, claims map[string]any) *http.Response
	requests     []*http.Request
	registryDown atomic.Bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{path: "/token"}
	f.challenge(f.realm(), service)
	return f
}

func (f *fake) config() tokenauth.Config {
	return tokenauth.Config{
		RegistryURL: registryHost, Namespace: "rise-apps", Username: user, Password: provider.NewSecret(password),
		PullUsername: pullUser, PullPassword: provider.NewSecret(pullPassword),
	}
}

func (f *fake) option() tokenauth.Option { return tokenauth.WithTransport(f) }

func (f *fake) realm() string { return "https://" + registryHost + f.path }

// challenge has the registry name that.
func (f *fake) challenge(realm, service string) {
	f.challengeOf(`Bearer realm="` + realm + `",service="` + service + `"`)
}

func (f *fake) challengeOf(headers ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.header = http.Header{"Www-Authenticate": headers}
}

// move has the token server at another path.
func (f *fake) move(path string) {
	f.mu.Lock()
	f.path = path
	f.mu.Unlock()
	f.challenge(f.realm(), service)
}

// answers has the token server answer otherwise: claims are those of a good token.
func (f *fake) answers(answer func(r *http.Request, claims map[string]any) *http.Response) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) paths() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		all = append(all, r.URL.Path)
	}
	return all
}

// sent are the places to which a login went.
func (f *fake) sent() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	places := map[string]int{}
	for _, r := range f.requests {
		text := r.URL.String() + fmt.Sprint(r.Header)
		if r.Header.Get("Authorization") != "" || strings.Contains(text, password) || r.Body != nil {
			places[r.URL.Scheme+"://"+r.URL.Host+r.URL.Path]++
		}
	}
	return places
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	header, path, answer := f.header.Clone(), f.path, f.answer
	f.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	switch {
	case r.URL.Path == "/v2/" && f.registryDown.Load():
		return respond(r, http.StatusServiceUnavailable, "", nil), nil
	case r.URL.Path == "/v2/":
		return respond(r, http.StatusUnauthorized, `{"errors":[{"code":"UNAUTHORIZED"}]}`, header), nil
	case r.URL.Host == registryHost && r.URL.Path != path:
		return respond(r, http.StatusNotFound, "", nil), nil
	}
	claims := goodClaims(r)
	if answer != nil {
		return answer(r, claims), nil
	}
	return respond(r, http.StatusOK, `{"token":"`+jwt(claims)+`"}`, nil), nil
}

// goodClaims are those of a token for what r asks.
func goodClaims(r *http.Request) map[string]any {
	scope := strings.Split(r.URL.Query().Get("scope"), ":")
	for len(scope) < 3 {
		scope = append(scope, "")
	}
	now := time.Now().Unix()
	return map[string]any{
		"aud": r.URL.Query().Get("service"), "exp": now + 3600, "nbf": now, "iat": now, "jti": rand.Text(),
		"access": []any{map[string]any{"type": scope[0], "name": scope[1], "actions": strings.Split(scope[2], ",")}},
	}
}

// with changes claims.
func with(claims map[string]any, changes map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, changes)
	for name, value := range claims {
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// jwt is a token that nobody signed.
func jwt(claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return jwtOf(string(text))
}

func jwtOf(payload string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2lnbmF0dXJl"
}

// respond makes an answer, dated now.
func respond(r *http.Request, status int, body string, header http.Header) *http.Response {
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}, "Content-Type": {"application/json"}}
	maps.Copy(h, header)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
