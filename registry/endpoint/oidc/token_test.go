package oidc_test

import (
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// Each kind of bad token is refused as such, with the reason for the operator, and isn't remembered.
func TestBadTokens(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	// Beside the good keys, some that mustn't be used.
	published := keySet(
		jwk("rsa", keys().rsa.Public()), jwk("ec", keys().ec.Public()), jwk("ed", keys().ed.Public()), jwk("p384", keys().p384.Public()),
		jwk("weak", keys().weak.Public()),
		jwk("oct", []byte("0123456789abcdef0123456789abcdef")),
		jwk("private", keys().ec2),
		jwk("enc", keys().ec2.Public(), func(k *jose.JSONWebKey) { k.Use = "enc" }),
		jwk("ps", keys().other.Public(), func(k *jose.JSONWebKey) { k.Algorithm = "PS256" }),
	)
	s.publish(published)
	other := newServer(t, clock)
	otherConfig := other.config()
	otherConfig.Name = "other"
	a := newAuthenticator(t, clock, s.config(), otherConfig)
	issuers := []oidc.Issuer{s.config(), otherConfig} // for the diagnosis, which asks each time
	for n, set := range []string{published, keySet(jwk("ec", keys().ec.Public()))} {
		issuers[n].CAFile, issuers[n].JWKSFile = "", fileOf(t, set)
	}

	const header = `{"alg":"ES256","kid":"ec"}`
	ec := keys().ec
	good := s.claims(nil)
	der, err := x509.MarshalPKIXPublicKey(keys().rsa.Public())
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	own := text(jwk("ec", keys().ec2.Public()))
	now := clock.now().Unix()
	for _, accepted := range []string{
		signed(header, good, ec), signed(`{"alg":"RS256","kid":"rsa"}`, good, keys().rsa), signed(`{"alg":"EdDSA","kid":"ed"}`, good, keys().ed),
		s.token(map[string]any{"x": "\U0001f600"}), signed(header, strings.Replace(good, `{`, `{"x":"\ud83d\ude00",`, 1), ec),
		signed(`{"alg":"ES256"}`, good, ec), // the only key that fits
		s.token(map[string]any{"aud": []string{audience}}), s.token(map[string]any{"nbf": nil}), s.token(map[string]any{"exp": float64(now) + 300.5}),
		s.token(map[string]any{"exp": now - 59, "iat": now - 100}), s.token(map[string]any{"iat": now + 59, "nbf": now + 59}), s.token(map[string]any{"exp": now + 86400}),
		signed(`{"alg":"ES256","kid":"ec","jku":"https://evil.example.com/","x5u":"https://evil.example.com/"}`, good, ec), // headers that point elsewhere say nothing
	} {
		caller, err := authenticate(t.Context(), a, accepted)
		require.NoError(t, err)
		require.Equal(t, "ci:job-1", caller.Subject())
		require.Empty(t, failedChecks(t, clock, issuers, accepted))
	}
	remembered := a.Remembered()

	parts := strings.Split(signed(header, good, ec), ".")
	flip := func(s string) string { return map[bool]string{true: "B", false: "A"}[s[0] == 'A'] + s[1:] }
	for name, test := range map[string]struct{ token, why string }{
		"empty":                      {"", ""},
		"no JWT":                     {"hello", "isn't a signed JWT"},
		"two parts":                  {parts[0] + "." + parts[1], "isn't a signed JWT"},
		"no signature":               {parts[0] + "." + parts[1] + ".", "isn't a signed JWT"},
		"four parts":                 {strings.Join(parts, ".") + ".e30", "isn't a signed JWT"},
		"JWE":                        {"e30.e30.e30.e30.e30", "isn't a signed JWT"},
		"JSON form":                  {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "isn't a signed JWT"},
		"9 KiB":                      {s.token(map[string]any{"x": strings.Repeat("x", 9<<10)}), ""},
		"padding":                    {parts[0] + "." + parts[1] + "." + parts[2] + "==", "isn't base64url"},
		"standard base64":            {parts[0] + "." + parts[1] + "." + "+/" + parts[2][2:], "isn't base64url"},
		"loose last bits":            {parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-1] + map[bool]string{true: "h", false: "B"}[strings.HasSuffix(parts[2], "g")], ""},
		"header isn't base64":        {"!" + parts[0][1:] + "." + parts[1] + "." + parts[2], "header isn't base64url"},
		"claims aren't base64":       {parts[0] + ".!" + parts[1][1:] + "." + parts[2], "claims aren't base64url"},
		"header isn't JSON":          {signed(`hello`, good, ec), "header isn't"},
		"header is null":             {signed(`null`, good, ec), "header isn't"},
		"header names alg twice":     {signed(`{"alg":"ES256","kid":"ec","alg":"ES256"}`, good, ec), "names something twice"},
		"ALG":                        {signed(`{"ALG":"ES256","kid":"ec"}`, good, ec), "algorithm"},
		"alg none":                   {signed(`{"alg":"none","kid":"ec"}`, good, nil), "isn't a signed JWT"},
		"alg none, signed":           {signed(`{"alg":"none","kid":"ec"}`, good, ec), "algorithm"},
		"alg nOnE":                   {signed(`{"alg":"nOnE"}`, good, ec), "algorithm"},
		"alg is a list":              {signed(`{"alg":["ES256"],"kid":"ec"}`, good, ec), "algorithm"},
		"HS256 with the public key":  {signed(`{"alg":"HS256","kid":"rsa"}`, good, publicPEM), "algorithm"},
		"HS256 with DER":             {signed(`{"alg":"HS256","kid":"rsa"}`, good, der), "algorithm"},
		"HS256 with the oct key":     {signed(`{"alg":"HS256","kid":"oct"}`, good, []byte("0123456789abcdef0123456789abcdef")), "algorithm"},
		"RS256 with an HMAC":         {signed(`{"alg":"RS256","kid":"rsa"}`, good, publicPEM), "doesn't verify"},
		"RS256 of the oct key":       {signed(`{"alg":"RS256","kid":"oct"}`, good, keys().rsa), "isn't one of the issuer's"},
		"ES256K":                     {signed(`{"alg":"ES256K","kid":"ec"}`, good, ec), "algorithm"},
		"ES384 of a P-256 key":       {signed(`{"alg":"ES384","kid":"ec"}`, good, ec), "isn't one of the issuer's"},
		"ES256 of a P-384 key":       {signed(`{"alg":"ES256","kid":"p384"}`, good, keys().p384), "isn't one of the issuer's"},
		"RS256 of an EC key":         {signed(`{"alg":"RS256","kid":"ec"}`, good, keys().rsa), "isn't one of the issuer's"},
		"RS256 of a PS256 key":       {signed(`{"alg":"RS256","kid":"ps"}`, good, keys().other), "isn't one of the issuer's"},
		"512 bits":                   {signed(`{"alg":"RS256","kid":"weak"}`, good, keys().weak), "isn't one of the issuer's"},
		"key for encryption":         {signed(`{"alg":"ES256","kid":"enc"}`, good, keys().ec2), "isn't one of the issuer's"},
		"private key, published":     {signed(`{"alg":"ES256","kid":"private"}`, good, keys().ec2), "isn't one of the issuer's"},
		"another key":                {signed(header, good, keys().ec2), "doesn't verify"},
		"another issuer's":           {signed(header, text(claimsOf(clock, other.URL, map[string]any{"owner": "mallory"})), ec), "no rule matches"},
		"unknown kid":                {signed(`{"alg":"ES256","kid":"new"}`, good, ec), "isn't one of the issuer's"},
		"kid of another's":           {signed(`{"alg":"ES256","kid":"rsa"}`, good, ec), "isn't one of the issuer's"},
		"kid is a path":              {signed(`{"alg":"ES256","kid":"../../../dev/null"}`, good, []byte{}), "isn't one of the issuer's"},
		"kid is SQL":                 {signed(`{"alg":"ES256","kid":"ec' OR '1'='1"}`, good, ec), "isn't one of the issuer's"},
		"kid has a NUL":              {signed(`{"alg":"ES256","kid":"ec\u0000"}`, good, ec), "isn't one of the issuer's"},
		"kid of another case":        {signed(`{"alg":"ES256","kid":"EC"}`, good, ec), "isn't one of the issuer's"},
		"kid is empty":               {signed(`{"alg":"ES256","kid":""}`, good, ec), "kid"},
		"kid is a number":            {signed(`{"alg":"ES256","kid":1}`, good, ec), "kid"},
		"kid is null":                {signed(`{"alg":"ES256","kid":null}`, good, ec), "kid"},
		"no kid, wrong key":          {signed(`{"alg":"ES256"}`, good, keys().ec2), "doesn't verify"},
		"jwk":                        {signed(`{"alg":"ES256","kid":"ec","jwk":`+own+`}`, good, keys().ec2), "doesn't verify"},
		"jwk, unknown kid":           {signed(`{"alg":"ES256","kid":"mine","jwk":`+own+`}`, good, keys().ec2), "isn't one of the issuer's"},
		"jwk without kid":            {signed(`{"alg":"ES256","jwk":`+own+`}`, good, keys().ec2), "doesn't verify"},
		"jku":                        {signed(`{"alg":"ES256","kid":"mine","jku":"`+other.URL+`/keys"}`, good, keys().ec2), "isn't one of the issuer's"},
		"x5u":                        {signed(`{"alg":"ES256","kid":"mine","x5u":"`+other.URL+`/keys"}`, good, keys().ec2), "isn't one of the issuer's"},
		"x5c":                        {signed(`{"alg":"ES256","kid":"ec","x5c":["MIIB"]}`, good, keys().ec2), "doesn't verify"},
		"crit":                       {signed(`{"alg":"ES256","kid":"ec","crit":["exp"],"exp":1}`, good, ec), "extension"},
		"b64":                        {signed(`{"alg":"ES256","kid":"ec","crit":["b64"],"b64":false}`, good, ec), "extension"},
		"b64, not critical":          {signed(`{"alg":"ES256","kid":"ec","b64":false}`, good, ec), ""},
		"another signature":          {parts[0] + "." + parts[1] + "." + flip(parts[2]), "doesn't verify"},
		"other claims":               {parts[0] + "." + segment([]byte(s.claims(map[string]any{"owner": "acme", "admin": true}))) + "." + parts[2], "doesn't verify"},
		"ECDSA of zeros":             {parts[0] + "." + parts[1] + "." + segment(make([]byte, 64)), "doesn't verify"},
		"short signature":            {parts[0] + "." + parts[1] + ".AA", "doesn't verify"},
		"claims aren't JSON":         {signed(header, "hello", ec), "claims aren't"},
		"claims are a list":          {signed(header, "["+good+"]", ec), "claims aren't"},
		"claims are null":            {signed(header, "null", ec), "claims aren't"},
		"claims and more":            {signed(header, good+good, ec), "claims aren't"},
		"claims aren't UTF-8":        {signed(header, strings.Replace(good, "acme", "ac\xffme", 1), ec), "UTF-8"},
		"half of a pair":             {signed(header, strings.Replace(good, "job-1", `job-\ud800`, 1), ec), "surrogate"},
		"half of a pair, inside":     {signed(header, strings.Replace(good, `{`, `{"x":[{"\udc00":1}],`, 1), ec), "surrogate"},
		"what replaces it":           {signed(header, strings.Replace(good, "job-1", "job-\ufffd", 1), ec), "surrogate"},
		"a claim twice":              {signed(header, strings.Replace(good, `{`, `{"owner":"acme",`, 1), ec), "twice"},
		"a claim twice, inside":      {signed(header, strings.Replace(good, `{`, `{"x":{"a":1,"a":1},`, 1), ec), "twice"},
		"a claim twice, escaped":     {signed(header, strings.Replace(good, `{`, `{"\u006fwner":"acme",`, 1), ec), "twice"},
		"deep":                       {signed(header, strings.Repeat(`{"a":`, 900)+"1"+strings.Repeat("}", 900), ec), "names no issuer"},
		"no iss":                     {s.token(map[string]any{"iss": nil}), "names no issuer"},
		"iss is a list":              {s.token(map[string]any{"iss": []string{s.URL}}), "names no issuer"},
		"ISS":                        {s.token(map[string]any{"iss": nil, "ISS": s.URL}), "names no issuer"},
		"unknown iss":                {s.token(map[string]any{"iss": "https://evil.example.com"}), "isn't configured"},
		"iss with a slash":           {s.token(map[string]any{"iss": s.URL + "/"}), "isn't configured"},
		"a second iss, folded":       {signed(header, strings.TrimSuffix(good, "}")+`,"ISS":"https://evil.example.com"}`, ec), "doesn't verify"},
		"no aud":                     {s.token(map[string]any{"aud": nil}), "no audience"},
		"another aud":                {s.token(map[string]any{"aud": "https://rise.example.com.evil"}), "audience"},
		"aud of another case":        {s.token(map[string]any{"aud": "https://RISE.example.com"}), "audience"},
		"aud with a slash":           {s.token(map[string]any{"aud": audience + "/"}), "audience"},
		"several audiences":          {s.token(map[string]any{"aud": []string{audience, "https://vault.example.com"}}), "several audiences"},
		"the audience twice":         {s.token(map[string]any{"aud": []string{audience, audience}}), "several audiences"},
		"an empty list of audiences": {s.token(map[string]any{"aud": []string{}}), "several audiences, or none"},
		"aud is a number":            {s.token(map[string]any{"aud": 1}), "no audience"},
		"aud inside a list":          {s.token(map[string]any{"aud": [][]string{{audience}}}), "audience"},
		"no sub":                     {s.token(map[string]any{"sub": nil}), "no sub"},
		"empty sub":                  {s.token(map[string]any{"sub": ""}), "no sub"},
		"sub is a number":            {s.token(map[string]any{"sub": 1}), "no sub"},
		"no exp":                     {s.token(map[string]any{"exp": nil}), "no exp"},
		"exp is a string":            {s.token(map[string]any{"exp": strconv.FormatInt(now+300, 10)}), "no exp"},
		"exp is 1e300":               {signed(header, strings.Replace(good, strconv.FormatInt(now+300, 10), "1e300", 1), ec), "no exp"},
		"exp is negative":            {s.token(map[string]any{"exp": -1}), "no exp"},
		"expired":                    {s.token(map[string]any{"exp": now - 61, "iat": now - 100}), "expired"},
		"no iat":                     {s.token(map[string]any{"iat": nil}), "no iat"},
		"iat in the future":          {s.token(map[string]any{"iat": now + 61}), "future"},
		"iat is true":                {s.token(map[string]any{"iat": true}), "no iat"},
		"nbf in the future":          {s.token(map[string]any{"nbf": now + 61}), "isn't valid yet"},
		"nbf is a string":            {s.token(map[string]any{"nbf": "now"}), "nbf isn't a time"},
		"nbf is null":                {signed(header, strings.Replace(good, fmt.Sprintf(`"nbf":%d`, now), `"nbf":null`, 1), ec), "nbf isn't a time"},
		"lives too long":             {s.token(map[string]any{"exp": now + 86401}), "longer than 24 hours"},
		"lived too long":             {s.token(map[string]any{"iat": now - 86400}), "longer than 24 hours"},
		"ends before it begins":      {s.token(map[string]any{"iat": now + 50, "exp": now - 10}), "ends before"},
		"distributed claims":         {s.token(map[string]any{"_claim_names": map[string]string{"owner": "x"}}), "doesn't verify"},
		"no rule":                    {s.token(map[string]any{"owner": "mallory"}), "rules[0] came closest, but for owner"},
		"no claim of the rule":       {s.token(map[string]any{"owner": nil}), "rules[0] came closest, but for owner"},
	} {
		requireDiagnosed(t, clock, issuers, test.token, test.why, name)
		for range 2 { // whatever the first left behind
			_, err := authenticate(t.Context(), a, test.token)
			require.ErrorIs(t, err, endpoint.ErrUnauthenticated, name)
			require.ErrorContains(t, err, test.why, name)
			var why *oidc.RefusedError
			if test.why != "" {
				require.ErrorAs(t, err, &why, name)
				require.Equal(t, checkOf(test.why), why.Check, "%s: %v", name, err)
			}
			require.NotContains(t, err.Error(), "mallory", name)
			require.NotContains(t, err.Error(), "evil", name)
		}
	}
	require.Equal(t, remembered, a.Remembered())
	require.EqualValues(t, 1, s.looked.Load(), "keys are fetched once in a minute")
	require.EqualValues(t, 1, other.looked.Load())
}

