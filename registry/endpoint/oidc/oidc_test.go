package oidc_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	josejson "github.com/go-jose/go-jose/v4/json"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// fake hands out a credential for whatever is asked.
type fake struct{}

func (fake) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository("registry.example.com/rise/" + project)
}

func (f fake) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	repository, err := f.Repository(r.Project, r.Consumer)
	return provider.Credentials{
		Target: repository, Access: r.Access, Method: provider.LoginCredentials, Username: "u", Password: provider.NewSecret("p"),
		ExpiresAt: time.Now().Add(time.Hour), Details: []slog.Attr{slog.String("session", "s")},
	}, err
}

// At the endpoint a token is a caller, with what decided in the event, and nothing of the token.
func TestAtTheEndpoint(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s, down := newServer(t, clock), newServer(t, clock)
	down.Close()
	downConfig := down.config()
	downConfig.Name = "down"
	a := newAuthenticator(t, clock, s.config(), downConfig)
	var events []endpoint.Event
	h := endpoint.New(fake{}, a.Authenticate, a.Authorize, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) { events = append(events, e) }))
	good := s.token(nil)
	for _, test := range []struct {
		token, project string
		status         int
		err            string
	}{
		{good, "shop", http.StatusOK, ""},
		{good, "shop", http.StatusOK, ""},
		{good, "other", http.StatusNotFound, "rules[0], which decided, has no such project"},
		{"", "shop", http.StatusUnauthorized, ""},
		{s.token(map[string]any{"owner": "mallory"}), "shop", http.StatusUnauthorized, "rules[0] came closest, but for owner"},
		{s.token(map[string]any{"iss": "https://evil.example.com"}), "shop", http.StatusUnauthorized, "its issuer isn't configured"},
		{down.token(nil), "shop", http.StatusServiceUnavailable, "fetch the keys of OIDC issuer down"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?project="+test.project, nil)
		if test.token != "" {
			r.Header.Set("Authorization", "Bearer "+test.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, test.status, w.Code, w.Body)
		e := events[len(events)-1]
		shown := fmt.Sprint(e.LogValue())
		require.NotContains(t, shown, "mallory")
		require.NotContains(t, w.Body.String(), "rules")
		require.NotContains(t, w.Body.String(), "owner")
		if test.token != "" {
			require.NotContains(t, shown, strings.Split(test.token, ".")[2])
		}
		if test.err != "" {
			require.ErrorContains(t, e.Err, test.err)
		}
		if test.token == good {
			require.Equal(t, "ci:job-1", e.Subject)
			require.Equal(t, []slog.Attr{slog.String("issuer", "ci"), slog.Int("rule", 0), slog.GroupAttrs("claims", slog.String("owner", "acme"))}, e.Details[:3])
		}
		if test.status == http.StatusOK {
			require.Equal(t, slog.String("session", "s"), e.Details[3])
		}
		if test.status == http.StatusServiceUnavailable {
			require.Equal(t, "5", w.Header().Get("Retry-After"))
		}
	}
}

// A token is a password at /token as well.
func TestAsLogin(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	a := newAuthenticator(t, clock, s.config(oidc.Rule{Claims: m{"owner": "acme"}, Projects: []string{"shop"}}))
	var events []endpoint.Event
	login := endpoint.Logins(fake{}, a.Authenticate, a.Authorize, endpoint.WithAudit(func(_ context.Context, e endpoint.Event) { events = append(events, e) }))
	r := httptest.NewRequest(http.MethodGet, "/token", nil)
	subject, granted, err := login(r, provider.NewSecret(s.token(nil)), []provider.Request{{Project: "shop", Access: provider.Push}, {Project: "other", Access: provider.Pull}})
	require.NoError(t, err)
	require.Equal(t, "ci:job-1", subject)
	require.Len(t, granted, 1)
	require.Equal(t, provider.Pull, granted[0].Access)
	for _, e := range events {
		require.Equal(t, slog.String("issuer", "ci"), e.Details[0])
		require.Len(t, e.Details, 3)
	}
	_, _, err = login(r, provider.NewSecret("x"+s.token(nil)), nil)
	require.ErrorIs(t, err, provider.ErrAccessDenied)
}

// The section is one that configload fills, with mistakes at their places.
func TestConfigLoad(t *testing.T) {
	t.Parallel()
	load := func(file string) ([]oidc.Issuer, error) {
		var config struct {
			OIDC []oidc.Issuer `yaml:"oidc"`
		}
		err := configload.Loader{FS: fstest.MapFS{"test.yaml": {Data: []byte(file)}}, RunMode: "test"}.Load(&config)
		return config.OIDC, err
	}
	issuers, err := load(`
oidc:
  - name: github
    issuer: https://token.actions.githubusercontent.com
    audience: https://rise.example.com
    rules:
      - claims: {repository_owner_id: "1234", repository_id: 5678, ref: refs/heads/main}
        projects: [shop]
        access: push
      - claims: {repository_owner_id: "1234"}
        projects: ["{repository}"]
        access: pull
  - name: cluster
    issuer: https://kubernetes.default.svc
    exclusive: true
    jwks_url: ""
    ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
    audience: https://rise.example.com
    rules:
      - claims: {kubernetes.io/namespace: "*"}
        projects: ["{kubernetes.io/namespace}"]
`)
	require.NoError(t, err)
	require.Equal(t, "5678", issuers[0].Rules[0].Claims["repository_id"])
	_, err = oidc.New(issuers, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = load(`
oidc:
  - name: github
    issuer: https://token.actions.githubusercontent.com
    audience: https://github.com/octo-org
    rules:
      - claims: {repository_owner: secretname}
        projects: [shop]
`)
	require.ErrorContains(t, err, "test.yaml:5: oidc[0].audience: is what tokens for other services name")
	require.ErrorContains(t, err, "test.yaml:7: oidc[0].rules[0].claims: need repository_owner_id")
	require.NotContains(t, err.Error(), "secretname")
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 200)
	seen := map[string]string{}
	for _, sub := range []string{
		"job", strings.Repeat("a", 253), strings.Repeat("a", 254), strings.Repeat("a", 255), long, long + "x", "a\nb", "a?b", "a\x00b", "a\u202eb", "a\xffb", "a\ufffdb",
		"job~sha256:00000000000000000000000000000000", oidc.SubjectOf("ci", strings.Repeat("a", 300))[len("ci:"):], strings.Repeat("a", 300),
	} {
		subject := oidc.SubjectOf("ci", sub)
		require.True(t, strings.HasPrefix(subject, "ci:"))
		require.LessOrEqual(t, len(subject), 256)
		require.NoError(t, provider.Request{Project: "shop", Access: provider.Pull, Caller: subject}.Validate())
		require.Empty(t, seen[subject], "%q and %q are %q", sub, seen[subject], subject)
		seen[subject] = sub
	}
	require.Equal(t, "ci:repo:a/b:ref:refs/heads/main", oidc.SubjectOf("ci", "repo:a/b:ref:refs/heads/main"))
	require.Equal(t, "ci:"+strings.Repeat("a", 253), oidc.SubjectOf("ci", strings.Repeat("a", 253)))
	require.Regexp(t, `^ci:a{197}~sha256:[0-9a-f]{32}$`, oidc.SubjectOf("ci", strings.Repeat("a", 254)))
}

// What a document names isn't on a network of ours.
func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"1.1.1.1", "140.82.112.3", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "198.17.0.1", "2606:4700:4700::1111", "2a00:1450:4001::200e"} {
		require.True(t, oidc.Public(netip.MustParseAddr(address)), address)
	}
	for _, address := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1",
		"198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "100::1", "fc00::1", "fd00:ec2::254",
		"fe80::1", "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2002:a00:1::1", "3fff::1", "2606:4700::1%eth0",
	} {
		require.False(t, oidc.Public(netip.MustParseAddr(address)), address)
	}
}

