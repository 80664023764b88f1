package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
)

// maxBody is how much of an answer is read.
const maxBody = 16 << 10

// maxHeaders is how many bytes of headers are.
const maxHeaders = 64 << 10

// Answer is what asking a host gave.
type Answer struct {
	// Failure is set when there was no answer of HTTP.
	Failure *Failure
	// Status, Header and Body (its beginning) are the answer's.
	Status int
	Header http.Header
	Body   []byte
	// Certificate is the one that the host showed; nil without TLS.
	Certificate *x509.Certificate
	// Evidence are host, address, proxy, TLS version and HTTP status, as far as they are known.
	Evidence []slog.Attr
}

// IsPage reports whether the answer is for people: a website's, or a login page of a proxy. Registries that call their own answers
// HTML, as Quay does, say what they are.
func (a Answer) IsPage() bool {
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return err == nil && kind == "text/html" && a.Header.Get("Docker-Distribution-Api-Version") == ""
}

// Host asks hosts over HTTP. It follows no redirection.
type Host struct{ client *http.Client }

// NewHost makes a Host that uses a copy of transport, or transport itself if it isn't net/http's.
func NewHost(transport http.RoundTripper) Host {
	if t, ok := transport.(*http.Transport); ok {
		own := t.Clone()
		own.DisableKeepAlives = true // so that each answer shows its whole way
		own.MaxResponseHeaderBytes = maxHeaders
		transport = own
	}
	return Host{&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// trace notes how a request goes. net/http calls it from several goroutines.
type trace struct {
	mu              sync.Mutex
	step            string
	address, remote string
	proxy           string
	tls             string
}

func (t *trace) note(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.note(func() { t.step = "dns" }) },
		ConnectStart:      func(_, address string) { t.note(func() { t.step, t.address = "tcp", address }) },
		ConnectDone:       func(_, _ string, err error) { t.note(func() { t.connected(err) }) },
		TLSHandshakeStart: func() { t.note(func() { t.step = "tls" }) },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				t.note(func() { t.step, t.tls = "http", tls.VersionName(s.Version) })
			}
		},
		GotConn: func(i httptrace.GotConnInfo) {
			t.note(func() { t.step, t.remote = "http", i.Conn.RemoteAddr().String() })
		},
	}
}

func (t *trace) connected(err error) {
	if err == nil && t.proxy != "" {
		t.step = "proxy"
	}
}

// Do asks. login may be nil.
func (h Host) Do(ctx context.Context, method, address string, login *url.Userinfo) Answer {
	if login == nil {
		return h.DoAs(ctx, method, address, "")
	}
	password, _ := login.Password()
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(login.Username(), password)
	return h.DoAs(ctx, method, address, r.Header.Get("Authorization"))
}

// DoAs asks with an Authorization header; without one if it is empty.
func (h Host) DoAs(ctx context.Context, method, address, authorization string) Answer {
	return h.do(ctx, method, address, authorization, "")
}

// DoFor asks as if the host had that name: it is in the request's Host header, and nowhere else.
func (h Host) DoFor(ctx context.Context, method, address, name string) Answer {
	return h.do(ctx, method, address, "", name)
}

func (h Host) do(ctx context.Context, method, address, authorization, name string) Answer {
	u, err := url.Parse(address)
	if err != nil {
		return Answer{Failure: &Failure{Step: "http", Summary: "the address can't be used", Remedy: "check the host"}}
	}
	t := &trace{}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, t.hooks()), method, address, nil)
	if err != nil {
		return Answer{Failure: &Failure{Step: "http", Summary: "the address can't be used", Remedy: "check the host"}}
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	r.Host = cmp.Or(name, r.Host)
	r.Header.Set("User-Agent", "rise-registry-go")
	if transport, ok := h.client.Transport.(*http.Transport); ok && transport.Proxy != nil {
		if proxy, err := transport.Proxy(r); err == nil && proxy != nil {
			t.proxy = proxy.Host
		}
	}
	resp, err := h.client.Do(r)
	a := Answer{}
	if err == nil {
		a.Status, a.Header = resp.StatusCode, resp.Header
		if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
			a.Certificate = resp.TLS.PeerCertificates[0]
		}
		a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
		_ = resp.Body.Close()
		if ctx.Err() == nil {
			err = nil // a body that breaks off is a beginning too
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.Evidence = t.evidence(u.Host)
	if a.Status != 0 {
		a.Evidence = append(a.Evidence, slog.Int("http_status", a.Status))
	}
	switch {
	case err != nil:
		a.Failure = t.failure(u.Host, err)
		a.Evidence = append(a.Evidence, slog.String("step", a.Failure.Step))
	case u.Scheme == "http" && a.Status == http.StatusBadRequest && bytes.Contains(a.Body, []byte("HTTPS")):
		f := speaksTLS(" " + u.Host) // as servers of Go and nginx say it
		a.Failure = &f
	}
	return a
}

func (t *trace) evidence(host string) []slog.Attr {
	attrs := []slog.Attr{slog.String("host", host)}
	for _, a := range []slog.Attr{
		slog.String("proxy", t.proxy), slog.String("address", t.address), slog.String("tls", t.tls),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

func (t *trace) failure(host string, err error) *Failure {
	f, ok := Explain(err)
	if !ok {
		f = Failure{Step: "http", Summary: "asking " + host + " failed", Remedy: "see the evidence"}
	}
	if f.Step == "http" && t.step != "" && t.step != "http" { // it hung
		f.Step = t.step
		what := map[string]string{
			"dns": "while looking up its name", "tcp": "while connecting", "tls": "in the TLS handshake", "proxy": "while connecting through the proxy " + t.proxy,
		}
		f.Summary += ", " + what[t.step]
	}
	if t.proxy != "" && (f.Step == "dns" || f.Step == "tcp" || f.Step == "proxy") {
		f = Failure{Step: "proxy", Summary: "the HTTP proxy " + t.proxy + " for " + host + " can't be reached or refuses",
			Remedy: "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"}
	}
	return &f
}
