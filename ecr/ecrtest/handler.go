package ecrtest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// service is what a listener serves.
type service uint8

const (
	anyService service = iota
	stsService
	ecrService
)

// Limits of request bodies.
const (
	maxAPIBody  = 1 << 20
	maxBlobBody = 512 << 20
)

// response is an answer before faults and the wire.
type response struct {
	status int
	header http.Header
	body   []byte
	code   string // AWS's error code
}

// A protocol is one of the services: how a request is read, carried out and answered.
type protocol interface {
	// describe fills in what the request itself says: Action, Region, AccessKeyID, parameters.
	describe(r *http.Request, body []byte, c *Call)
	// handle carries the request out. It completes c.
	handle(r *http.Request, body []byte, c *Call) response
	// fail makes the answer for an error.
	fail(e *awsError, c *Call) response
}

func (s *Server) handler(only service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p protocol
		limit := int64(maxAPIBody)
		c := &Call{Time: s.now(), Method: r.Method, Path: r.URL.Path, RequestID: requestID()}
		target := r.Header.Get("X-Amz-Target")
		switch {
		case only == anyService && (r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/")):
			p, c.Service = registryProtocol{s}, ServiceRegistry
			if s.hasToken(r) {
				limit = maxBlobBody
			}
		case only == anyService && strings.HasPrefix(r.URL.Path, podPath):
			p, c.Service = podProtocol{s}, ServicePodIdentity
		case target == "" && only != ecrService:
			p, c.Service = stsProtocol{s}, ServiceSTS
		case only != stsService:
			p, c.Service = ecrProtocol{s}, ServiceECR
		default:
			s.date(w.Header())
			http.Error(w, "this listener serves STS only", http.StatusNotFound)
			return
		}
		s.answer(w, r, p, c, limit)
	})
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, p protocol, c *Call, limit int64) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			s.date(w.Header())
			http.Error(w, "request body is larger than "+strconv.FormatInt(limit, 10)+" bytes", http.StatusRequestEntityTooLarge)
			return
		}
		cut(w)
		return
	}
	p.describe(r, body, c)
	s.mu.Lock()
	s.record(c)
	f := s.faultFor(*c)
	c.Fault = f != nil
	s.mu.Unlock()
	if f == nil {
		f = &Fault{}
	}
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		case <-s.done:
			cut(w)
			return
		}
	}
	var resp response
	switch replaced := f.replaces(); {
	case f.Reset:
		cut(w)
		return
	case replaced != nil:
		resp = p.fail(replaced, c)
	case f.Status != 0:
		resp = response{status: f.Status, body: []byte(http.StatusText(f.Status) + "\n")}
	default:
		// handle works on a copy: Calls may read c at any time.
		done := *c
		resp = p.handle(r, body, &done)
		resp.body = f.spoil(resp.body)
		s.mu.Lock()
		*c = done
		s.mu.Unlock()
	}
	if f.Lost {
		cut(w)
		return
	}
	s.mu.Lock()
	c.Status, c.ErrorCode = resp.status, resp.code
	s.mu.Unlock()
	header := w.Header()
	s.date(header)
	header.Set("X-Amzn-Requestid", c.RequestID)
	for _, from := range []http.Header{resp.header, f.Header} {
		for name, values := range from {
			header[http.CanonicalHeaderKey(name)] = values // of none, net/http sends none, not even a Date of its own
		}
	}
	if r.Method != http.MethodHead || header.Get("Content-Length") == "" {
		header.Set("Content-Length", strconv.Itoa(len(resp.body)))
	}
	w.WriteHeader(resp.status)
	if r.Method == http.MethodHead {
		return
	}
	if f.Truncate {
		_, _ = w.Write(resp.body[:len(resp.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(resp.body)
}

// date sets the time of an answer, by the server's clock.
func (s *Server) date(header http.Header) {
	header.Set("Date", s.now().UTC().Format(http.TimeFormat))
}

// cut ends the connection without an answer, by a TCP reset where there is TCP.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Hosts of the image registry and of the APIs, from which a request's account and region are taken when it comes
// through Transport.
var (
	registryHostPattern = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)
	apiHostPattern      = regexp.MustCompile(`^(?:api\.ecr|ecr|ecr-fips|sts|sts-fips)\.([a-z0-9-]+)\.`)
)

// dualStackDomains are those of dual-stack endpoints by partition, of APIs and of image registries.
var dualStackDomains = map[string][]string{
	"aws":        {"api.aws", "on.aws"},
	"aws-us-gov": {"api.aws", "on.aws"},
	"aws-cn":     {"api.amazonwebservices.com.cn", "on.amazonwebservices.com.cn"},
}

// resolves reports whether there may be such a host. Of names that aren't AWS's the server knows nothing.
func (s *Server) resolves(host string) bool {
	for _, pattern := range []*regexp.Regexp{registryHostPattern, apiHostPattern} {
		if m := pattern.FindStringSubmatch(host); m != nil && m[len(m)-1] != "amazonaws" { // sts.amazonaws.com
			domain := strings.TrimPrefix(host, m[0])
			return domain == s.dnsSuffix || slices.Contains(dualStackDomains[s.partition], domain) || host == s.cfg.RegistryHost
		}
	}
	return true
}

// knownRegion reports whether the server stands for a region.
func (s *Server) knownRegion(region string) bool {
	if region == s.cfg.Region {
		return true
	}
	for _, other := range s.cfg.OtherRegions {
		if region == other {
			return true
		}
	}
	return false
}
