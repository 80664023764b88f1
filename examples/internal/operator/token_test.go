package operator_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// issuer is one of CI jobs' tokens, over TLS, whose clock may be off.
type issuer struct {
	url, ca string
	key     jose.JSONWebKey
	ahead   time.Duration // of our clock
}

func newKey(t *testing.T, id string) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"}
}

func newIssuer(t *testing.T, ahead time.Duration) *issuer {
	t.Helper()
	i := &issuer{key: newKey(t, "k1"), ahead: ahead}
	mux := http.NewServeMux()
	answer := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", i.now().UTC().Format(http.TimeFormat))
			_ = json.NewEncoder(w).Encode(v())
		}
	}
	mux.Handle("GET /.well-known/openid-configuration", answer(func() any { return map[string]string{"issuer": i.url, "jwks_uri": i.url + "/keys"} }))
	mux.Handle("GET /keys", answer(func() any { return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}} }))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	i.url, i.ca = server.URL, filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(i.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	return i
}

func (i *issuer) now() time.Time { return time.Now().Add(i.ahead) }

// token is a job's of shop's main branch, but for changes, signed by key.
func (i *issuer) token(t *testing.T, key jose.JSONWebKey, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": i.url, "aud": "https://rise.example.com", "sub": "repo:acme/shop", "iat": i.now().Unix(), "exp": i.now().Add(5 * time.Minute).Unix(),
		"repository": "acme/shop", "repository_owner_id": "1234", "ref": "refs/heads/main", "email": "private-address@example.com",
	}
	for name, value := range changes {
		claims[name] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	require.NoError(t, err)
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(text)
	require.NoError(t, err)
	compact, err := signed.CompactSerialize()
	require.NoError(t, err)
	return compact
}

// config has the issuer, and the registry of another diagnosis, which isn't asked.
func (i *issuer) config(ca string) map[string]string {
	return map[string]string{"development.yaml": fmt.Sprintf(`
registry: {type: oci-client-auth, registry_url: registry.invalid}
auth:
  oidc:
    - name: ci
      issuer: %s
      audience: https://rise.example.com
      ca_file: %q
      rules:
        - {claims: {repository_owner_id: "1234", ref: refs/heads/main}, projects: ["{repository}"], access: push}
        - {claims: {repository_owner_id: "1234", ref: "*"}, projects: [base, "{repository}"]}
`, i.url, ca)}
}

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
	return file
}

