package ecr_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// canned answers as AWS does, without looking at who asks: the benchmarks are about the asking side.
func canned(b *testing.B) (url string, connections *atomic.Int64) {
	b.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		expires := time.Now().Add(time.Hour).UTC()
		if r.Header.Get("X-Amz-Target") != "" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d,"proxyEndpoint":"https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"}]}`,
				base64.StdEncoding.EncodeToString([]byte("AWS:password")), expires.Unix())
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>`+
			`<Arn>arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-hello</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA</AccessKeyId>`+
			`<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult>`+
			`<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`, expires.Format(time.RFC3339))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	b.Cleanup(server.Close)
	return server.URL, connections
}

// BenchmarkSessionPolicy is the policy of one request.
func BenchmarkSessionPolicy(b *testing.B) {
	p, err := ecr.New(b.Context(), validConfig(), hermetic())
	require.NoError(b, err)
	for name, r := range map[string]provider.Request{"name": push, "id": {Project: "hello", ProjectID: "p-1", Access: provider.Push}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.SessionPolicy(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUncached is one credential, two calls. Compare it with BenchmarkFloor of the same run.
func BenchmarkUncached(b *testing.B) {
	url, connections := canned(b)
	c := validConfig()
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret("AKIA"), provider.NewSecret("secret")
	p, err := ecr.New(b.Context(), c, ecr.WithLoadOptions(config.WithBaseEndpoint(url)))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Credentials(b.Context(), push); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(connections.Load())/float64(b.N), "conns/op")
}

// BenchmarkFloor is the same two calls with bare SDK clients, built once.
func BenchmarkFloor(b *testing.B) {
	url, connections := canned(b)
	cfg, err := config.LoadDefaultConfig(b.Context(), config.WithRegion("eu-west-1"), config.WithBaseEndpoint(url),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIA", "secret", "")))
	require.NoError(b, err)
	sts, registry := awssts.NewFromConfig(cfg), awsecr.NewFromConfig(cfg)
	floor := func(ctx context.Context) error {
		session, err := sts.AssumeRole(ctx, &awssts.AssumeRoleInput{
			RoleArn: awssdk.String("arn:aws:iam::123456789012:role/rise-backend-ecr-push"), RoleSessionName: awssdk.String("rise-push-hello"),
			Policy: awssdk.String(pushPolicy), DurationSeconds: awssdk.Int32(3600),
		})
		if err != nil {
			return err
		}
		c := session.Credentials
		_, err = registry.GetAuthorizationToken(ctx, &awsecr.GetAuthorizationTokenInput{}, func(o *awsecr.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
		})
		return err
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := floor(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(connections.Load())/float64(b.N), "conns/op")
}
