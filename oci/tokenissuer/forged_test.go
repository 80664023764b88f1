package tokenissuer_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	saysForged  = "This credential isn't one of this service's, or no longer: ask the service for a new one, and log in with it."
	saysExpired = "This credential has expired: ask the service for a new one, and log in with it."
	saysNobody  = "The password is neither a credential for a project nor a token that this service takes as one."
	saysMissing = "A user name and a password are required: ask the service for a credential for your project, and log in with it."
)

func ringOf(t *testing.T, s signing, service string) *keys.Ring {
	t.Helper()
	r, err := keys.Parse(s.key, s.certificatePEM, service, time.Now())
	require.NoError(t, err)
	return r
}

func b64(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

// grants makes wrong ones of a right one.
type grants struct {
	t       *testing.T
	ring    *keys.Ring
	good    string
	payload string
}

// signed is a grant of other claims, with the right key.
func (g grants) signed(payload string) string {
	g.t.Helper()
	text, err := g.ring.SignGrant([]byte(payload))
	require.NoError(g.t, err)
	return text
}

// with is one of which a claim's text was replaced; an empty value takes the claim away.
func (g grants) with(claim, value string) string {
	g.t.Helper()
	var members []string
	found := false
	decoder := json.NewDecoder(strings.NewReader(g.payload))
	_, err := decoder.Token()
	require.NoError(g.t, err)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(g.t, err)
		var text json.RawMessage
		require.NoError(g.t, decoder.Decode(&text))
		if key == claim {
			found = true
			if text = json.RawMessage(value); value == "" {
				continue
			}
		}
		members = append(members, fmt.Sprintf("%q:%s", key, text))
	}
	if !found {
		members = append(members, fmt.Sprintf("%q:%s", claim, value))
	}
	return g.signed("{" + strings.Join(members, ",") + "}")
}

// headed is the right grant's claims under another header, with a signature by sign.
func (g grants) headed(header map[string]any, sign func(input string) []byte) string {
	g.t.Helper()
	text, err := json.Marshal(header)
	require.NoError(g.t, err)
	input := b64(text) + "." + b64([]byte(g.payload))
	return input + "." + b64(sign(input))
}