func TestDiagnoseToken(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 0)
	behind, other := newIssuer(t, 10*time.Minute), newIssuer(t, 0)
	down := &issuer{url: "https://" + realtest.FreeAddress(t), key: i.key}
	hour := time.Hour
	for name, test := range map[string]struct {
		of      *issuer
		ca      string // the issuer's own
		token   string
		project string
		failed  string   // all of stderr; empty: it exits with 0
		want    []string // in stdout
	}{
		"good": {of: i, token: i.token(t, i.key, nil) + "\n", project: "shop", want: []string{
			"✓ token_form         it is a JWT, signed with ES256\n✓ token_issuer       its issuer is ci\n✓ token_audience     it is for this service alone\n✓ token_times        it is valid for another ",
			"✓ issuer_keys        the issuer's keys can be had, by its discovery: 1 usable\n✓ issuer_clock       this machine's clock and the issuer's agree\n✓ token_key          the key that it names is one of the issuer's\n✓ token_signature    the issuer signed it\n",
			"✓ token_rule         rules[0] decides: tokens that say \"refs/heads/main\" as ref and say \"1234\" as repository_owner_id may push {repository}\n✓ token_projects     such a token may push shop\n",
		}},
		"may only pull":   {of: i, token: i.token(t, i.key, map[string]any{"ref": "refs/heads/mine"}), project: "base", want: []string{"✓ token_rule         rules[1] decides", "! token_projects     such a token may pull base, and not push", "    subject: ci:repo:acme/shop\n", "→ if it is to push, give the rule access: push"}},
		"another project": {of: i, token: i.token(t, i.key, nil), project: "hello", failed: "token_projects", want: []string{"✗ token_projects     such a token may push shop, and not hello: the answer is 404\n"}},
		"expired": {of: i, token: i.token(t, i.key, map[string]any{"iat": time.Now().Add(-2 * hour).Unix(), "exp": time.Now().Add(-hour).Unix()}), failed: "token_times",
			want: []string{"✗ token_times        it has expired\n    issued: ", "→ ask for a token right before it is used: this one lived for 1h0m0s\n", "✓ token_projects     such a token may push shop\n"}},
		"another audience": {of: i, token: i.token(t, i.key, map[string]any{"aud": "https://vault.example.com"}), failed: "token_audience",
			want: []string{"✗ token_audience     its audience isn't this service's\n    audience: \"https://vault.example.com\"\n    configured: https://rise.example.com\n  → have the job's token made for https://rise.example.com alone"}},
		"unknown key": {of: i, token: i.token(t, newKey(t, "k2"), nil), failed: "token_key",
			want: []string{"✗ token_key          the key that it names isn't one of the issuer's\n    key: \"k2\"\n    algorithm: ES256\n    keys: \"k1\"\n", "– token_signature    not checked, since it needs what token_key is about\n"}},
		"another issuer": {of: i, token: other.token(t, other.key, nil), failed: "token_issuer", want: []string{"✗ token_issuer       its issuer isn't configured\n    issuer: \"" + other.url + "\"\n    configured: " + i.url + "\n", "– token_projects     not checked, since it needs what token_issuer is about"}},
		"bad signature":  {of: i, token: i.token(t, newKey(t, "k1"), nil), failed: "token_signature", want: []string{"✗ token_signature    its signature doesn't verify\n", "✓ token_projects "}},
		"issuer down":    {of: down, token: down.token(t, down.key, nil), failed: "issuer_keys", want: []string{"✗ issuer_keys        the issuer's keys can't be had: nothing listens at " + strings.TrimPrefix(down.url, "https://") + " (connection refused)\n", "– issuer_clock       not checked, since no answer of the issuer's has a date\n", "✓ token_projects "}},
		"TLS untrusted":  {of: i, ca: "none", token: i.token(t, i.key, nil), failed: "issuer_keys", want: []string{"is signed by an unknown authority, which isn't trusted\n", "→ name its authority's certificates in ca_file"}},
		"clock off":      {of: behind, token: behind.token(t, behind.key, nil), failed: "token_times, issuer_clock", want: []string{"✗ token_times        it was issued in the future: compare the clocks\n", "✗ issuer_clock       this machine's clock is ", " behind the issuer's: new tokens are refused as issued in the future\n", "✓ token_signature "}},
		"no rule": {of: i, token: i.token(t, i.key, map[string]any{"repository_owner_id": 5678}), failed: "token_rule",
			want: []string{"✗ token_rule         no rule matches; rules[0] came closest, but for repository_owner_id\n", "    repository_owner_id: the rule wants \"1234\", and the token says \"5678\"\n"}},
		"no JWT": {of: i, token: "static-token-of-ci", failed: "token_form", want: []string{"✗ token_form         it isn't a signed JWT\n", "a static token is none"}},
		"empty":  {of: i, token: "\n", failed: "token_form", want: []string{"✗ token_form         no request can carry it: it is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := test.of.ca
			if test.ca != "" {
				ca = ""
			}
			args := []string{"diagnose", "--token-file", tokenFile(t, test.token)}
			if test.project != "" {
				args = append(args, test.project)
			}
			code, stdout, stderr := operator(t, test.of.config(ca), nil, args...)
			wantCode, verdict := 0, "\ngood: "
			if test.failed != "" {
				wantCode, verdict = 1, " failed: "+test.failed
			}
			require.Empty(t, stderr, stdout)
			require.Contains(t, stdout, verdict)
			require.Equal(t, wantCode, code)
			for _, text := range test.want {
				require.Contains(t, stdout, text)
			}
			code, asJSON, _ := operator(t, test.of.config(ca), nil, append(args, "--json")...)
			require.Equal(t, wantCode, code)
			require.Len(t, findings(t, asJSON), 10)
			for _, output := range []string{stdout, asJSON} {
				require.NotContains(t, output, "private-address", "a claim that decides nothing")
				for _, part := range strings.Split(strings.TrimSpace(test.token), ".") {
					require.True(t, part == "" || !strings.Contains(output, part), "part of the token is shown")
				}
			}
		})
	}
}