// Signatures by each algorithm, made by go-jose, are verified and each that is somebody else's, another algorithm's or not whole is refused, whether or not go-oidc is
// asked: it isn't about a token in whose header there is nothing but the common names.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	own := map[string]crypto.Signer{"rsa": keys().rsa, "ec": keys().ec, "p384": keys().p384, "p521": p521, "ed": keys().ed}
	var published []jose.JSONWebKey
	for kid, key := range own {
		published = append(published, jwk(kid, key.Public()))
	}
	s.publish(keySet(published...))
	a := newAuthenticator(t, clock, s.config())
	algorithms := map[string][]jose.SignatureAlgorithm{
		"rsa": {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}, "ec": {jose.ES256}, "p384": {jose.ES384}, "p521": {jose.ES512}, "ed": {jose.EdDSA},
	}
	for kid, all := range algorithms {
		for _, alg := range all {
			for _, plain := range []bool{true, false} {
				options := (&jose.SignerOptions{}).WithType("JWT")
				if !plain {
					options = options.WithHeader("jku", "https://evil.example.com/")
				}
				sign := func(key any) []string {
					signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
					require.NoError(t, err)
					made, err := signer.Sign([]byte(s.claims(nil)))
					require.NoError(t, err)
					token, err := made.CompactSerialize()
					require.NoError(t, err)
					return strings.Split(token, ".")
				}
				parts := sign(own[kid])
				token := strings.Join(parts, ".")
				require.Equal(t, plain, oidc.Plain(token))
				_, err := authenticate(t.Context(), a, token)
				require.NoError(t, err, "%s, plain %t", alg, plain)
				require.NoError(t, othersSay(clock, s.URL, token, own[kid].Public()))

				signature, err := base64.RawURLEncoding.DecodeString(parts[2])
				require.NoError(t, err)
				bad := [][]byte{signature[1:], signature[:len(signature)-1], append([]byte{0}, signature...), append(signature[:len(signature):len(signature)], 0), make([]byte, len(signature)), {}}
				for at := range signature {
					if at%7 == 0 {
						flipped := slices.Clone(signature)
						flipped[at] ^= 0x10
						bad = append(bad, flipped)
					}
				}
				for _, one := range bad {
					_, err := authenticate(t.Context(), a, parts[0]+"."+parts[1]+"."+segment(one))
					require.Equal(t, http.StatusUnauthorized, status(err), "%s, plain %t: %x", alg, plain, one)
				}
				for _, other := range all { // the same signature under another algorithm of the key
					if other != alg {
						header := fmt.Sprintf(`{"alg":%q,"kid":%q}`, other, kid)
						_, err := authenticate(t.Context(), a, segment([]byte(header))+"."+parts[1]+"."+parts[2])
						require.ErrorContains(t, err, "doesn't verify")
					}
				}
				if stranger, ok := map[string]any{"rsa": keys().other, "ec": keys().ec2}[kid]; ok {
					_, err := authenticate(t.Context(), a, strings.Join(sign(stranger), "."))
					require.ErrorContains(t, err, "doesn't verify")
				}
			}
		}
	}
	require.Equal(t, 20, a.Remembered())
}

