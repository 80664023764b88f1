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
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc/internal/keyset"
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
	heard  func(*http.Response) // told of each answer; nil: nobody is
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
		return keyset.Parse(body)
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
	return keyset.Parse(body)
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
		return nil, errAnotherIssuers
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

var errAnotherIssuers = errors.New("the document is another issuer's")

// statusError is an answer's status that isn't 200.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("the answer has status %d", int(e)) }

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
	if f.heard != nil {
		f.heard(response)
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response.StatusCode) // a redirect among them
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

// withoutURL is err without the address in its text, part of which a document may have written.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return unsaid{u}
	}
	return err
}

// unsaid is an error of a request that doesn't say its address, but to who unwraps it.
type unsaid struct{ sent *url.Error }

func (e unsaid) Error() string { return e.sent.Err.Error() }
func (e unsaid) Unwrap() error { return e.sent }

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

// reach is where a request may go, after its host has been resolved.
type reach int

const (
	anywhere     reach = iota // configured
	onlyLoopback              // plain HTTP
	onlyPublic                // named by a document
)

var (
	errNotLoopback = errors.New("plain HTTP is for loopback, and the host isn't there")
	errNotPublic   = errors.New("what a document names has to be public or on the issuer's host, and this is neither: configure jwks_url if it is right")
)

// control looks at each address that is dialed.
func (r reach) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("the address isn't one")
	}
	switch ip := to.Addr().Unmap(); {
	case r == onlyLoopback && !ip.IsLoopback():
		return errNotLoopback
	case r == onlyPublic && !public(ip):
		return errNotPublic
	}
	return nil
}

// special are the blocks of IANA's special-purpose registries that aren't globally reachable, or reach an IPv4 address that would have to be looked at itself.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// global are the IPv6 addresses that are given out, and notGlobal what among them is special.
var (
	global    = netip.MustParsePrefix("2000::/3")
	notGlobal = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// public reports whether ip, unmapped, is on the Internet.
func public(ip netip.Addr) bool {
	within := func(all []netip.Prefix) bool {
		for _, p := range all {
			if p.Contains(ip) {
				return true
			}
		}
		return false
	}
	if ip.Is4() {
		return !within(special)
	}
	return ip.Is6() && ip.Zone() == "" && global.Contains(ip) && !within(notGlobal)
}