// Whatever the claims are, no panic, no name that isn't one, and no owner's part but the one that the rule fixes.
func FuzzMatch(f *testing.F) {
	for issuer, claims := range realClaims() {
		f.Add(text(claims), "repository_owner_id", "2020", "{repository}")
		f.Add(text(claims), "kubernetes.io/namespace", "*", "{kubernetes.io/namespace}")
		f.Add(text(claims), "sub", "repo:*/*:ref:*", "x-{"+issuer+"}")
	}
	f.Add(`{"a":{"b/c":{"d":[1,"x",true,null]}}}`, "a/b/c/d", "x", "{a/b/c/d}")
	f.Add(`{"a":"x/y","a/b":1}`, "a/b", "*", "{a}")
	f.Fuzz(func(t *testing.T, payload, key, value, project string) {
		i := oidc.Issuer{
			Name: "ci", Issuer: "https://ci.example.com", Audience: audience, Exclusive: true,
			Rules: []oidc.Rule{{Claims: m{key: value}, Projects: []string{project}}},
		}
		if i.Validate() != nil {
			return
		}
		projects, fit, ok, bad := oidc.Matches(i.Rules[0], []byte(payload))
		// What we read, go-jose reads too, and in the same way; what it reads and we don't has characters that aren't any.
		var others map[string]any
		decoder := josejson.NewDecoder(strings.NewReader(payload))
		decoder.SetNumberType(josejson.UnmarshalJSONNumber)
		readable := decoder.Decode(&others) == nil && others != nil && decoder.Decode(new(any)) == io.EOF
		read, err := oidc.ReadClaims([]byte(payload))
		if err == nil {
			require.True(t, readable)
			require.True(t, utf8.ValidString(payload))
			require.Equal(t, others, numbers(read))
		} else if readable && utf8.ValidString(payload) {
			require.ErrorContains(t, err, "surrogate")
			require.Contains(t, fmt.Sprint(others), string(utf8.RuneError))
		}
		if bad || !ok {
			require.Empty(t, projects)
			return
		}
		for _, attr := range fit {
			shown := attr.Value.String()
			require.LessOrEqual(t, len(shown), 200)
			for _, r := range shown {
				require.True(t, unicode.IsPrint(r), "%q", shown)
			}
		}
		for _, p := range projects {
			require.NoError(t, provider.ValidateProject(p))
			before, _, isTemplate := strings.Cut(project, "{")
			require.True(t, strings.HasPrefix(p, before))
			if !isTemplate {
				require.Equal(t, project, p)
			}
		}
	})
}

