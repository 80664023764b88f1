package ecrtest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awswire"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/images"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/podidentity"
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

// maxCalls bounds the record of calls: a server that runs for long forgets the oldest.
const maxCalls = 200_000

// door is where requests come in: it finds the protocol of each, records the call, and lets faults spoil the answer.
type door struct {
	now            func() time.Time
	images         *images.Protocol
	sts, ecr, pods awswire.Protocol
	done           chan struct{} // closed when the server is

	mu     sync.Mutex // guards all below, and the calls themselves. The cloud is never locked with it.
	calls  []*awswire.Call
	faults []*fault
}

func (d *door) handler(only service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p awswire.Protocol
		limit := int64(maxAPIBody)
		c := &awswire.Call{Time: d.now(), Method: r.Method, Path: r.URL.Path, RequestID: requestID()}
		target := r.Header.Get("X-Amz-Target")
		switch {
		case only == anyService && (r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/")):
			p, c.Service = d.images, ServiceRegistry
			if d.images.HasToken(r) {
				limit = maxBlobBody
			}
		case only == anyService && strings.HasPrefix(r.URL.Path, podidentity.Path):
			p, c.Service = d.pods, ServicePodIdentity
		case target == "" && only != ecrService:
			p, c.Service = d.sts, ServiceSTS
		case only != stsService:
			p, c.Service = d.ecr, ServiceECR
		default:
			d.date(w.Header())
			http.Error(w, "this listener serves STS only", http.StatusNotFound)
			return
		}
		d.answer(w, r, p, c, limit)
	})
}

// requestID is a random UUID.
func requestID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// record keeps a call that begins and finds the fault that hits it; one that does nothing when there is none.
func (d *door) record(c *awswire.Call) *Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) >= maxCalls {
		d.calls = slices.Clone(d.calls[maxCalls/2:])
	}
	d.calls = append(d.calls, c)
	for _, f := range d.faults {
		if f.hits(Call(*c)) {
			c.Fault = true
			return &f.Fault
		}
	}
	return &Fault{}
}

func (d *door) recorded() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Call, len(d.calls))
	for i, c := range d.calls {
		out[i] = Call(*c)
		out[i].Form = maps.Clone(c.Form)
	}
	return out
}

func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = nil
}

func (d *door) inject(f Fault) (remove func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := &fault{Fault: f}
	d.faults = append(d.faults, one)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.faults = slices.DeleteFunc(d.faults, func(x *fault) bool { return x == one })
	}
}

func (d *door) answer(w http.ResponseWriter, r *http.Request, p awswire.Protocol, c *awswire.Call, limit int64) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			d.date(w.Header())
			http.Error(w, "request body is larger than "+strconv.FormatInt(limit, 10)+" bytes", http.StatusRequestEntityTooLarge)
			return
		}
		cut(w)
		return
	}
	p.Describe(r, body, c)
	f := d.record(c)
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		case <-d.done:
			cut(w)
			return
		}
	}
	var resp awswire.Response
	switch replaced := f.replaces(); {
	case f.Reset:
		cut(w)
		return
	case replaced != nil:
		resp = p.Fail(replaced, c)
	case f.Status != 0:
		resp = awswire.Response{Status: f.Status, Body: []byte(http.StatusText(f.Status) + "\n")}
	default:
		// handle works on a copy: Calls may read c at any time.
		done := *c
		resp = p.Handle(r, body, &done)
		resp.Body = f.spoil(resp.Body)
		d.mu.Lock()
		*c = done
		d.mu.Unlock()
	}
	if f.Lost {
		cut(w)
		return
	}
	d.mu.Lock()
	c.Status, c.ErrorCode = resp.Status, resp.Code
	d.mu.Unlock()
	header := w.Header()
	d.date(header)
	header.Set("X-Amzn-Requestid", c.RequestID)
	for _, from := range []http.Header{resp.Header, f.Header} {
		for name, values := range from {
			header[http.CanonicalHeaderKey(name)] = values // of none, net/http sends none, not even a Date of its own
		}
	}
	if r.Method != http.MethodHead || header.Get("Content-Length") == "" {
		header.Set("Content-Length", strconv.Itoa(len(resp.Body)))
	}
	w.WriteHeader(resp.Status)
	if r.Method == http.MethodHead {
		return
	}
	if f.Truncate {
		_, _ = w.Write(resp.Body[:len(resp.Body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(resp.Body)
}

// date sets the time of an answer, by the server's clock.
func (d *door) date(header http.Header) {
	header.Set("Date", d.now().UTC().Format(http.TimeFormat))
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