func TestDiagnoseTokenCalledWrongly(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 0)
	file := tokenFile(t, i.token(t, i.key, nil))
	for _, test := range []struct {
		files  map[string]string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{i.config(i.ca), []string{"--write-probe", "shop"}, 2, "", "--token-file looks at a token alone"},
		{i.config(i.ca), []string{"--id", "x", "shop"}, 2, "", "--token-file looks at a token alone"},
		{i.config(i.ca), []string{"a--b"}, 1, "", "is not valid"},
		{i.config(i.ca), []string{"--section", "registry"}, 1, "", "--section leaves out"},
		{i.config(i.ca), []string{"--token-file", file + "x"}, 1, "", "no such file"},
		{i.config(i.ca), []string{"--token-file", tokenFile(t, strings.Repeat("x", 70<<10))}, 1, "", "has more than 65536 bytes"},
		{ociConfig("127.0.0.1:5000"), nil, 1, "✗ config ", ""},
		{map[string]string{"development.yaml": strings.Replace(i.config(i.ca)["development.yaml"], "1234", "12*", 2)}, nil, 1, "✗ config ", ""},
		{nil, nil, 1, "auth.oidc: has no issuer", ""}, // the built-in configuration
	} {
		code, stdout, stderr := operator(t, test.files, nil, append([]string{"diagnose", "--token-file", file}, test.args...)...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stdout, test.stdout)
		require.Contains(t, stderr, test.stderr, test.args)
		if test.stdout == "" {
			require.Empty(t, stdout)
		}
	}
}

// Each rule is a sentence, in what stays YAML; what may not be meant is a warning, and no failure.
func TestCheckConfigOIDC(t *testing.T) {
	t.Parallel()
	files := map[string]string{"development.yaml": `
registry: {type: oci-client-auth, registry_url: registry.example.com}
auth:
  oidc:
    - name: github
      issuer: https://token.actions.githubusercontent.com
      audience: https://rise.example.com
      rules:
        - {claims: {repository_owner_id: "1234", ref: refs/heads/main}, projects: [shop], access: push}
        - {claims: {repository_owner_id: "1234", environment: "a: b # c"}, projects: ["{repository}"]}
        - {claims: {repository_owner_id: "1234"}, projects: ["{repository}"], access: push}
    - name: cluster
      issuer: https://kubernetes.default.svc
      exclusive: true
      audience: https://rise.example.com
      rules:
        - {claims: {kubernetes.io/namespace: "*"}, projects: ["{kubernetes.io/namespace}"]}
`}
	code, stdout, stderr := operator(t, files, nil, "check-config")
	require.Zero(t, code, stderr)
	require.True(t, strings.HasSuffix(stdout, `
# github, rules[0]: tokens that say "refs/heads/main" as ref and say "1234" as repository_owner_id may push shop
# github, rules[1]: tokens that say "a: b # c" as environment and say "1234" as repository_owner_id may pull {repository}
# github, rules[2]: tokens that say "1234" as repository_owner_id may push {repository}
# cluster, rules[0]: tokens that have kubernetes.io/namespace may pull {kubernetes.io/namespace}
`), stdout)
	_, again, _ := operator(t, map[string]string{"development.yaml": stdout}, nil, "check-config")
	require.Equal(t, stdout, again, "it is YAML, with the same sentences")
	require.Equal(t, "warning: auth.oidc[0]: github: rules[2] lets every branch push, pull requests from inside the repository among them: it has no ref, environment or job_workflow_ref\n"+
		"warning: auth.oidc[1]: cluster is exclusive: whoever gets a token of this issuer is taken for a caller of this service\n"+
		"ok: the configuration is valid, of type oci-client-auth, with 2 warnings\n", stderr)

	files["development.yaml"] = strings.Replace(files["development.yaml"], `repository_owner_id: "1234"}, projects: ["{repository}"], access: push`, `repository: acme/shop}, projects: [shop]`, 1)
	code, stdout, stderr = operator(t, files, nil, "check-config")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "auth.oidc[0].rules[2].claims: need repository_owner_id or repository_id or enterprise_id, without *")
}