// numbers is v with numbers as go-jose's package has them.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return josejson.Number(v)
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = numbers(v[key])
		}
	}
	return v
}

// A pattern that covers another takes all that the other takes, and a star takes no / and no :.
func FuzzPattern(f *testing.F) {
	f.Add("a*", "ab*", "abc")
	f.Add("*", "*/*", "a/b")
	f.Add("refs/*/v*.*", "refs/tags/v1.*", "refs/tags/v1.2")
	f.Add("*b", "a*", "ab")
	f.Add("*-*", "a*-b", "a--b")
	f.Fuzz(func(t *testing.T, first, second, text string) {
		if oidc.PatternProblem(first) != "" || oidc.PatternProblem(second) != "" || !utf8.ValidString(text) {
			return
		}
		if oidc.Covers(first, second) && oidc.MatchText(second, text) {
			require.True(t, oidc.MatchText(first, text), "%q covers %q, which takes %q", first, second, text)
		}
		if first != "*" && oidc.MatchText(first, text) {
			require.Equal(t, strings.Count(first, "/"), strings.Count(text, "/"))
			require.Equal(t, strings.Count(first, ":"), strings.Count(text, ":"))
			if !strings.Contains(first, "*") {
				require.Equal(t, first, text)
			}
		}
	})
}

