package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A TokenSource has the bearer token by which the endpoint knows the caller. It is asked before each request to the endpoint, and may be asked
// concurrently, for several credentials. Its errors are best [*provider.Error]; they never hold the token.
//
// Whatever the source, a token is at most 8,000 bytes of printable ASCII without spaces, and passes [provider.Secret.Validate]; white space around it
// is cut off where it comes from a file, a variable or a command. Anything else is [provider.ErrMisconfigured].
type TokenSource interface {
	Token(ctx context.Context) (provider.Secret, error)
}

// TokenFunc is a function as a [TokenSource].
type TokenFunc func(ctx context.Context) (provider.Secret, error)

// Token calls f.
func (f TokenFunc) Token(ctx context.Context) (provider.Secret, error) { return f(ctx) }

const (
	opToken = "get token"
	// maxToken is a little less than an endpoint takes, with "Bearer".
	maxToken = 8000
	// maxSource is how much is read of where a token comes from.
	maxSource = 64 << 10
)

// Fixed is a token that never changes.
func Fixed(token provider.Secret) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) { return token, nil })
}

// File is the token in a file, read again each time: what a kubelet projects into a pod, and renews there.
func File(path string) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) {
		content, err := readToken(path)
		if err != nil {
			return provider.Secret{}, noToken(err, "check that the file is there, and that this process may read it")
		}
		return tokenIn(content, "the file "+path, "")
	})
}

func readToken(path string) (string, error) {
	// One that isn't a file may block, and can't be read again.
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the token's file can't be read: %w", err)
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path) //nolint:gosec // the path is the program's
	if err != nil {
		return "", fmt.Errorf("the token's file can't be read: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxSource))
	if err != nil {
		return "", fmt.Errorf("the token's file can't be read: %w", err)
	}
	return string(content), nil
}

// Env is the token in the environment variable with this name, read each time.
func Env(name string) TokenSource {
	return variable(name, "set it to the token")
}

// GitLab is the OIDC token of a GitLab CI job, in the variable that the job's id_tokens name:
//
//	id_tokens:
//	  RISE_ID_TOKEN:
//	    aud: deploy.example.com
//
// It is [Env], with GitLab's words where there is none. GitLab issues it when the job starts, for as long as the job may run.
func GitLab(name string) TokenSource {
	return variable(name, "add to the job, or to default:, id_tokens: {"+name+": {aud: <the service's audience>}}; jobs have none otherwise")
}

func variable(name, hint string) TokenSource {
	return TokenFunc(func(context.Context) (provider.Secret, error) {
		content, ok := os.LookupEnv(name)
		if !ok {
			return provider.Secret{}, noToken(fmt.Errorf("the variable %s isn't set", name), hint)
		}
		return tokenIn(content, "the variable "+name, hint)
	})
}

// tokenIn is the token that content is, which comes from where.
func tokenIn(content, where, hint string) (provider.Secret, error) {
	token := provider.NewSecret(strings.TrimSpace(content))
	if err := checkToken(token); err != nil {
		return provider.Secret{}, noToken(fmt.Errorf("%s: %w", where, err), hint)
	}
	return token, nil
}

func checkToken(token provider.Secret) error {
	text := token.Reveal()
	switch err := token.Validate(); {
	case text == "":
		return errors.New("the token is empty")
	case len(text) > maxToken:
		return fmt.Errorf("the token is longer than %d bytes", maxToken)
	case err != nil:
		return fmt.Errorf("the token %w", err)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return errors.New("what should be the token has spaces, line ends or other characters inside that no token has")
		}
	}
	return nil
}

func noToken(err error, hint string) error {
	return &provider.Error{Kind: provider.ErrMisconfigured, Op: opToken, Hint: hint, Err: err}
}
