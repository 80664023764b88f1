package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Path is where a service has its credentials endpoint, unless the URL that it is given says otherwise.
const Path = "/api/v1/registry/credentials"

// A Client asks one service's endpoint, as one caller. What it was given it keeps, in memory alone. It is safe for concurrent use, and needs no
// closing.
type Client struct {
	options
	endpoint *url.URL
	source   TokenSource
	kept     shelf
	calls    calls
}

// New returns a client of the endpoint of the service at endpoint, which identifies itself by the tokens of source. It asks nobody yet.
//
// endpoint is the service's base URL, as "https://deploy.example.com"; [Path] is added unless it has a path of its own. http:// is for this machine
// only (localhost, 127.0.0.1, ::1), unless [WithInsecure] is given. Errors are [provider.ErrMisconfigured].
func New(endpoint string, source TokenSource, opts ...Option) (*Client, error) {
	c := &Client{options: options{agent: "rise-registry-go", logger: slog.New(slog.DiscardHandler)}, source: source}
	for _, opt := range opts {
		opt(&c.options)
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.patience <= 0 {
		c.patience = DefaultPatience
	}
	if err := c.prepare(endpoint); err != nil {
		return nil, &provider.Error{Kind: provider.ErrMisconfigured, Op: "make client", Err: err}
	}
	return c, nil
}

func (c *Client) prepare(endpoint string) error {
	u, err := parsePlace(endpoint, c.insecure)
	if err != nil {
		return fmt.Errorf("the endpoint's URL %w", err)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("the endpoint's URL has a query (?), which is the client's to write")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path, u.RawPath = Path, ""
	}
	c.endpoint = u
	if c.source == nil {
		return errors.New("there is no token source")
	}
	if err := c.consumer.Validate(); err != nil {
		return fmt.Errorf("the consumer %v is unknown", c.consumer)
	}
	if c.registry != "" {
		host, err := name.NewRegistry(c.registry, name.StrictValidation)
		if err == nil {
			err = checkHost(host.RegistryStr())
		}
		if err != nil {
			return fmt.Errorf("the registry %s is no host, as registry.example.com or registry.example.com:5000", quote(c.registry))
		}
		c.registry = host.RegistryStr()
	}
	switch {
	case c.http != nil && c.caFile != "":
		return errors.New("there are an HTTP client and a CA file; the client's transport says what it trusts")
	case c.http != nil:
		c.http = obedient(*c.http)
	default:
		t := transport()
		if c.caFile != "" {
			authorities, err := readAuthorities(c.caFile)
			if err != nil {
				return err
			}
			t.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
		}
		c.http = obedient(http.Client{Transport: t})
	}
	return nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path) //nolint:gosec // the path is the program's
	if err != nil {
		return nil, fmt.Errorf("the CA file can't be read: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s has no certificate in PEM", path)
	}
	return authorities, nil
}

// Credentials returns a credential for project's repository, which is alive and what was asked for: a kept one, or what the endpoint answers now.
// Its Method is [provider.ClientLogin] where the registry takes the login that the user has there already.
//
// Errors are [*provider.Error]. Their text says what to do about it; their Details have "status", and "code" where the endpoint answered (see [CodeOf]).
//
//   - [provider.ErrInvalidRequest]: the project's name or the access isn't valid (400, or without asking), or a cluster asks for push
//   - [provider.ErrAccessDenied]: the token isn't accepted (401)
//   - [provider.ErrNotFound]: there is no such project, or the caller has no right to it (404)
//   - [provider.ErrConflict]: the project doesn't accept this at present (409)
//   - [provider.ErrThrottled]: too many requests, still after what was tried again (429); see RetryAfter
//   - [provider.ErrUnavailable]: 500, 502, 503, a connection that is refused or lost, a name that can't be resolved
//   - [provider.ErrTimeout]: 504, no answer in time, or ctx ended
//   - [provider.ErrBadResponse]: an answer that is no credential, or isn't the one that was asked for
//   - [provider.ErrMisconfigured]: no token, a certificate that isn't trusted, a redirect, no endpoint at this URL
func (c *Client) Credentials(ctx context.Context, project string, access provider.Access) (provider.Credentials, error) {
	r := provider.Request{Project: project, Access: access, Consumer: c.consumer}
	if err := r.Validate(); err != nil {
		return provider.Credentials{}, err
	}
	if r.Consumer == provider.Cluster && access != provider.Pull {
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrInvalidRequest, Op: op, Project: project, Err: errors.New("a cluster gets credentials to pull only")}
	}
	if kept, _ := c.kept.look(r, time.Now()); kept.fresh {
		return kept.credentials, nil
	}
	return c.calls.join(ctx, r, c.patience, c.renew)
}