// A token may be anything. One that is accepted go-oidc accepts as well, by itself.
func FuzzToken(f *testing.F) {
	clock := newClock()
	file := filepath.Join(f.TempDir(), "jwks.json")
	require.NoError(f, os.WriteFile(file, []byte(keySet(jwk("ec", keys().ec.Public()))), 0o600))
	config := oidc.Issuer{Name: "ci", Issuer: "https://127.0.0.1:1", Audience: audience, JWKSFile: file, Rules: []oidc.Rule{{Claims: m{"owner": "acme"}, Projects: []string{"a"}}}}
	a, err := oidc.New([]oidc.Issuer{config}, slog.New(slog.DiscardHandler))
	require.NoError(f, err)
	a.SetClock(clock.now)
	good := claimsOf(clock, config.Issuer, nil)
	for _, header := range []string{
		`{"alg":"ES256","kid":"ec"}`, `{"alg":"ES256","typ":"JWT","x5t":"AA"}`, `{"alg":"none"}`, `{"alg":"ES256","b64":false}`, `{"alg":"ES256","jwk":{}}`, `{"alg":"ES256","x5c":["MIIB"]}`,
		`{"alg":"ES256","jku":"x","nonce":1}`, `{"ALG":"ES256","alg":"ES256"}`, `{"alg":"ES256","typ":1}`,
	} {
		f.Add(header, text(good), "")
	}
	for _, changes := range []map[string]any{
		{"ISS": "x"}, {"Exp": 1}, {"Nbf": "x"}, {"nonce": 1}, {"at_hash": []int{1}}, {"_claim_names": m{"a": "b"}}, {"_claim_sources": 1}, {"i\u017fs": "x"}, {"aud": []string{audience}}, {"nbf": nil},
	} {
		f.Add(`{"alg":"ES256","kid":"ec"}`, text(claimsOf(clock, config.Issuer, changes)), "")
	}
	f.Add(`{"alg":"ES256","kid":"ec"}`, text(good), "AA")
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		raw := signed(header, payload, keys().ec)
		if signature != "" {
			raw = segment([]byte(header)) + "." + segment([]byte(payload)) + "." + signature
		}
		if _, err := a.AuthenticateToken(t.Context(), provider.NewSecret(raw)); err == nil {
			require.NoError(t, othersSay(clock, config.Issuer, raw, keys().ec.Public()))
			require.Empty(t, signature)
		}
	})
}

// What a request's authentication costs: a token that is new, one that was seen, and the bare check of its signature.
func BenchmarkAuthenticate(b *testing.B) {
	clock := newClock()
	file := filepath.Join(b.TempDir(), "jwks.json")
	require.NoError(b, os.WriteFile(file, []byte(keySet(jwk("rsa", keys().rsa.Public()))), 0o600))
	config := oidc.Issuer{Name: "ci", Issuer: github, Audience: audience, JWKSFile: file, Rules: []oidc.Rule{{Claims: m{"repository_owner_id": "2020"}, Projects: []string{"{repository}"}}}}
	newOne := func() *oidc.Authenticator {
		a, err := oidc.New([]oidc.Issuer{config}, slog.New(slog.DiscardHandler))
		require.NoError(b, err)
		a.SetClock(clock.now)
		return a
	}
	claims := claimsOf(clock, github, nil)
	maps.Copy(claims, realClaims()[github])
	tokens := make([]provider.Secret, 2000)
	for n := range tokens {
		claims["jti"] = n
		tokens[n] = provider.NewSecret(signed(`{"alg":"RS256","kid":"rsa"}`, text(claims), keys().rsa))
	}
	b.Run("new", func(b *testing.B) {
		a := newOne()
		for n := 0; b.Loop(); n++ {
			if n%len(tokens) == 0 {
				b.StopTimer()
				a = newOne()
				_, err := a.AuthenticateToken(b.Context(), tokens[0]) // fetches
				require.NoError(b, err)
				b.StartTimer()
				continue
			}
			if _, err := a.AuthenticateToken(b.Context(), tokens[n%len(tokens)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("seen", func(b *testing.B) {
		a := newOne()
		for b.Loop() {
			if _, err := a.AuthenticateToken(b.Context(), tokens[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signature", func(b *testing.B) {
		raw := tokens[0].Reveal()
		end := strings.LastIndexByte(raw, '.')
		signature, err := base64.RawURLEncoding.DecodeString(raw[end+1:])
		require.NoError(b, err)
		for b.Loop() {
			hash := sha256.Sum256([]byte(raw[:end]))
			if err := rsa.VerifyPKCS1v15(&keys().rsa.PublicKey, crypto.SHA256, hash[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})
}
