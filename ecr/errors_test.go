package ecr_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const sts, token = "sts:AssumeRole", "ecr:GetAuthorizationToken"

// inMemory reaches the server without sockets. A plain *http.Client would break AWS_CA_BUNDLE, where that is set.
func inMemory(server *ecrtest.Server) ecr.Option {
	return ecr.WithLoadOptions(config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext, t.DialTLSContext, t.Proxy = server.DialContext, server.DialContext, nil
	})))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	replace := func(from, to string) func([]byte) []byte {
		return func(body []byte) []byte {
			if !strings.Contains(string(body), from) {
				panic("the answer holds no " + from)
			}
			return []byte(strings.ReplaceAll(string(body), from, to))
		}
	}
	cut := func(from, until string) func([]byte) []byte { // what is between, and both
		return func(body []byte) []byte {
			before, rest, ok := strings.Cut(string(body), from)
			_, after, ok2 := strings.Cut(rest, until)
			if !ok || !ok2 {
				panic("the answer holds no " + from)
			}
			return []byte(before + after)
		}
	}
	for name, test := range map[string]struct {
		fault ecrtest.Fault
		kind  provider.Kind
		op    string
		text  string // in the error, hint included
	}{
		"not trusted": {ecrtest.Fault{Action: sts, Error: "AccessDenied"}, provider.ErrAccessDenied, "assume push role", "its trust policy"},
		"expired":     {ecrtest.Fault{Action: sts, Error: "ExpiredToken"}, provider.ErrAccessDenied, "assume push role", "have expired"},
		"unknown key": {ecrtest.Fault{Action: sts, Error: "InvalidClientTokenId"}, provider.ErrAccessDenied, "assume push role", "doesn't know"},
		"wrong key":   {ecrtest.Fault{Action: sts, Error: "SignatureDoesNotMatch"}, provider.ErrAccessDenied, "assume push role", "clock is off"},
		"chained": {
			ecrtest.Fault{Action: sts, Error: "ValidationError", Message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."},
			provider.ErrMisconfigured, "assume push role", "set session_duration to 1h or less",
		},
		"too long": {
			ecrtest.Fault{Action: sts, Error: "ValidationError", Message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
			provider.ErrMisconfigured, "assume push role", "longer than the role's MaxSessionDuration",
		},
		"policy too large":     {ecrtest.Fault{Action: sts, Error: "PackedPolicyTooLarge"}, provider.ErrMisconfigured, "assume push role", "repo_prefix"},
		"region off":           {ecrtest.Fault{Action: sts, Error: "RegionDisabledException", Status: 403}, provider.ErrMisconfigured, "assume push role", "isn't activated"},
		"no token":             {ecrtest.Fault{Action: token, Error: "AccessDeniedException"}, provider.ErrAccessDenied, "get authorization token", "ecr:GetAuthorizationToken on *"},
		"session unknown":      {ecrtest.Fault{Action: token, Error: "UnrecognizedClientException"}, provider.ErrAccessDenied, "get authorization token", "doesn't know"},
		"sts throttles":        {ecrtest.Fault{Action: sts, Error: "Throttling"}, provider.ErrThrottled, "assume push role", "limits the rate"},
		"ecr throttles":        {ecrtest.Fault{Action: token, Error: "ThrottlingException"}, provider.ErrThrottled, "get authorization token", "limits the rate"},
		"plain 429":            {ecrtest.Fault{Action: token, Status: 429}, provider.ErrThrottled, "get authorization token", "limits the rate"},
		"sts fails":            {ecrtest.Fault{Action: sts, Status: 503}, provider.ErrUnavailable, "assume push role", "503"},
		"ecr fails":            {ecrtest.Fault{Action: token, Error: "ServerException", Status: 500}, provider.ErrUnavailable, "get authorization token", "ServerException"},
		"sts resets":           {ecrtest.Fault{Action: sts, Reset: true}, provider.ErrUnavailable, "assume push role", ""},
		"ecr resets":           {ecrtest.Fault{Action: token, Reset: true}, provider.ErrUnavailable, "get authorization token", ""},
		"sts malformed":        {ecrtest.Fault{Action: sts, Malformed: true}, provider.ErrBadResponse, "assume push role", "malformed"},
		"ecr malformed":        {ecrtest.Fault{Action: token, Malformed: true}, provider.ErrBadResponse, "get authorization token", "malformed"},
		"sts truncated":        {ecrtest.Fault{Action: sts, Truncate: true}, provider.ErrBadResponse, "assume push role", "malformed or incomplete"},
		"ecr truncated":        {ecrtest.Fault{Action: token, Truncate: true}, provider.ErrBadResponse, "get authorization token", "malformed or incomplete"},
		"ecr oversized":        {ecrtest.Fault{Action: token, Oversize: true}, provider.ErrBadResponse, "get authorization token", "malformed"},
		"no credentials":       {ecrtest.Fault{Action: sts, Mutate: cut("<Credentials>", "</Credentials>")}, provider.ErrBadResponse, "assume push role", "holds no credentials"},
		"no key id":            {ecrtest.Fault{Action: sts, Mutate: cut("<AccessKeyId>", "</AccessKeyId>")}, provider.ErrBadResponse, "assume push role", "lack the access key id"},
		"no session token":     {ecrtest.Fault{Action: sts, Mutate: cut("<SessionToken>", "</SessionToken>")}, provider.ErrBadResponse, "assume push role", "or the session token"},
		"no session expiry":    {ecrtest.Fault{Action: sts, Mutate: cut("<Expiration>", "</Expiration>")}, provider.ErrBadResponse, "assume push role", "lack the expiration"},
		"expired session":      {ecrtest.Fault{Action: sts, Mutate: expiration("1999-12-31T00:00:00Z")}, provider.ErrBadResponse, "assume push role", "expired at 1999-12-31T00:00:00Z"},
		"no data":              {ecrtest.Fault{Action: token, Mutate: func([]byte) []byte { return []byte(`{"authorizationData":[]}`) }}, provider.ErrBadResponse, "get authorization token", "no authorization data"},
		"empty answer":         {ecrtest.Fault{Action: token, Mutate: func([]byte) []byte { return []byte(`{}`) }}, provider.ErrBadResponse, "get authorization token", "no authorization data"},
		"no base64":            {ecrtest.Fault{Action: token, Mutate: answerToken("%%%", 1)}, provider.ErrBadResponse, "get authorization token", "isn't base64"},
		"empty token":          {ecrtest.Fault{Action: token, Mutate: answerToken("", 1)}, provider.ErrBadResponse, "get authorization token", "isn't of the form"},
		"no password":          {ecrtest.Fault{Action: token, Mutate: answerToken("QVdTOg==", 1)}, provider.ErrBadResponse, "get authorization token", "isn't of the form"},      // AWS:
		"another user":         {ecrtest.Fault{Action: token, Mutate: answerToken("cm9vdDp4", 1)}, provider.ErrBadResponse, "get authorization token", "isn't of the form"},      // root:x
		"line in the password": {ecrtest.Fault{Action: token, Mutate: answerToken("QVdTOmEKYg==", 1)}, provider.ErrBadResponse, "get authorization token", "isn't of the form"},  // AWS:a\nb
		"expired token":        {ecrtest.Fault{Action: token, Mutate: answerToken("QVdTOng=", -1)}, provider.ErrBadResponse, "get authorization token", "its token expired at "}, // AWS:x
		"no token expiry":      {ecrtest.Fault{Action: token, Mutate: replace(`"expiresAt"`, `"x"`)}, provider.ErrBadResponse, "get authorization token", "its token lacks the expiry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the SDK waits between its attempts
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				aws.Inject(test.fault)
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
				require.NoError(t, err)
				c, err := p.Credentials(t.Context(), push)
				require.Zero(t, c, "no part of a credential")
				require.ErrorIs(t, err, test.kind, "%v", err)
				require.ErrorContains(t, err, test.text)
				var failure *provider.Error
				require.ErrorAs(t, err, &failure)
				require.Equal(t, test.op, failure.Op)
				require.Equal(t, "hello", failure.Project)
				require.NotContains(t, err.Error(), "\n")
			})
		})
	}
}

