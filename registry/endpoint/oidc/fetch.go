package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	dialTimeout = 5 * time.Second
	maxDocument = 64 << 10
	maxKeySet   = 256 << 10
	maxFile     = 1 << 20
)

// fetcher gets an issuer's keys, from a file or from where its discovery document says. Its files are read each time, so that they can be replaced.
type fetcher struct {
	config Issuer
	issuer *url.URL
}

func newFetcher(config Issuer) *fetcher {
	issuer, _ := parseAddress(config.Issuer) // validated
	return &fetcher{config: config, issuer: issuer}
}

// keys returns the issuer's usable keys. Its errors quote nothing that the issuer said.
func (f *fetcher) keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	if f.config.JWKSFile != "" {
		body, err := readFile(f.config.JWKSFile, maxKeySet)
		if err != nil {
			return nil, fmt.Errorf("jwks_file: %w", err)
		}
		return parseKeys(body)
	}
	at, to := f.config.JWKSURL, anywhere
	if at == "" {
		named, err := f.discover(ctx)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		if named.Hostname() != f.issuer.Hostname() {
			to = onlyPublic
		}
		at = named.String()
	}
	body, err := f.get(ctx, at, to, maxKeySet)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return parseKeys(body)
}

// discover returns where the issuer's document says that its keys are.
func (f *fetcher) discover(ctx context.Context) (*url.URL, error) {
	body, err := f.get(ctx, strings.TrimSuffix(f.config.Issuer, "/")+"/.well-known/openid-configuration", anywhere, maxDocument)
	if err != nil {
		return nil, err
	}
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(body, &document) != nil {
		return nil, errors.New("the answer isn't a discovery document")
	}
	if document.Issuer != f.config.Issuer {
		return nil, errors.New("the document is another issuer's")
	}
	u, err := url.Parse(document.JWKSURI)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(document.JWKSURI) > 2048 {
		return nil, errors.New("the document's jwks_uri isn't a URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || f.issuer.Scheme != "http" || u.Host != f.issuer.Host) {
		return nil, errors.New("the document's jwks_uri isn't https")
	}
	return u, nil
}

// get returns the body of a plain 200, of at most limit bytes.
func (f *fetcher) get(ctx context.Context, at string, to reach, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, errors.New("the address isn't a URL")
	}
	request.Header.Set("Accept", "application/json")
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // of which a few bytes may be many
		DisableKeepAlives:      true, // one transport a fetch, as files and addresses may change until the next
	}
	if f.carriesBearer(request.URL) {
		token, err := readFile(f.config.BearerTokenFile, maxFile)
		if err != nil {
			return nil, fmt.Errorf("bearer_token_file: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		transport.Proxy = nil
	}
	if request.URL.Scheme == "http" {
		to = onlyLoopback
	}
	if to != anywhere {
		transport.Proxy = nil // its address would be looked at, not the server's
	}
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout, Control: to.control}).DialContext
	if f.config.CAFile != "" {
		pool, err := readCertificates(f.config.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %d", response.StatusCode) // a redirect among them
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, withoutURL(err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return body, nil
}

// carriesBearer reports whether a request to u has the bearer token.
func (f *fetcher) carriesBearer(u *url.URL) bool {
	if f.config.BearerTokenFile == "" || u.Scheme != "https" {
		return false
	}
	return f.config.JWKSURL != "" && u.String() == f.config.JWKSURL || f.issuer.Scheme == "https" && hostPort(u) == hostPort(f.issuer)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// withoutURL is err without the address, part of which a document may have written.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func readFile(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name) //nolint:gosec // G304: what is configured
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("has more than %d bytes", limit)
	}
	return content, err
}

func readCertificates(name string) (*x509.CertPool, error) {
	content, err := readFile(name, maxFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}
