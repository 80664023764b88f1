package ecrtest_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// tampering changes requests after they were signed.
type tampering struct {
	client *http.Client
	change func(*http.Request)
}

func (c tampering) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.change(r)
	return c.client.Do(r)
}

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	const invalid = "The security token included in the request is invalid."
	for _, test := range []struct {
		name             string
		key              func(ecrtest.AccessKey) ecrtest.AccessKey
		change           func(*http.Request)
		region           string
		stsCode, ecrCode string
		message          string
	}{
		{name: "unchanged"},
		{name: "wrong secret", key: func(k ecrtest.AccessKey) ecrtest.AccessKey { k.Secret += "x"; return k },
			stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException",
			message: "signature we calculated does not match"},
		{name: "unknown key", key: func(k ecrtest.AccessKey) ecrtest.AccessKey { k.ID = "AKIAUNKNOWN"; return k },
			stsCode: "InvalidClientTokenId", ecrCode: "UnrecognizedClientException", message: invalid},
		{name: "session token with a user's key", key: func(k ecrtest.AccessKey) ecrtest.AccessKey {
			k.SessionToken = "x"
			return k
		}, stsCode: "InvalidClientTokenId", ecrCode: "UnrecognizedClientException", message: invalid},
		{name: "tampered body", change: func(r *http.Request) {
			if r.Header.Get("X-Amz-Target") != "" {
				setBody(r, `{"registryIds":["999999999999"]}`)
			} else {
				setBody(r, "Action=GetCallerIdentity&Version=2011-06-15&x=y")
			}
		}, stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException", message: "does not match"},
		{name: "tampered body of the same length", change: func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			setBody(r, strings.Repeat(" ", len(body)))
		}, stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException", message: "does not match"},
		{name: "tampered header", change: func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", "x") },
			stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException", message: "does not match"},
		{name: "header that isn't signed", change: func(r *http.Request) { r.Header.Set("X-Amz-Foo", "x") },
			stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException",
			message: "'x-amz-foo' must be a signed header."},
		{name: "tampered query", change: func(r *http.Request) { r.URL.RawQuery = "a=b" },
			stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException", message: "does not match"},
		{name: "tampered path", change: func(r *http.Request) { r.URL.Path = "/a" },
			stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException", message: "does not match"},
		{name: "another host", change: func(r *http.Request) { r.Host = "example.com" },
			stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException", message: "does not match"},
		{name: "date changed", change: func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(time.Minute).UTC().Format("20060102T150405Z"))
		}, stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException"},
		{name: "date malformed", change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "now") },
			stsCode: "IncompleteSignature", ecrCode: "IncompleteSignatureException", message: "Date must be in ISO-8601"},
		{name: "no signature", change: func(r *http.Request) { r.Header.Del("Authorization") },
			stsCode: "MissingAuthenticationToken", ecrCode: "MissingAuthenticationTokenException",
			message: "Authentication Token"},
		{name: "half a signature", change: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request")
		}, stsCode: "IncompleteSignature", ecrCode: "IncompleteSignatureException", message: "not a complete"},
		{name: "another region", region: "us-east-1", stsCode: "SignatureDoesNotMatch", ecrCode: "InvalidSignatureException",
			message: "Credential should be scoped to a valid region."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{})
			key := newAdmin(srv)
			if test.key != nil {
				key = test.key(key)
			}
			cfg := awsConfig(srv, key, inRegion(cmp.Or(test.region, region)))
			if test.change != nil {
				cfg.HTTPClient = tampering{&http.Client{}, test.change}
			}
			_, stsErr := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
			_, ecrErr := ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), nil)
			if test.stsCode == "" {
				require.NoError(t, stsErr)
				require.NoError(t, ecrErr)
				return
			}
			requireCode(t, stsErr, test.stsCode, test.message)
			requireCode(t, ecrErr, test.ecrCode, test.message)
			for _, call := range srv.Calls() {
				require.Empty(t, call.Principal, "nobody was authenticated")
			}
		})
	}
}

// sign makes a signed request by hand, at a time and for a service of choice.
func sign(ctx context.Context, t *testing.T, srv *ecrtest.Server, key ecrtest.AccessKey, service string,
	at time.Time) *http.Request {
	t.Helper()
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	hash := sha256.Sum256([]byte(body))
	require.NoError(t, v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret,
		SessionToken: key.SessionToken}, r, hex.EncodeToString(hash[:]), service, region, at))
	return r
}

func TestClockSkewAndScope(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	key := newAdmin(srv)
	for _, test := range []struct {
		name    string
		offset  time.Duration
		service string
		want    string
	}{
		{"now", 0, "sts", ""},
		{"four minutes late", -4 * time.Minute, "sts", ""},
		{"four minutes early", 4 * time.Minute, "sts", ""},
		{"six minutes late", -6 * time.Minute, "sts", "Signature expired: "},
		{"six minutes early", 6 * time.Minute, "sts", "Signature not yet current: "},
		{"another service", 0, "ecr", "Credential should be scoped to correct service: &#39;sts&#39;."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resp, err := srv.Client().Do(sign(t.Context(), t, srv, key, test.service, time.Now().Add(test.offset)))
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			if test.want == "" {
				require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
				return
			}
			require.Equal(t, http.StatusForbidden, resp.StatusCode)
			require.Contains(t, string(body), "<Code>SignatureDoesNotMatch</Code>")
			require.Contains(t, string(body), test.want)
		})
	}
}

// A server whose clock is off refuses the first attempt; the SDK then corrects its clock by the Date of the answer.
func TestClockOffset(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{ClockOffset: 10 * time.Minute})
	key := newAdmin(srv)
	_, err := sts.NewFromConfig(awsConfig(srv, key)).GetCallerIdentity(t.Context(), nil)
	requireCode(t, err, "SignatureDoesNotMatch", "Signature expired: ")
	_, err = ecr.NewFromConfig(awsConfig(srv, key)).GetAuthorizationToken(t.Context(), nil)
	requireCode(t, err, "InvalidSignatureException", "Signature expired: ")
	_, err = ecr.NewFromConfig(awsConfig(srv, key, func(cfg *aws.Config) { cfg.RetryMaxAttempts = 2 })).
		GetAuthorizationToken(t.Context(), nil)
	require.NoError(t, err)
}