func expiration(to string) func([]byte) []byte {
	return func(body []byte) []byte {
		before, rest, _ := strings.Cut(string(body), "<Expiration>")
		_, after, ok := strings.Cut(rest, "</Expiration>")
		if !ok {
			panic("the answer holds no expiration")
		}
		return []byte(before + "<Expiration>" + to + "</Expiration>" + after)
	}
}

func answerToken(text string, hours int) func([]byte) []byte {
	return func([]byte) []byte {
		return fmt.Appendf(nil, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, text, time.Now().Add(time.Duration(hours)*time.Hour).Unix())
	}
}

func TestErrorDetails(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.Inject(ecrtest.Fault{Action: token, Error: "AccessDeniedException", Message: "User: x is not authorized"})
	_, err := aws.provider(t).Credentials(t.Context(), push)
	require.EqualError(t, err, "get authorization token for project hello: access denied: AccessDeniedException: User: x is not authorized "+
		"(hint: check that the role's own policy allows ecr:GetAuthorizationToken on *)")
	var failure *provider.Error
	require.ErrorAs(t, err, &failure)
	calls := aws.Calls()
	require.Equal(t, []slog.Attr{
		slog.String("session_name", "rise-push-hello"), slog.String("session_access_key_id", calls[1].AccessKeyID),
		slog.String("sts_request_id", calls[0].RequestID), slog.String("request_id", calls[1].RequestID),
	}, failure.Details, "what CloudTrail has of it")
	var api smithy.APIError
	require.ErrorAs(t, err, &api, "callers may look at the SDK's error")
	require.Equal(t, "AccessDeniedException", api.ErrorCode())
}