// renew asks for what r is for, and keeps it; or goes on with what is kept, if it can't be renewed right now.
func (c *Client) renew(ctx context.Context, r provider.Request, worth func(error, time.Duration) bool) (provider.Credentials, error) {
	kept, edition := c.kept.look(r, time.Now())
	if kept.fresh {
		return kept.credentials, nil // of a call that has just ended
	}
	reserve := kept.usable
	if reserve { // so that who can go on isn't held up
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, reservePatience)
		defer cancel()
		worth = func(error, time.Duration) bool { return false }
	}
	got, asked, err := c.ask(ctx, r, worth)
	if err == nil {
		c.kept.put(r, got, asked, edition)
		return got, nil
	}
	switch kind := provider.KindOf(err); {
	case kind != provider.ErrUnavailable && kind != provider.ErrThrottled && kind != provider.ErrTimeout:
		c.kept.drop(r)
	case reserve:
		var e *provider.Error
		pause := reservePause
		if errors.As(err, &e) {
			pause = max(pause, e.RetryAfter)
		}
		c.kept.postpone(r, time.Now().Add(pause))
		c.logger.WarnContext(ctx, "a registry credential couldn't be renewed; the kept one is used on", "project", r.Project, "error", err)
		return kept.credentials, nil
	}
	return provider.Credentials{}, err
}

// ask asks until there is an answer that counts. asked is when the request began that was answered.
func (c *Client) ask(ctx context.Context, r provider.Request, worth func(error, time.Duration) bool) (got provider.Credentials, asked time.Time, err error) {
	to := c.place(r)
	got, err = persist(ctx, func(err error, wait time.Duration) bool {
		if !worth(err, wait) {
			return false
		}
		c.logger.WarnContext(ctx, "asking again for a registry credential", "project", r.Project, "in", wait, "error", err)
		return true
	}, func(ctx context.Context) (provider.Credentials, bool, error) {
		token, err := c.token(ctx, r.Project)
		if err != nil {
			return provider.Credentials{}, false, err
		}
		answer, again, err := fetch(ctx, c.http, c.timeout, to, token, c.agent)
		if err != nil {
			return provider.Credentials{}, again, c.during(r, err)
		}
		asked = answer.asked
		if answer.status != http.StatusOK {
			refused, again := answer.refused(to.name, token)
			if refused.Kind == provider.ErrNotFound && r.Consumer == provider.Cluster {
				refused.Hint += "; or the service serves no clusters"
			}
			return provider.Credentials{}, again, c.during(r, refused)
		}
		credentials, err := answer.read(to.name, r, c.registry, token)
		return credentials, false, c.during(r, err)
	})
	return got, asked, err
}

// during completes an error of this package.
func (c *Client) during(r provider.Request, err error) error {
	var e *provider.Error
	if errors.As(err, &e) {
		e.Op, e.Project = cmp.Or(e.Op, op), cmp.Or(e.Project, r.Project)
	}
	return err
}

func (c *Client) place(r provider.Request) place {
	query := url.Values{"project": {r.Project}, "access": {r.Access.String()}}
	if r.Consumer != provider.Client {
		query.Set("consumer", r.Consumer.String())
	}
	p := placeOf(c.endpoint)
	p.url += "?" + query.Encode()
	return p
}

// token asks the source.
func (c *Client) token(ctx context.Context, project string) (provider.Secret, error) {
	token, err := c.source.Token(ctx)
	if err == nil {
		if err = checkToken(token); err == nil {
			return token, nil
		}
	}
	var e *provider.Error
	if errors.As(err, &e) {
		return provider.Secret{}, err
	}
	return provider.Secret{}, &provider.Error{Kind: cmp.Or(provider.KindOf(err), provider.ErrMisconfigured), Op: opToken, Project: project, Err: err}
}

// Forget drops what is kept for project, so that the next one who asks gets another credential: for when a registry refuses the kept one. What
// is being asked for right now isn't kept either.
func (c *Client) Forget(project string) {
	c.kept.forget(project)
	c.calls.forget(project)
}
