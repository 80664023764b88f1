package ecrtest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	var asAPI = func(code string) func(error) bool {
		return func(err error) bool {
			var api smithy.APIError
			return errors.As(err, &api) && api.ErrorCode() == code
		}
	}
	broken := func(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }
	for _, test := range []struct {
		name    string
		fault   ecrtest.Fault
		is      func(error) bool
		created bool // whether the operation was carried out
		status  int
	}{
		{"error", ecrtest.Fault{Error: "ThrottlingException"}, asAPI("ThrottlingException"), false, 400},
		{"error with status", ecrtest.Fault{Error: "ServerException", Status: 503}, asAPI("ServerException"), false, 503},
		{"status", ecrtest.Fault{Status: 503}, func(err error) bool { return err != nil }, false, 503},
		{"reset", ecrtest.Fault{Reset: true}, broken, false, 0},
		{"lost", ecrtest.Fault{Lost: true}, broken, true, 0},
		{"truncated", ecrtest.Fault{Truncate: true}, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
			true, 200},
		{"malformed", ecrtest.Fault{Malformed: true}, func(err error) bool { return err != nil }, true, 200},
		{"mutated", ecrtest.Fault{Mutate: func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("rise/hello"),
				[]byte("rise/other"))
		}},
			func(err error) bool { return err == nil }, true, 200},
		{"latency", ecrtest.Fault{Latency: time.Millisecond}, func(err error) bool { return err == nil }, true, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{})
			test.fault.Action = "ecr:CreateRepository"
			srv.Inject(test.fault)
			client := ecr.NewFromConfig(awsConfig(srv, newAdmin(srv)))
			out, err := client.CreateRepository(t.Context(),
				&ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/hello")})
			require.True(t, test.is(err), "%v", err)
			_, created := srv.Repository("rise/hello")
			require.Equal(t, test.created, created)
			call := srv.Calls()[0]
			require.True(t, call.Fault)
			require.Equal(t, test.status, call.Status)
			if test.name == "mutated" {
				require.Equal(t, "rise/other", *out.Repository.RepositoryName)
			}
			_, err = client.DescribeRepositories(t.Context(), nil)
			require.NoError(t, err, "other operations aren't hit")
		})
	}
}

func TestOversize(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.Inject(ecrtest.Fault{Action: "registry:Ping", Oversize: true})
	resp := do(t, srv, adminToken(t, srv), http.MethodGet, "/v2/", "")
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.Equal(t, int64(64<<20), n)
}

func TestFaultSelection(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	client := sts.NewFromConfig(awsConfig(srv, newAdmin(srv)))
	call := func() bool {
		_, err := client.GetCallerIdentity(t.Context(), nil)
		return err == nil
	}
	remove := srv.Inject(ecrtest.Fault{Action: "sts:*", Error: "InternalFailure", Skip: 1, Times: 2})
	require.Equal(t, []bool{true, false, false, true}, []bool{call(), call(), call(), call()})
	remove()
	remove = srv.Inject(ecrtest.Fault{Error: "InternalFailure",
		If: func(c ecrtest.Call) bool { return c.Form.Get("Action") == "AssumeRole" }})
	require.True(t, call())
	remove()
	remove = srv.Inject(ecrtest.Fault{Error: "InternalFailure"})
	require.False(t, call())
	remove()
	require.True(t, call())
}

// The SDK retries throttling, and gives up after its attempts.
func TestThrottlingIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, ecrtest.Config{InMemory: true})
		cfg := awsConfig(srv, newAdmin(srv), inMemory(srv), func(cfg *aws.Config) { cfg.RetryMaxAttempts = 3 })
		srv.Inject(ecrtest.Fault{Action: "sts:GetCallerIdentity", Error: "Throttling", Times: 2})
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
		require.NoError(t, err)
		srv.Inject(ecrtest.Fault{Action: "ecr:GetAuthorizationToken", Error: "ThrottlingException", Times: 3})
		_, err = ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), nil)
		requireCode(t, err, "ThrottlingException", "Rate exceeded")
		calls := srv.Calls()
		require.Len(t, calls, 6)
		require.Equal(t, 400, calls[0].Status)
		require.Equal(t, "Throttling", calls[0].ErrorCode)
	})
}

// Quotas are per account, region and call.
func TestQuotas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quota := ecrtest.Quota{PerSecond: 1, Burst: 2}
		srv := newServer(t, ecrtest.Config{InMemory: true, OtherRegions: []string{"us-east-1"},
			Quotas: map[string]ecrtest.Quota{
				"sts:GetCallerIdentity": quota, "ecr:GetAuthorizationToken": quota, "registry:Ping": quota}})
		key := newAdmin(srv)
		cfg := awsConfig(srv, key, inMemory(srv))
		password := token(t.Context(), t, cfg)
		identity := func() error { return second(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)) }
		authorization := func(cfg aws.Config) error {
			return second(ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), nil))
		}
		require.NoError(t, identity())
		require.NoError(t, identity())
		requireCode(t, identity(), "Throttling", "Rate exceeded")
		require.NoError(t, authorization(cfg))
		requireCode(t, authorization(cfg), "ThrottlingException", "Rate exceeded")
		require.NoError(t, authorization(awsConfig(srv, key, inMemory(srv), inRegion("us-east-1"))), "another region")
		stranger := srv.AddUser(ecrtest.User{Name: "arn:aws:iam::999999999999:user/u", Policies: []string{admin}})
		require.NoError(t, authorization(awsConfig(srv, stranger, inMemory(srv))), "another account")
		for _, want := range []int{200, 200, 429} {
			require.Equal(t, want, do(t, srv, password, http.MethodGet, "/v2/", "").StatusCode)
		}
		time.Sleep(time.Second)
		require.NoError(t, identity())
		require.NoError(t, authorization(cfg))
	})
}

func TestLatencyEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, ecrtest.Config{InMemory: true})
		srv.Inject(ecrtest.Fault{Action: "sts:*", Latency: 24 * time.Hour})
		client := sts.NewFromConfig(awsConfig(srv, newAdmin(srv), inMemory(srv)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.GetCallerIdentity(ctx, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Zero(t, srv.Calls()[0].Status)
	})
}

// A whole server, its clients and a day's time in a bubble, which also shows that Close leaves no goroutine behind.
func TestInMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, ecrtest.Config{InMemory: true})
		provider := srv.AddOIDCProvider("https://oidc.example.com/id/1")
		role := srv.AddRole(ecrtest.Role{Name: "irsa", Trust: webTrust(provider), Policies: []string{admin}})
		cfg := awsConfig(srv, ecrtest.AccessKey{}, inMemory(srv))
		cfg.HTTPClient = wholeBody{srv.Client()}
		for range 24 {
			_, err := sts.NewFromConfig(cfg).AssumeRoleWithWebIdentity(t.Context(),
				&sts.AssumeRoleWithWebIdentityInput{RoleArn: &role,
					RoleSessionName:  aws.String("pod"),
					WebIdentityToken: aws.String(provider.Token("system:serviceaccount:ns:sa", "", 0))})
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		require.Equal(t, 1, srv.Connections("sts.eu-west-1.amazonaws.com"))
		require.Zero(t, srv.Connections("api.ecr.eu-west-1.amazonaws.com"))
		pod := srv.AddPodIdentity(ecrtest.PodIdentity{Role: "irsa"})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, pod.URL, nil)
		require.NoError(t, err)
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 403, resp.StatusCode)
	})
}