// An endpoint that answers a secret where the access key id should be.
func TestDetailsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, element := range []string{"SecretAccessKey", "SessionToken"} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		var secret string
		aws.Inject(ecrtest.Fault{Action: sts, Mutate: func(body []byte) []byte {
			_, rest, _ := strings.Cut(string(body), "<"+element+">")
			secret, _, _ = strings.Cut(rest, "<")
			before, rest, _ := strings.Cut(string(body), "<AccessKeyId>")
			_, after, _ := strings.Cut(rest, "<")
			return []byte(before + "<AccessKeyId>" + secret + "<" + after)
		}})
		_, err := aws.provider(t).Credentials(t.Context(), push)
		var failure *provider.Error
		require.ErrorAs(t, err, &failure, "nobody has that key")
		require.NotEmpty(t, secret)
		require.Contains(t, failure.Details, slog.String("session_access_key_id", provider.Redacted))
		require.NotContains(t, fmt.Sprint(failure.Details, err), secret)
	}
}

// AWS's first line says what is wrong; what follows may be the canonical request, with its headers.
func TestErrorsKeepTheFirstLine(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.Inject(ecrtest.Fault{Action: sts, Error: "SignatureDoesNotMatch", Message: "The signature does not match.\n\nPOST\n/\nx-amz-security-token:abc"})
	_, err := aws.provider(t).Credentials(t.Context(), push)
	require.ErrorContains(t, err, "SignatureDoesNotMatch: The signature does not match. (hint:")
	require.NotContains(t, err.Error(), "x-amz-security-token")
}

// An endpoint that puts secrets into error messages, as AWS does with the canonical string of SignatureDoesNotMatch.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, action := range []string{sts, token} {
		for _, form := range []string{"%s", "first line\n%s", "%s%[1]s"} {
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			secrets := []string{aws.deployment.ControllerUser.Secret}
			var session string
			remove := aws.Inject(ecrtest.Fault{Action: sts, Mutate: func(body []byte) []byte { session = string(body); return body }})
			p := aws.provider(t)
			if action == token { // a first round, to learn a session's secrets is of no use: each call has its own
				aws.Inject(ecrtest.Fault{Action: token, If: func(ecrtest.Call) bool { return true }, Error: "SignatureDoesNotMatch", Message: fmt.Sprintf(form, strings.Repeat("A1+/", 30))})
				secrets = append(secrets, strings.Repeat("A1+/", 30))
			} else {
				remove()
				aws.Inject(ecrtest.Fault{Action: sts, Error: "SignatureDoesNotMatch", Message: fmt.Sprintf(form, secrets[0])})
			}
			_, err := p.Credentials(t.Context(), push)
			require.ErrorIs(t, err, provider.ErrAccessDenied)
			for _, name := range []string{"SecretAccessKey", "SessionToken"} {
				if _, rest, ok := strings.Cut(session, "<"+name+">"); ok {
					secret, _, _ := strings.Cut(rest, "<")
					secrets = append(secrets, secret)
				}
			}
			for _, secret := range secrets {
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%+v", *asError(t, err))} {
					require.NotContains(t, text, secret)
				}
			}
		}
	}
}

