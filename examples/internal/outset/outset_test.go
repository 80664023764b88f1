package outset_test

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/outset"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

func looked(t *testing.T, p provider.Provider, makes bool) string {
	t.Helper()
	var log bytes.Buffer
	outset.Look(t.Context(), p, makes, slog.New(slog.NewTextHandler(&log, nil)))
	return log.String()
}

// many is a provider with so many repositories.
type many struct {
	*ecr.Provider
	n   int
	err error
}

func (m many) ListRepositories(context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		for i := range m.n {
			if !yield(repository.Repository{Project: strconv.Itoa(i)}, nil) {
				return
			}
		}
		if m.err != nil {
			yield(repository.Repository{}, m.err)
		}
	}
}

func TestLook(t *testing.T) { //nolint:paralleltest // environment
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	aws := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(aws.Close)
	d := aws.Setup(ecrtest.SetupOptions{})
	build := func(keys ecrtest.AccessKey) *ecr.Provider {
		c := ecr.DefaultConfig()
		c.Region, c.AccountID, c.PushRoleARN = "eu-west-1", "123456789012", d.PushRoleARN
		if keys.ID != "" {
			c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(keys.ID), provider.NewSecret(keys.Secret)
		}
		p, err := ecr.New(t.Context(), c, ecr.WithLoadOptions(config.WithBaseEndpoint(aws.URL), config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil)))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, provider.Close(p)) })
		return p
	}
	good := build(d.ControllerUser)

	log := looked(t, good, true)
	require.Contains(t, log, "at the start: AWS answers")
	require.NotContains(t, log, "level=ERROR")
	for _, call := range aws.Calls() {
		require.NotEqual(t, "sts:AssumeRole", call.Name(), "it opens no session")
	}
	aws.ResetCalls()
	looked(t, good, false)
	require.Len(t, aws.Calls(), 1)

	log = looked(t, build(ecrtest.AccessKey{}), true)
	require.Contains(t, log, `level=ERROR msg="at the start: credentials can't be issued" check=credentials`)
	require.Contains(t, log, "remedy=")

	remove := aws.Inject(ecrtest.Fault{Header: http.Header{"Date": {time.Now().Add(20 * time.Minute).UTC().Format(http.TimeFormat)}}})
	log = looked(t, good, true)
	require.Contains(t, log, `level=ERROR msg="at the start: credentials can't be issued" check=clock`)
	remove()

	remove = aws.Inject(ecrtest.Fault{Status: http.StatusServiceUnavailable})
	require.Contains(t, looked(t, good, true), "check=sts")
	remove()

	log = looked(t, many{Provider: good, n: 100_000}, true)
	require.Contains(t, log, "level=WARN")
	require.Contains(t, log, "repositories=100000 quota=100000")
	require.NotContains(t, looked(t, many{Provider: good, n: 50_000}, true), "repositories")
	require.NotContains(t, looked(t, many{Provider: good, n: 100_000}, false), "repositories")
	require.NotContains(t, looked(t, many{Provider: good, n: 95_000, err: provider.ErrAccessDenied}, true), "repositories=")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	aws.Inject(ecrtest.Fault{Latency: time.Hour})
	var out bytes.Buffer
	outset.Look(ended, good, true, slog.New(slog.NewTextHandler(&out, nil)))
	require.NotContains(t, out.String(), "AWS answers", "it holds up nothing")
}