// The tokens of the issuers that the documentation names are verified in the short way, and what a decoder could take for a claim that we read isn't.
func TestPlain(t *testing.T) {
	t.Parallel()
	clock := newClock()
	for issuer, claims := range realClaims() {
		all := claimsOf(clock, issuer, nil)
		maps.Copy(all, claims)
		require.True(t, oidc.Plain(signed(`{"alg":"ES256","kid":"ec","typ":"JWT","x5t":"example-thumbprint"}`, text(all), keys().ec)), issuer)
	}
	for _, header := range []string{
		`{"alg":"ES256","jwk":{}}`, `{"alg":"ES256","x5c":[]}`, `{"alg":"ES256","b64":false}`, `{"alg":"ES256","typ":1}`, `{"alg":"ES256","x5t":null}`, `{"alg":"ES256","nonce":"x"}`, `{"alg":"ES256","Kid":"x"}`,
	} {
		require.False(t, oidc.Plain(signed(header, text(claimsOf(clock, github, nil)), keys().ec)), header)
	}
	for _, name := range []string{"ISS", "Iss", "i\u017fs", "Exp", "_claim_names", "_claim_sources", "\u212aid", "é"} {
		require.False(t, oidc.Plain(signed(`{"alg":"ES256"}`, text(claimsOf(clock, github, map[string]any{name: "x"})), keys().ec)), name)
	}
	for _, name := range []string{"nonce", "at_hash"} {
		require.False(t, oidc.Plain(signed(`{"alg":"ES256"}`, text(claimsOf(clock, github, map[string]any{name: 1})), keys().ec)), name)
		require.True(t, oidc.Plain(signed(`{"alg":"ES256"}`, text(claimsOf(clock, github, map[string]any{name: "x"})), keys().ec)), name)
	}
}