func asError(t *testing.T, err error) *provider.Error {
	t.Helper()
	var e *provider.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault ecrtest.Fault
		kind  provider.Kind
	}{
		"hanging":            {ecrtest.Fault{Action: token, Latency: time.Hour}, provider.ErrTimeout},
		"throttled all time": {ecrtest.Fault{Action: token, Error: "ThrottlingException", Latency: time.Second}, provider.ErrThrottled},
		"throttled, waiting": {ecrtest.Fault{Action: sts, Error: "Throttling", Latency: 990 * time.Millisecond}, provider.ErrThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server), ecr.WithLoadOptions(config.WithRetryMaxAttempts(0)))
				require.NoError(t, err)
				aws.Inject(test.fault)
				seen := 0
				for limit := range 30 { // whether the deadline falls into an attempt or between two
					ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Duration(limit)*100*time.Millisecond)
					_, err = p.Credentials(ctx, push)
					cancel()
					if test.kind == provider.ErrThrottled && errors.Is(err, provider.ErrTimeout) {
						continue // in an attempt: nobody knows what it would have answered
					}
					require.ErrorIs(t, err, test.kind, "after %v", limit)
					seen++
					if test.kind == provider.ErrTimeout {
						require.ErrorIs(t, err, context.DeadlineExceeded)
					}
				}
				require.Positive(t, seen)
			})
		})
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
		p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
		require.NoError(t, err)
		for _, action := range []string{sts, token} {
			remove := aws.Inject(ecrtest.Fault{Action: action, Latency: time.Hour})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			_, err := p.Credentials(ctx, push)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, provider.ErrTimeout)
			require.Equal(t, time.Second, time.Since(start), "as soon as the caller leaves")
			remove()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		aws.ResetCalls()
		_, err = p.Credentials(ctx, push)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, aws.Calls())
	})
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := listener.Addr().String()
	require.NoError(t, listener.Close())
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	p, err := ecr.New(t.Context(), aws.config, hermetic(), ecr.WithLoadOptions(config.WithBaseEndpoint("http://"+closed), config.WithRetryMaxAttempts(1)))
	require.NoError(t, err)
	_, err = p.Credentials(t.Context(), push)
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.ErrorContains(t, err, "assume push role for project hello: unavailable: "+closed+": dial tcp")
}

// Throttling slows down; other failures are tried again a few times only.
func TestRetries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault ecrtest.Fault
		calls int // of the fault's action
		ok    bool
	}{
		"sts throttles for a while": {ecrtest.Fault{Action: sts, Error: "Throttling", Times: 6}, 7, true},
		"ecr throttles for a while": {ecrtest.Fault{Action: token, Error: "ThrottlingException", Times: 6}, 7, true},
		"sts fails":                 {ecrtest.Fault{Action: sts, Status: 503}, 3, false},
		"ecr fails":                 {ecrtest.Fault{Action: token, Reset: true}, 3, false},
		"ecr fails once":            {ecrtest.Fault{Action: token, Reset: true, Times: 1}, 2, true},
		"sts denies":                {ecrtest.Fault{Action: sts, Error: "AccessDenied"}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
				require.NoError(t, err)
				aws.Inject(test.fault)
				_, err = p.Credentials(t.Context(), push)
				require.Equal(t, test.ok, err == nil, "%v", err)
				calls := 0
				for _, name := range aws.names() {
					if name == test.fault.Action {
						calls++
					}
				}
				require.Equal(t, test.calls, calls)
			})
		})
	}
}
