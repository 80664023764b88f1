package client

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
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// trouble says what it means that a request to where had no answer, and whether it may be tried again.
func trouble(err error, where string, token provider.Secret) (e *provider.Error, again bool) {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // the rest is where, once more
	}
	fail := func(kind provider.Kind, sentence, hint string) *provider.Error {
		return &provider.Error{Kind: kind, Hint: hint, Err: fmt.Errorf("%s %s: %w", where, sentence, harmless(err, token))}
	}
	if e = untrusted(err, fail); e != nil {
		return e, false
	}
	var (
		dns     *net.DNSError
		timeout net.Error
		op      *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return fail(provider.ErrTimeout, "wasn't waited for", ""), false
	case errors.As(err, &timeout) && timeout.Timeout(): // deadlines too
		return fail(provider.ErrTimeout, "didn't answer in time", "see whether it can be reached from here, through a firewall or a proxy, and is well"), false
	case errors.As(err, &dns):
		return fail(provider.ErrUnavailable, "can't be found", "check the name of the host, and that this machine's DNS knows it"), false
	case strings.Contains(err.Error(), "invalid proxy address"): // which may have a password
		e = fail(provider.ErrMisconfigured, "can't be asked", "set HTTPS_PROXY to a URL as http://proxy.example.com:3128")
		e.Err = errors.New("the proxy's address in the environment is no URL")
		return e, false
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return fail(provider.ErrUnavailable, "can't be asked through the proxy", "check HTTPS_PROXY and NO_PROXY"), true
	case errors.As(err, &op) && op.Op == "dial":
		return fail(provider.ErrUnavailable, "can't be reached", "see whether the service is running there, and check the URL's port"), true
	case errors.As(err, &op) && (op.Op == "read" || op.Op == "write"), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), lost(err):
		return fail(provider.ErrUnavailable, "ended the connection before its answer did", "try again; if it stays so, look at the service and at the proxy before it"), true
	default:
		return fail(provider.ErrUnavailable, "couldn't be asked", "see whether the URL is the service's, and what is between"), false
	}
}

// lost recognizes what net/http has no types for.
func lost(err error) bool {
	text := err.Error()
	return strings.Contains(text, "http2: server sent GOAWAY") || strings.Contains(text, "http2: client connection lost") ||
		strings.Contains(text, "server closed idle connection")
}

// untrusted recognizes failures of TLS; nil: it is none.
func untrusted(err error, fail func(kind provider.Kind, sentence, hint string) *provider.Error) *provider.Error {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &unknown):
		return fail(provider.ErrMisconfigured, "has a certificate of an authority that isn't trusted here",
			"if the authority is one of your own, give its certificate as CA file, or add it to this machine's")
	case errors.As(err, &host):
		return fail(provider.ErrMisconfigured, "has a certificate for another name", "check the URL's host")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fail(provider.ErrMisconfigured, "has a certificate that has expired, or isn't valid yet, by this machine's clock",
			"check this machine's date and time (now "+time.Now().UTC().Format(time.RFC3339)+"); if they are right, the service's certificate has to be renewed")
	case errors.As(err, &verify), errors.As(err, &invalid):
		return fail(provider.ErrMisconfigured, "has a certificate that can't be trusted", "the service's operator has to look at it")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fail(provider.ErrMisconfigured, "doesn't speak TLS", "check the URL's port")
	case errors.As(err, &alert):
		return fail(provider.ErrMisconfigured, "ended the TLS handshake", "see which versions of TLS it speaks, and whether it wants a client's certificate")
	}
	return nil
}
