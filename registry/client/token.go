package client

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A TokenSource has the bearer token by which the endpoint knows the caller. It is asked before each request to the endpoint, by one goroutine at a time for
// each credential, and may be asked concurrently for several. Its errors are best [*provider.Error]; they never hold the token.
//
// All sources of this package refuse what can't be a token: an empty text, more than 8 KiB, white space or control characters inside. White space around it is
// cut off where it comes from a file, a variable or a command.
type TokenSource interface {
	Token(ctx context.Context) (provider.Secret, error)
}

// TokenFunc is a function as a [TokenSource].
type TokenFunc func(ctx context.Context) (provider.Secret, error)

// Token calls f.
func (f TokenFunc) Token(ctx context.Context) (provider.Secret, error) { return f(ctx) }

// Fixed is a token that never changes.
func Fixed(token provider.Secret) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) { return token, nil })
}

// File is the token in a file, read again each time: what a kubelet projects into a pod, and renews there.
func File(path string) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) { return provider.Secret{}, errors.New("not there yet") })
}

// Env is the token in the environment variable with this name, read each time.
func Env(name string) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) { return provider.Secret{}, errors.New("not there yet") })
}

// GitLab is the OIDC token of a GitLab CI job, in the variable that the job's id_tokens name:
//
//	id_tokens:
//	  RISE_ID_TOKEN:
//	    aud: deploy.example.com
//
// It is [Env], with GitLab's words where there is none. GitLab issues it once for the job, for as long as the job may run.
func GitLab(variable string) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) { return provider.Secret{}, errors.New("not there yet") })
}
