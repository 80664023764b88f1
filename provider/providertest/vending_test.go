package providertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// vending is a correct provider: it asks an API for logins.
type vending struct {
	client *http.Client
	key    provider.Secret
}

func newVending(transport http.RoundTripper) *vending {
	return &vending{client: &http.Client{Transport: transport}, key: provider.NewSecret(apiKey)}
}

func (v *vending) Type() string { return "vending" }

func (v *vending) Close() error {
	v.client.CloseIdleConnections()
	return nil
}

func (v *vending) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := errors.Join(provider.ValidateProject(project), consumer.Validate()); err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository(host+"/"+prefix+project, name.StrictValidation)
}

func (v *vending) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if err := r.Validate(); err != nil {
		return provider.Credentials{}, err
	}
	pattern := r.Project
	if r.AllProjects {
		pattern = "*"
	}
	return v.issue(ctx, r, pattern, r.Access.String(), time.Hour)
}

// issue asks for what is wanted, which broken providers have wrong, and calls it a credential for r.
func (v *vending) issue(
	ctx context.Context, r provider.Request, pattern, rights string, lifetime time.Duration,
) (provider.Credentials, error) {
	fail := func(kind provider.Kind, err error) (provider.Credentials, error) {
		return provider.Credentials{}, &provider.Error{Kind: kind, Op: "vend login", Project: r.Project, Err: err}
	}
	if r.ProjectID != "" {
		pattern += "@" + r.ProjectID
	}
	query := url.Values{"pattern": {pattern}, "rights": {rights}, "lifetime": {lifetime.String()}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+"/vend?"+query.Encode(), nil)
	if err != nil {
		return fail(provider.ErrMisconfigured, err)
	}
	request.Header.Set("Authorization", "Bearer "+v.key.Reveal())
	response, err := v.client.Do(request)
	switch {
	case ctx.Err() != nil:
		return fail(provider.ErrTimeout, ctx.Err())
	case err != nil:
		return fail(provider.ErrUnavailable, err)
	}
	defer func() { _ = response.Body.Close() }()
	switch status := response.StatusCode; {
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return fail(provider.ErrAccessDenied, errors.New(response.Status))
	case status == http.StatusTooManyRequests:
		return fail(provider.ErrThrottled, errors.New(response.Status))
	case status != http.StatusOK:
		return fail(provider.ErrUnavailable, errors.New(response.Status))
	}
	var l login
	if err := json.NewDecoder(response.Body).Decode(&l); err != nil {
		return fail(provider.ErrBadResponse, errors.New("the answer isn't JSON"))
	}
	if lifetime > 0 && !l.Expires.After(time.Now()) {
		return fail(provider.ErrBadResponse, fmt.Errorf("the login expired at %v", l.Expires))
	}
	if err := granted(l, pattern, rights); err != nil {
		return fail(provider.KindOf(err), err)
	}
	return v.credentials(r, l), nil
}

// granted compares what a login says that it opens with what it was asked to.
func granted(l login, pattern, rights string) error {
	opens := strings.Split(l.Username, ",")
	rank := []string{"none", "pull", "write", "push"}
	switch {
	case opens[0] == pattern && opens[1] == rights:
		return nil
	case opens[0] == pattern && slices.Index(rank, opens[1]) < slices.Index(rank, rights):
		return fmt.Errorf("%w: the login can't %s", provider.ErrAccessDenied, rights)
	}
	return fmt.Errorf("%w: the login opens more than %s of %s", provider.ErrMisconfigured, rights, pattern)
}

func (v *vending) credentials(r provider.Request, l login) provider.Credentials {
	c := provider.Credentials{
		Access: r.Access, Method: provider.LoginCredentials,
		Username: l.Username, Password: provider.NewSecret(l.Password), ExpiresAt: l.Expires,
	}
	registry, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil {
		return provider.Credentials{}
	}
	c.Target = registry
	if !r.AllProjects {
		c.Target = registry.Repo(prefix + r.Project)
	}
	return c
}