// checkOf is the check that says so.
func checkOf(why string) oidc.Check {
	for check, parts := range map[oidc.Check][]string{
		oidc.CheckIssuer: {"isn't configured"}, oidc.CheckAudience: {"audience"}, oidc.CheckKey: {"isn't one of the issuer's"}, oidc.CheckSignature: {"doesn't verify"},
		oidc.CheckTimes: {"exp", "iat", "nbf", "future", "valid yet", "24 hours", "before"}, oidc.CheckRule: {"no rule", "closest"},
	} {
		for _, part := range parts {
			if strings.Contains(why, part) && why != "extension" {
				return check
			}
		}
	}
	return oidc.CheckForm
}

// Each kind of bad issuer is 503 for its own callers alone, and only for as long as it is bad.
func TestBadIssuers(t *testing.T) {
	t.Parallel()
	document := func(s *server, changes map[string]any) string {
		all := map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys"}
		for k, v := range changes {
			all[k] = v
		}
		return text(all)
	}
	answer := func(code int, header, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(code)
		}
	}
	flood := func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 100 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	drop := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	many := make([]jose.JSONWebKey, 65)
	for i := range many {
		many[i] = jwk(strconv.Itoa(i), keys().ec.Public())
	}
	for name, test := range map[string]struct {
		bad func(*server)
		why string
	}{
		"discovery: 404":                  {func(s *server) { s.on(&s.discovery, answer(404, "X", "")) }, "status 404"},
		"discovery: 403 for strangers":    {func(s *server) { s.on(&s.discovery, answer(403, "X", "")) }, "status 403"},
		"discovery: 500":                  {func(s *server) { s.on(&s.discovery, answer(500, "X", "")) }, "status 500"},
		"discovery: 204":                  {func(s *server) { s.on(&s.discovery, answer(204, "X", "")) }, "status 204"},
		"discovery: redirect":             {func(s *server) { s.on(&s.discovery, answer(302, "Location", s.URL+"/keys")) }, "status 302"},
		"discovery: drops the connection": {func(s *server) { s.on(&s.discovery, drop) }, "EOF"},
		"discovery: nonsense":             {func(s *server) { s.discover("<html>hello</html>") }, "isn't a discovery document"},
		"discovery: empty":                {func(s *server) { s.discover("") }, "isn't a discovery document"},
		"discovery: null":                 {func(s *server) { s.discover("null") }, "another issuer's"},
		"discovery: 100 MB":               {func(s *server) { s.on(&s.discovery, flood) }, "more than 65536 bytes"},
		"discovery: 100 MB of headers":    {func(s *server) { s.on(&s.discovery, answer(200, "X", strings.Repeat("x", 1<<20))) }, "header"},
		"discovery: another issuer's":     {func(s *server) { s.discover(document(s, map[string]any{"issuer": "https://evil.example.com"})) }, "another issuer's"},
		"discovery: issuer with a slash":  {func(s *server) { s.discover(document(s, map[string]any{"issuer": s.URL + "/"})) }, "another issuer's"},
		"discovery: issuer twice":         {func(s *server) { s.discover(`{"issuer":"x","issuer":"` + s.URL + `","jwks_uri":"` + s.URL + `/keys"}`) }, "isn't a discovery document"},
		"discovery: ISSUER":               {func(s *server) { s.discover(`{"ISSUER":"` + s.URL + `","jwks_uri":"` + s.URL + `/keys"}`) }, "another issuer's"},
		"discovery: no jwks_uri":          {func(s *server) { s.discover(document(s, map[string]any{"jwks_uri": ""})) }, "jwks_uri isn't a URL"},
		"discovery: jwks_uri is a list":   {func(s *server) { s.discover(document(s, map[string]any{"jwks_uri": []string{"x"}})) }, "isn't a discovery document"},
		"discovery: jwks_uri without TLS": {func(s *server) {
			s.discover(document(s, map[string]any{"jwks_uri": strings.Replace(s.URL, "https", "http", 1) + "/keys"}))
		}, "isn't https"},
		"discovery: jwks_uri is a file": {func(s *server) { s.discover(document(s, map[string]any{"jwks_uri": "file:///etc/passwd"})) }, "isn't a URL"},
		"discovery: jwks_uri with a user": {func(s *server) {
			s.discover(document(s, map[string]any{"jwks_uri": strings.Replace(s.URL, "://", "://u:p@", 1) + "/keys"}))
		}, "isn't a URL"},
		"discovery: jwks_uri on loopback": {func(s *server) {
			s.discover(document(s, map[string]any{"jwks_uri": strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/keys"}))
		}, "public"},
		"discovery: jwks_uri on ::1": {func(s *server) { s.discover(document(s, map[string]any{"jwks_uri": "https://[::1]/keys"})) }, "public"},
		"discovery: jwks_uri mapped to IPv6": {func(s *server) {
			s.discover(document(s, map[string]any{"jwks_uri": "https://[::ffff:127.0.0.1]/keys"}))
		}, "public"},
		"discovery: jwks_uri is metadata": {func(s *server) { s.discover(document(s, map[string]any{"jwks_uri": "https://169.254.169.254/latest"})) }, "public"},
		"discovery: jwks_uri is decimal":  {func(s *server) { s.discover(document(s, map[string]any{"jwks_uri": "https://2130706433/"})) }, ""},
		"discovery: jwks_uri is private": {func(s *server) {
			s.discover(document(s, map[string]any{"jwks_uri": "https://10.0.0.1:6443/openid/v1/jwks"}))
		}, "public"},
		"keys: 404":                  {func(s *server) { s.on(&s.jwks, answer(404, "X", "")) }, "keys: the answer has status 404"},
		"keys: 500":                  {func(s *server) { s.on(&s.jwks, answer(500, "X", "")) }, "status 500"},
		"keys: redirect":             {func(s *server) { s.on(&s.jwks, answer(307, "Location", s.URL+"/keys")) }, "status 307"},
		"keys: drops the connection": {func(s *server) { s.on(&s.jwks, drop) }, "EOF"},
		"keys: nonsense":             {func(s *server) { s.publish("hello") }, "isn't a key set"},
		"keys: empty object":         {func(s *server) { s.publish("{}") }, "isn't a key set"},
		"keys: null":                 {func(s *server) { s.publish(`{"keys":null}`) }, "isn't a key set"},
		"keys: KEYS":                 {func(s *server) { s.publish(strings.Replace(keySet(jwk("ec", keys().ec.Public())), "keys", "KEYS", 1)) }, "isn't a key set"},
		"keys: twice":                {func(s *server) { s.publish(`{"keys":[],"keys":[]}`) }, "isn't a key set"},
		"keys: none":                 {func(s *server) { s.publish(`{"keys":[]}`) }, "has no key"},
		"keys: of 512 bits":          {func(s *server) { s.publish(keySet(jwk("ec", keys().weak.Public()))) }, "has no key"},
		"keys: RSA with e of 1":      {func(s *server) { s.publish(keySet(jwk("ec", &rsa.PublicKey{N: keys().rsa.N, E: 1}))) }, "has no key"},
		"keys: RSA with e of 4":      {func(s *server) { s.publish(keySet(jwk("ec", &rsa.PublicKey{N: keys().rsa.N, E: 4}))) }, "has no key"},
		"keys: RSA of 8193 bits": {func(s *server) {
			s.publish(keySet(jwk("ec", &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537})))
		}, "has no key"},
		"keys: EC, not on the curve": {func(s *server) {
			s.publish(strings.Replace(keySet(jwk("ec", keys().ec.Public())), `"x":"`, `"x":"A`, 1))
		}, "has no key"},
		"keys: for encryption": {func(s *server) {
			s.publish(keySet(jwk("ec", keys().ec.Public(), func(k *jose.JSONWebKey) { k.Use = "enc" })))
		}, "has no key"},
		"keys: compressed":      {func(s *server) { s.on(&s.jwks, compressed(keySet(jwk("ec", keys().ec.Public())))) }, "isn't a key set"},
		"discovery: compressed": {func(s *server) { s.on(&s.discovery, compressed(document(s, nil))) }, "isn't a discovery document"},
		"keys: symmetric":       {func(s *server) { s.publish(keySet(jwk("ec", []byte("0123456789abcdef")))) }, "has no key"},
		"keys: private":         {func(s *server) { s.publish(keySet(jwk("ec", keys().ec))) }, "has no key"},
		"keys: garbage":         {func(s *server) { s.publish(`{"keys":[1,null,{},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`) }, "has no key"},
		"keys: 65":              {func(s *server) { s.publish(keySet(many...)) }, "more than 64 keys"},
		"keys: 100 MB":          {func(s *server) { s.on(&s.jwks, flood) }, "more than 262144 bytes"},
		"down":                  {func(s *server) { _ = s.Listener.Close() }, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			s, healthy := newServer(t, clock), newServer(t, clock)
			healthyConfig := healthy.config()
			healthyConfig.Name = "healthy"
			a, warm := newAuthenticator(t, clock, s.config(), healthyConfig), newAuthenticator(t, clock, s.config(), healthyConfig)
			_, err := authenticate(t.Context(), warm, s.token(nil))
			require.NoError(t, err)
			clock.advance(time.Minute)
			test.bad(s)
			_, err = authenticate(t.Context(), a, s.token(nil))
			require.Equal(t, http.StatusServiceUnavailable, status(err), "%v", err)
			require.ErrorIs(t, err, provider.ErrUnavailable)
			require.ErrorContains(t, err, test.why)
			require.NotContains(t, err.Error(), "evil")
			asked := s.discovered.Load() + s.looked.Load()
			_, err = authenticate(t.Context(), a, s.token(nil)) // asks nobody, a moment later
			require.Equal(t, http.StatusServiceUnavailable, status(err))
			require.Equal(t, asked, s.discovered.Load()+s.looked.Load())
			_, err = authenticate(t.Context(), a, healthy.token(nil))
			require.NoError(t, err)
			require.Equal(t, 1, a.Remembered())

			// Who has keys keeps them, unless the issuer itself has taken them back.
			_, err = authenticate(t.Context(), warm, signed(`{"alg":"ES256","kid":"new"}`, s.claims(nil), keys().ec2))
			require.Equal(t, http.StatusServiceUnavailable, status(err), "%v", err)
			require.ErrorContains(t, err, test.why)
			_, err = authenticate(t.Context(), warm, s.token(map[string]any{"jti": "2"}))
			require.Equal(t, map[bool]int{true: http.StatusServiceUnavailable, false: http.StatusOK}[test.why == "has no key"], status(err), "%v", err)
			_, err = authenticate(t.Context(), warm, healthy.token(nil))
			require.NoError(t, err)
			if name == "down" {
				return
			}
			s.good()
			clock.advance(5 * time.Second)
			for _, again := range []*oidc.Authenticator{a, warm} {
				_, err = authenticate(t.Context(), again, s.token(nil))
				require.NoError(t, err)
			}
		})
	}
}

// compressed answers as no one asked.
func compressed(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
	}
}

// An issuer that hangs holds nobody for longer than he waits, and is given up after a while.
func TestSlowIssuer(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	asked, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done) })
	s.on(&s.jwks, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	healthy := newServer(t, clock)
	healthyConfig := healthy.config()
	healthyConfig.Name = "healthy"
	a := newAuthenticator(t, clock, s.config(), healthyConfig)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		<-asked
		if _, err := authenticate(t.Context(), a, healthy.token(nil)); err != nil { // while the other's caller waits
			t.Error(err)
		}
	}()
	_, err := authenticate(ctx, a, s.token(nil))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, http.StatusServiceUnavailable, status(err))

	b := newAuthenticator(t, clock, s.config())
	b.SetPatience(time.Millisecond)
	go func() {
		for range asked {
		}
	}()
	_, err = authenticate(t.Context(), b, s.token(nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, http.StatusServiceUnavailable, status(err))
}
