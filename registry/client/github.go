package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	requestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	requestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// GitHubActions is the OIDC token of a GitHub Actions job, for this audience, asked of GitHub each time, as it lives for minutes only. The job needs
// the permission "id-token: write"; GitHub then sets ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN. An audience is required: the one that
// GitHub has by default is everybody's.
//
// What is tried again is what a [Client] tries again.
func GitHubActions(audience string) TokenSource {
	h := obedient(http.Client{Transport: transport()})
	return TokenFunc(func(ctx context.Context) (provider.Secret, error) {
		if audience == "" {
			return provider.Secret{}, noToken(errors.New("there is no audience for GitHub's token"), "it has to be the one that the service expects")
		}
		text, bearer := os.Getenv(requestURL), provider.NewSecret(os.Getenv(requestToken))
		if text == "" || bearer.IsZero() {
			return provider.Secret{}, noToken(fmt.Errorf("%s and %s aren't both set", requestURL, requestToken),
				"in GitHub Actions, give the job permissions: {id-token: write, contents: read}; jobs for pull requests from forks have none")
		}
		u, err := parsePlace(text, false)
		if err == nil {
			err = checkToken(bearer)
		}
		if err != nil {
			return provider.Secret{}, noToken(fmt.Errorf("%s %w", requestURL, err), "")
		}
		query := "audience=" + url.QueryEscape(audience)
		if u.RawQuery != "" {
			query = u.RawQuery + "&" + query
		}
		u.RawQuery = query
		to := place{url: u.String(), name: "GitHub's issuer of tokens at " + u.Host}
		always := func(error, time.Duration) bool { return true }
		return persist(ctx, always, func(ctx context.Context) (provider.Secret, bool, error) { return askGitHub(ctx, h, to, bearer) })
	})
}

func askGitHub(ctx context.Context, h *http.Client, to place, bearer provider.Secret) (provider.Secret, bool, error) {
	fail := func(e *provider.Error, again bool) (provider.Secret, bool, error) {
		e.Op = opToken
		return provider.Secret{}, again, e
	}
	answer, again, err := fetch(ctx, h, DefaultTimeout, to, bearer, "rise-registry-go")
	if e := (*provider.Error)(nil); errors.As(err, &e) {
		return fail(e, again)
	}
	e := &provider.Error{Kind: provider.ErrUnavailable, RetryAfter: answer.retryAfter(), Err: fmt.Errorf("%s answered %d", to.name, answer.status)}
	switch answer.status {
	case http.StatusOK:
		m, err := members(answer.body)
		if value, ok := text(m, "value"); err == nil && ok {
			token, err := tokenIn(value, to.name, "")
			return token, false, err
		}
		e.Kind, e.Err = provider.ErrBadResponse, fmt.Errorf("%s answered with %s, which isn't a token", to.name, answer.mediaType(bearer))
		return fail(e, false)
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Kind, e.Hint = provider.ErrAccessDenied, "the job may have ended, or have lost the permission id-token: write"
	case http.StatusTooManyRequests:
		e.Kind = provider.ErrThrottled
	}
	return fail(e, answer.status == http.StatusTooManyRequests || answer.status == http.StatusServiceUnavailable)
}
