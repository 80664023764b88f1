package ecr_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

// harness puts the library through the conformance suite at the site. Each has a prefix of its own, as the suite's project
// names are always the same.
func (s *site) harness(t *testing.T) providertest.Harness {
	t.Helper()
	l := s.open(t)
	own, err := l.api.Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	w := &wire{secrets: []string{own.SecretAccessKey}}
	if own.SessionToken != "" {
		w.secrets = append(w.secrets, own.SessionToken)
	}
	p, err := ecr.New(t.Context(), l.config, append([]ecr.Option{w.option()}, l.options...)...)
	require.NoError(t, err)
	const healthy = "AWS can't be made to do that; the conformance suite has it done by the double"
	h := providertest.Harness{
		Provider:         p,
		Type:             ecr.Type,
		Transport:        l.transport,
		CreateRepository: func(project string) error { return printable(l.createReady(t.Context(), project)) },
		HandOver:         func(project, id string) error { return printable(l.handOver(t.Context(), project, id)) },
		Secrets:          w.known,
		Calls:            w.count,
		Faults:           map[providertest.Ability]func(){providertest.Denied: w.deny},
		Cannot: map[providertest.Ability]string{
			providertest.Expiry: "AWS doesn't tell: see the question token-outlives-session", providertest.Throttled: healthy,
			providertest.Unavailable: healthy, providertest.Malformed: healthy, providertest.Expired: healthy, providertest.Hanging: healthy,
			providertest.Suspension: "AWS's sessions live until they end", providertest.GrantsLess: untold, providertest.GrantsMore: untold,
		},
	}
	if l.config.PullRoleARN == "" {
		h.Cannot[providertest.AllProjects] = "RISE_LIVE_PULL_ROLE_ARN isn't set"
	}
	return h
}

// handOver tags a project's repository with the id, and waits until that counts: another id's credential is refused, and the
// id's own isn't.
func (l *lab) handOver(ctx context.Context, project, id string) error {
	if _, err := l.ecrAPI().TagResource(ctx, &awsecr.TagResourceInput{
		ResourceArn: awssdk.String(l.arn(l.repository(project))),
		Tags:        []types.Tag{{Key: awssdk.String("rise:project-id"), Value: &id}},
	}); err != nil {
		return err
	}
	for _, of := range []struct {
		id    string
		opens bool
	}{{"rise-live-nobody", false}, {id, true}} {
		c, err := provider.Issue(ctx, l.provider, provider.Request{Project: project, ProjectID: of.id, Access: provider.Push})
		if err != nil {
			return err
		}
		_, settled, err := l.settles(ctx, func() (bool, error) {
			may, err := l.mayRead(ctx, c, l.repository(project))
			return may == of.opens, err
		})
		if err != nil {
			return err
		}
		if !settled {
			return fmt.Errorf("the tag rise:project-id of %s doesn't count within %v", l.repository(project), l.patience)
		}
	}
	return nil
}

// wire is a hold on what a provider sends to AWS and gets from it.
type wire struct {
	mu      sync.Mutex
	calls   int
	denied  bool
	secrets []string
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

func (w *wire) known() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.secrets...)
}

// deny makes AWS refuse, which it does for a role that doesn't exist.
func (w *wire) deny() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denied = true
}

func (w *wire) option() ecr.Option {
	count := middleware.DeserializeMiddlewareFunc("Count", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		w.mu.Lock()
		w.calls++
		w.mu.Unlock()
		return next.HandleDeserialize(ctx, in)
	})
	assume := middleware.InitializeMiddlewareFunc("Assume", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		input, ok := in.Parameters.(*awssts.AssumeRoleInput)
		w.mu.Lock()
		if ok && w.denied {
			changed := *input
			path, _, _ := strings.Cut(*input.RoleArn, "/")
			changed.RoleArn = awssdk.String(path + "/rise-live-test-absent")
			in.Parameters = &changed
		}
		w.mu.Unlock()
		out, metadata, err := next.HandleInitialize(ctx, in)
		if session, ok := out.Result.(*awssts.AssumeRoleOutput); ok && session.Credentials != nil {
			w.mu.Lock()
			w.secrets = append(w.secrets, awssdk.ToString(session.Credentials.SecretAccessKey), awssdk.ToString(session.Credentials.SessionToken))
			w.mu.Unlock()
		}
		return out, metadata, err
	})
	return ecr.WithLoadOptions(config.WithAPIOptions([]func(*middleware.Stack) error{func(s *middleware.Stack) error {
		if err := s.Deserialize.Add(count, middleware.After); err != nil {
			return err
		}
		return s.Initialize.Add(assume, middleware.Before)
	}}))
}
