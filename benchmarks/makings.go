package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

const (
	// noisy is how many connections one subject has, each asking for ever new projects.
	noisy = 3000
	// callTakes is how long the double takes for each call.
	callTakes = 100 * time.Millisecond
)

// makings measures what one caller's noise costs another: by how much it delays a first credential where the project's repository has to
// be made, in makings, and where it is there, in looks.
func (r *report) makings(ctx context.Context, n sizes) error {
	withoutAWS() // what else is measured has its own
	aws := ecrtest.NewServer(ecrtest.Config{})
	defer aws.Close()
	d := aws.Setup(ecrtest.SetupOptions{})
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN, c.Installation = "eu-west-1", "123456789012", d.PushRoleARN, "prod"
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(d.ControllerUser.ID), provider.NewSecret(d.ControllerUser.Secret)
	inner, err := ecr.New(ctx, c, ecr.WithLoadOptions(config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil), config.WithBaseEndpoint(aws.URL)))
	if err != nil {
		return err
	}
	p := cache.New(inner, cache.Options{})
	defer func() { _ = provider.Close(p) }()
	for round := range n.slowRounds {
		aws.CreateRepository(d.Repository(fmt.Sprintf("there-%d", round)))
	}
	h := endpoint.New(p, func(r *http.Request) (caller, error) { return caller(r.Header.Get("Subject")), nil },
		func(context.Context, caller, provider.Request) error { return nil },
		endpoint.WithRepositories(inner), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	ask := func(ctx context.Context, subject, project string) (time.Duration, error) {
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?project="+project, nil)
		request.Header.Set("Subject", subject)
		w := httptest.NewRecorder()
		start := time.Now()
		if h.ServeHTTP(w, request); w.Code != http.StatusOK {
			return 0, fmt.Errorf("%s got %d for %s", subject, w.Code, project)
		}
		return time.Since(start), nil
	}

	aws.Inject(ecrtest.Fault{Action: "*", Latency: callTakes})
	making, err := takes(func() error {
		_, err := inner.EnsureRepository(ctx, provider.Project{Name: "making"}, repository.EnsureOptions{})
		return err
	})
	if err != nil {
		return err
	}
	look, err := takes(func() error { _, err := inner.RepositoryOwner(ctx, "making"); return err })
	if err != nil {
		return err
	}
	newAlone, err := ask(ctx, "alice", "alone")
	if err != nil {
		return err
	}
	thereAlone, err := ask(ctx, "alice", "making") // which is there, unknown to the endpoint
	if err != nil {
		return err
	}

	noise, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	var next atomic.Int64
	for range noisy {
		wait.Go(func() {
			for noise.Err() == nil {
				_, _ = ask(noise, "mallory", fmt.Sprintf("noise-%d", next.Add(1)))
			}
		})
	}
	var news, theres []time.Duration
	var failed error
	for round := range n.slowRounds {
		time.Sleep(time.Second)
		took, err := ask(ctx, "alice", fmt.Sprintf("new-%d", round))
		news, failed = append(news, took-newAlone), errors.Join(failed, err)
		took, err = ask(ctx, "alice", fmt.Sprintf("there-%d", round))
		theres, failed = append(theres, took-thereAlone), errors.Join(failed, err)
	}
	if failed != nil {
		return failed
	}
	for _, row := range []struct {
		name  string
		delay time.Duration
		of    time.Duration
		unit  string
	}{
		{"delay of another's first credential, repository to be made", median(news), making, "makings"},
		{"delay of another's first credential, repository there", median(theres), look, "looks"},
	} {
		delay := max(0, ratio(row.delay, row.of))
		r.target(fmt.Sprintf("%d connections asking for new projects: %s", noisy, row.name), fmt.Sprintf("%.2f %s", delay, row.unit), "≤ 2 "+row.unit, delay <= 2)
	}
	return nil
}

func takes(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}
