package tokenserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// maxBody is how much of an answer is read. A token of 16 KiB fits.
	maxBody = 64 << 10
	// maxHeaders is how many bytes of headers are.
	maxHeaders = 64 << 10
	// patience is how long one request may take.
	patience = 20 * time.Second
	// idle is how many connections to a host are kept.
	idle = 64
)

// Sender sends requests, each once, over connections that are kept. It follows no redirection.
type Sender struct{ transport http.RoundTripper }

// NewSender makes one that uses a copy of transport, or transport itself if it isn't net/http's.
func NewSender(transport http.RoundTripper) Sender {
	if t, ok := transport.(*http.Transport); ok {
		own := t.Clone()
		own.DisableCompression = true // what is small when it comes is small when it is read
		own.MaxResponseHeaderBytes = maxHeaders
		own.MaxIdleConnsPerHost = idle
		if proxy := own.Proxy; proxy != nil {
			own.Proxy = func(r *http.Request) (*url.URL, error) { // it would read what isn't encrypted
				if r.URL.Scheme != "https" {
					return nil, nil //nolint:nilnil // no proxy
				}
				return proxy(r)
			}
		}
		transport = own
	}
	return Sender{transport}
}

// CloseIdle lets go of the connections that are kept.
func (s Sender) CloseIdle() {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// errPlainHTTP: plain HTTP is spoken where TLS was.
var errPlainHTTP = errors.New("plain HTTP")

// send sends r, with http.Transport's ways alone: no redirections, no cookies. who is whom it goes to, in words.
func (s Sender) send(ctx context.Context, r *http.Request, op, who string) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := answer{began: time.Now()}
	response, err := s.transport.RoundTrip(r.WithContext(limited))
	if err != nil {
		return answer{}, unsent(ctx, limited, r.URL, err, op, who)
	}
	defer func() { _ = response.Body.Close() }()
	a.status, a.header, a.came = response.StatusCode, response.Header, time.Now()
	a.body, err = readBody(response)
	switch {
	case err != nil:
		return answer{}, unsent(ctx, limited, r.URL, err, op, who)
	case len(a.body) > maxBody:
		return answer{}, fail(provider.ErrBadResponse, op, "", "the answer of %s is longer than %d bytes", who, maxBody)
	}
	return a, nil
}

// readBody reads what there is, but no more than one byte too much.
func readBody(response *http.Response) (string, error) {
	if n := response.ContentLength; n >= 0 && n <= maxBody {
		body := make([]byte, n)
		_, err := io.ReadFull(response.Body, body) // with its end, so that the connection is kept
		return string(body), err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	return string(body), err
}

// unsent makes an error of a request without an answer. err's own text may quote what the other side said.
func unsent(ctx, limited context.Context, to *url.URL, err error, op, who string) error {
	if ctx.Err() != nil {
		return &provider.Error{Kind: provider.ErrTimeout, Op: op, Err: ctx.Err()}
	}
	var network net.Error
	if limited.Err() != nil || errors.As(err, &network) && network.Timeout() {
		return fail(provider.ErrTimeout, op, "", "%s gave no answer in time", who)
	}
	if record := (tls.RecordHeaderError{}); errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" {
		err = http.ErrSchemeMismatch // as http.Client says it
	}
	failure, explained := probe.Explain(&url.Error{Op: "ask", URL: to.Scheme + "://" + to.Host, Err: err})
	if !explained {
		return fail(provider.ErrUnavailable, op, "", "%s can't be asked", who)
	}
	e := fail(provider.ErrUnavailable, op, failure.Remedy, "%s can't be asked: %s", who, failure.Summary)
	if failure.PlainHTTP {
		e.Err = errors.Join(e.Err, errPlainHTTP)
	}
	return e
}

// get makes a request without a login.
func get(to *url.URL) *http.Request {
	return &http.Request{
		Method: http.MethodGet, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"rise-registry-go"}},
	}
}

// at is a path on a host.
func at(base *url.URL, path string) *url.URL {
	return &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path}
}