func hs256(secret []byte) func(string) []byte {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

// Whatever is wrong with a credential is 401, and none says more than that it has expired, if it was ours.
func TestForgedGrants(t *testing.T) {
	t.Parallel()
	s, other := newSigning(t), newSigning(t)
	c := config()
	c.SharedRepositories = []string{"base"}
	p := newProvider(t, c, s)
	good := grantFor(t, p, provider.Request{Project: "hello", ProjectID: "p-1", Access: provider.Push, Caller: "alice"})
	parts := strings.Split(good, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	ring := ringOf(t, s, host)
	g := grants{t, ring, good, string(payload)}
	require.Equal(t, g.payload, string(payload))
	now := time.Now().Unix()

	header := func(change map[string]any) map[string]any {
		h := map[string]any{"alg": "HS256", "typ": "rise-grant+jwt", "kid": ring.ID()}
		maps.Copy(h, change)
		for key, value := range h {
			if value == nil {
				delete(h, key)
			}
		}
		return h
	}
	block, _ := pem.Decode(s.key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	certificate, _ := pem.Decode(s.certificatePEM)
	parsed, err := x509.ParseCertificate(certificate.Bytes)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(parsed.PublicKey)
	require.NoError(t, err)
	signedBy := func(key any, algorithm jose.SignatureAlgorithm) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType("rise-grant+jwt").WithHeader("kid", ring.ID()))
		require.NoError(t, err)
		signed, err := signer.Sign(payload)
		require.NoError(t, err)
		text, err := signed.CompactSerialize()
		require.NoError(t, err)
		return text
	}
	elsewhere := func(change func(*tokenissuer.Config), s signing) string {
		c := config()
		change(&c)
		return grantFor(t, newProvider(t, c, s), push("hello"))
	}
	flip := func(text string, at int) string {
		b := []byte(text)
		if b[at] == 'A' {
			b[at] = 'B'
		} else {
			b[at] = 'A'
		}
		return string(b)
	}

	tests := map[string]string{
		// Ours by the key, and still not what this configuration would make.
		"issuer of another":            g.with("iss", `"another"`),
		"no issuer":                    g.with("iss", ""),
		"issuer is null":               g.with("iss", "null"),
		"service of another":           g.with("aud", `"another.example.com"`),
		"no service":                   g.with("aud", ""),
		"service is a list":            g.with("aud", `["`+host+`"]`),
		"no id":                        g.with("jti", ""),
		"id is empty":                  g.with("jti", `""`),
		"id is long":                   g.with("jti", `"`+strings.Repeat("x", 65)+`"`),
		"made in the future":           g.with("iat", strconv.FormatInt(now+120, 10)),
		"made never":                   g.with("iat", ""),
		"made before the longest life": g.with("iat", strconv.FormatInt(now-13*3600, 10)),
		"made with a fraction":         g.with("iat", fmt.Sprintf("%d.5", now)),
		"ends never":                   g.with("exp", ""),
		"ends before it was made":      g.with("exp", strconv.FormatInt(now-1, 10)),
		"ends too late":                g.with("exp", strconv.FormatInt(now+13*3600, 10)),
		"ends beyond numbers":          g.with("exp", "9223372036854775807"),
		"ends as a text":               g.with("exp", fmt.Sprintf(`"%d"`, now+60)),
		"ends with a fraction":         g.with("exp", fmt.Sprintf("%d.5", now+60)),
		"project of another":           g.with("project", `"other"`),
		"no project":                   g.with("project", ""),
		"project isn't valid":          g.with("project", `"Hello"`),
		"project climbs":               g.with("project", `"../other"`),
		"project is a pattern":         g.with("project", `"*"`),
		"project id isn't valid":       g.with("project_id", `"*"`),
		"project id is a number":       g.with("project_id", "1"),
		"project id is long":           g.with("project_id", `"`+strings.Repeat("x", 129)+`"`),
		"all projects too":             g.with("all_projects", "true"),
		"repository of another":        g.with("repository", `"rise-apps/other"`),
		"repository elsewhere":         g.with("repository", `"hello"`),
		"repository is all":            g.with("repository", `"rise-apps/*"`),
		"no repository":                g.with("repository", ""),
		"no rights":                    g.with("rights", ""),
		"rights to delete":             g.with("rights", `"delete"`),
		"rights in two":                g.with("rights", `"pull,push"`),
		"rights are a list":            g.with("rights", `["push"]`),
		"rights are a number":          g.with("rights", "2"),
		"no consumer":                  g.with("consumer", ""),
		"consumer unknown":             g.with("consumer", `"everybody"`),
		"caller with a line end":       g.with("sub", `"a\nb"`),
		"caller too long":              g.with("sub", `"`+strings.Repeat("x", 300)+`"`),
		"one more claim":               g.with("x", "1"),
		"the registry's claim":         g.with("access", `[{"type":"repository","name":"rise-apps/other","actions":["push"]}]`),
		"a claim twice":                g.signed(strings.Replace(g.payload, `"project":"hello"`, `"project":"other","project":"hello"`, 1)),
		"a claim in capitals":          g.signed(strings.Replace(g.payload, `"project"`, `"Project"`, 1)),
		"a space":                      g.signed(" " + g.payload),
		"more after it":                g.signed(g.payload + "{}"),
		"nothing in it":                g.signed("{}"),
		"null in it":                   g.signed("null"),
		"a list in it":                 g.signed("[" + g.payload + "]"),
		"no JSON in it":                g.signed("hello"),
		"empty":                        g.signed(""),

		// Not signed with the key for grants.
		"alg none":                      g.headed(header(map[string]any{"alg": "none"}), func(string) []byte { return nil }),
		"alg None":                      g.headed(header(map[string]any{"alg": "None"}), func(string) []byte { return nil }),
		"alg none and a signature":      g.headed(header(map[string]any{"alg": "none"}), hs256([]byte("x"))),
		"alg missing":                   g.headed(header(map[string]any{"alg": nil}), hs256([]byte("x"))),
		"no key":                        g.headed(header(nil), hs256(nil)),
		"the public key":                g.headed(header(nil), hs256(public)),
		"the public key in PEM":         g.headed(header(nil), hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))),
		"the certificate":               g.headed(header(nil), hs256(certificate.Bytes)),
		"the certificate in PEM":        g.headed(header(nil), hs256(s.certificatePEM)),
		"the private key itself":        g.headed(header(nil), hs256(block.Bytes)),
		"the thumbprint":                g.headed(header(nil), hs256([]byte(ring.ID()))),
		"HS512":                         g.headed(header(map[string]any{"alg": "HS512"}), func(in string) []byte { h := sha512.Sum512([]byte(in)); return h[:] }),
		"ES256 of the signing key":      signedBy(private, jose.ES256),
		"no key id":                     g.headed(header(map[string]any{"kid": nil}), hs256([]byte("x"))),
		"another key id":                g.headed(header(map[string]any{"kid": "x"}), hs256([]byte("x"))),
		"a file as key id":              g.headed(header(map[string]any{"kid": "/dev/null"}), hs256(nil)),
		"a key that it brings":          g.headed(header(map[string]any{"jwk": map[string]any{"kty": "oct", "k": "eA"}}), hs256([]byte("x"))),
		"a certificate that it brings":  g.headed(header(map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(certificate.Bytes)}}), hs256([]byte("x"))),
		"an address of keys":            g.headed(header(map[string]any{"jku": "https://evil.example.com"}), hs256([]byte("x"))),
		"critical":                      g.headed(header(map[string]any{"crit": []string{"x"}, "x": 1}), hs256([]byte("x"))),
		"not encoded":                   g.headed(header(map[string]any{"b64": false, "crit": []string{"b64"}}), hs256([]byte("x"))),
		"another's key":                 elsewhere(func(*tokenissuer.Config) {}, other),
		"another service's":             elsewhere(func(c *tokenissuer.Config) { c.TokenService = "another" }, s),
		"another issuer's":              elsewhere(func(c *tokenissuer.Config) { c.TokenIssuer = "another" }, s),
		"another namespace's":           elsewhere(func(c *tokenissuer.Config) { c.Namespace = "apps" }, s),
		"another installation's":        elsewhere(func(c *tokenissuer.Config) { c.Namespace, c.TokenService = "", "x" }, other),
		"another's claims":              parts[0] + "." + b64([]byte(strings.Replace(g.payload, "hello", "other", 2))) + "." + parts[2],
		"header changed":                flip(good, 5),
		"claims changed":                flip(good, len(parts[0])+20),
		"signature changed":             flip(good, len(good)-10),
		"signature cut":                 good[:len(good)-2],
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"signature of another":          parts[0] + "." + parts[1] + "." + strings.Split(grantFor(t, p, push("other")), ".")[2],
		"a fourth part":                 good + ".x",
		"two in one":                    good + "." + good,
		"a space before":                " " + good,
		"a space behind":                good + " ",
		"detached":                      parts[0] + ".." + parts[2],
		"its type in capitals":          g.headed(header(map[string]any{"typ": "RISE-GRANT+JWT"}), hs256([]byte("x"))),
		"its type in full":              g.headed(header(map[string]any{"typ": "application/rise-grant+jwt"}), hs256([]byte("x"))),
		"its own header in other words": b64([]byte(`{ "typ":"rise-grant+jwt" }`)) + "." + parts[1] + "." + parts[2],

		// No grants at all.
		"a registry token":  exchange(t, p.Handler(allGood, nil, silent()), good, "repository:rise-apps/hello:pull").body["token"].(string),
		"two parts":         parts[0] + "." + parts[1],
		"a header alone":    parts[0],
		"JSON":              `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"another type":      g.headed(header(map[string]any{"typ": "JWT"}), hs256([]byte("x"))),
		"no type":           g.headed(header(map[string]any{"typ": nil}), hs256([]byte("x"))),
		"the project":       "hello",
		"the user name":     "rise",
		"the grant's id":    fmt.Sprint(decode(t, payload)["jti"]),
		"half a grant":      good[len(good)/2:],
		"backwards":         backwards(good),
		"padded":            parts[0] + "==." + parts[1] + "." + parts[2],
		"too long":          strings.Repeat("x", 9000),
		"a grant and more":  good + strings.Repeat(" ", 9000),
		"nothing":           "",
		"binary":            "\x00\xff\xfe",
		"many parts":        strings.Repeat(".", 1000),
		"a header and dots": parts[0] + strings.Repeat(".", 1000),
	}
	require.Greater(t, len(tests), 60)
	x := &exchanges{}
	h := p.Handler(allGood, nil, x.option())
	require.Equal(t, http.StatusOK, exchange(t, h, good, "repository:rise-apps/hello:pull,push").status)
	require.Equal(t, http.StatusOK, exchange(t, h, g.signed(g.payload), "repository:rise-apps/hello:pull,push").status, "the way that these are made works")
	for name, password := range tests {
		for _, scopes := range [][]string{nil, {"repository:rise-apps/hello:pull,push"}, {"repository:rise-apps/other:pull"}, {"repository:base:pull"}} {
			r := exchange(t, h, password, scopes...)
			require.Equal(t, http.StatusUnauthorized, r.status, name)
			require.Equal(t, "UNAUTHORIZED", r.code, name)
			require.Equal(t, `Basic realm="registry.example.com"`, r.header.Get("WWW-Authenticate"), name)
			require.True(t, slices.Contains([]string{saysForged, saysNobody, saysMissing}, r.message), "%s: %s", name, r.message)
			require.Empty(t, x.last().Grant, name)
			require.Empty(t, x.last().Granted, name)
		}
	}

	past := strings.NewReplacer(fmt.Sprintf(`"exp":%v`, int64(decode(t, payload)["exp"].(float64))), fmt.Sprintf(`"exp":%d`, now-1),
		fmt.Sprintf(`"iat":%v`, int64(decode(t, payload)["iat"].(float64))), fmt.Sprintf(`"iat":%d`, now-60)).Replace(g.payload)
	r := exchange(t, h, g.signed(past))
	require.Equal(t, []any{http.StatusUnauthorized, saysExpired}, []any{r.status, r.message})
	require.NotEmpty(t, x.last().Grant, "it was ours")
}

func decode(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	var claims map[string]any
	require.NoError(t, json.NewDecoder(bytes.NewReader(payload)).Decode(&claims))
	return claims
}

func backwards(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}
