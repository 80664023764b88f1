package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

const bearer = "a-token-of-forty-characters-or-so-0123456"

type caller string

func (c caller) Subject() string { return string(c) }

// ourHandler is the credentials endpoint as a service mounts it: static tokens, p, and an audit log that nobody reads.
func ourHandler(p provider.Provider) http.Handler {
	want := sha256.Sum256([]byte(bearer))
	log := endpoint.Log(slog.New(slog.NewJSONHandler(io.Discard, nil))) //nolint:sloglint // formatting is part of the cost
	return endpoint.New(p, func(r *http.Request) (caller, error) {
		token, ok := endpoint.BearerToken(r)
		if got := sha256.Sum256([]byte(token.Reveal())); !ok || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return "", endpoint.ErrUnauthenticated
		}
		return "ci", nil
	}, func(_ context.Context, _ caller, r provider.Request) error {
		if r.Project != "hello" {
			return provider.ErrNotFound
		}
		return nil
	}, endpoint.WithAudit(log))
}

// bareHandler writes the same answer, and nothing else.
func bareHandler(answer *http.Response, body []byte) http.Handler {
	header := answer.Header.Clone()
	header.Del("Date")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for key, values := range header {
			h[key] = values
		}
		_, _ = w.Write(body)
	})
}

// handlers compares the two: requests a second over connections that are kept, by that of the bare one; the time of this process's
// cores a request, client and server together, by that with the bare one; and allocations a request, the http.Server's and the same for both included.
type handlers struct {
	ratio, cost           float64
	ours, bare            float64 // requests a second
	ourAllocs, bareAllocs float64
}

func compareHandlers(p provider.Provider, rounds, requests int) (handlers, error) {
	full := ourHandler(p)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+bearer)
	w := httptest.NewRecorder()
	full.ServeHTTP(w, r)
	answer := w.Result()
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusOK {
		return handlers{}, errors.Join(err, errors.New(answer.Status))
	}
	return compare(full, bareHandler(answer, body), []string{endpointRequest}, nil, rounds, requests)
}

// compare sends the same requests, in turns, to one handler and to the bare one that it is measured by. Before each round it calls renew, if there is one.
func compare(handler, floor http.Handler, texts []string, renew func() error, rounds, requests int) (handlers, error) {
	full, bare := httptest.NewServer(handler), httptest.NewServer(floor)
	defer full.Close()
	defer bare.Close()
	var h handlers
	var ours, bares, ratios, costs, ourAllocs, bareAllocs []float64
	for range rounds {
		if renew != nil {
			if err := renew(); err != nil {
				return handlers{}, err
			}
		}
		b, err := throughput(bare, texts, requests)
		if err != nil {
			return handlers{}, err
		}
		o, err := throughput(full, texts, requests)
		if err != nil {
			return handlers{}, err
		}
		ours, bares, ratios = append(ours, o.perSecond), append(bares, b.perSecond), append(ratios, o.perSecond/b.perSecond)
		costs, ourAllocs, bareAllocs = append(costs, ratio(o.cores, b.cores)), append(ourAllocs, o.allocs), append(bareAllocs, b.allocs)
	}
	h.ours, h.bare, h.ratio, h.cost = median(ours), median(bares), median(ratios), median(costs)
	h.ourAllocs, h.bareAllocs = median(ourAllocs), median(bareAllocs)
	return h, nil
}

const (
	path    = "/api/v1/registry/credentials?project=hello"
	clients = 4

	endpointRequest = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + bearer + "\r\n\r\n"
)

// sent is what requests took.
type sent struct {
	perSecond, allocs float64
	cores             time.Duration // of this process, a request
}

// coreTime is how long this process has run on a core: the machine's other work doesn't count.
func coreTime() (time.Duration, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), err
}

// throughput sends so many requests, one text after the other, over kept connections; none twice, if there are as many texts.
func throughput(server *httptest.Server, texts []string, requests int) (sent, error) {
	connections, failures := make([]*connection, clients), make([]error, clients)
	for i := range connections {
		c, err := connect(server)
		if err != nil {
			return sent{}, err
		}
		defer c.close()
		connections[i] = c
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	used, err := coreTime()
	if err != nil {
		return sent{}, err
	}
	start := time.Now()
	var wait sync.WaitGroup
	for i, c := range connections {
		wait.Go(func() {
			for k := 0; k < requests/clients && failures[i] == nil; k++ {
				failures[i] = c.send(texts[(k*clients+i)%len(texts)])
			}
		})
	}
	wait.Wait()
	took := time.Since(start)
	usedAfter, err := coreTime()
	if err != nil {
		return sent{}, err
	}
	runtime.ReadMemStats(&after)
	n := requests / clients * clients
	return sent{
		perSecond: float64(n) / took.Seconds(), allocs: float64(after.Mallocs-before.Mallocs) / float64(n), cores: (usedAfter - used) / time.Duration(n),
	}, errors.Join(failures...)
}

// connection is a client that does next to nothing, since it shares the machine.
type connection struct {
	net.Conn
	reader *bufio.Reader
}

func connect(server *httptest.Server) (*connection, error) {
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	return &connection{c, bufio.NewReaderSize(c, 16<<10)}, nil
}

func (c *connection) close() { _ = c.Close() }

// send sends a request and reads its answer.
func (c *connection) send(text string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !strings.HasPrefix(string(line), "HTTP/1.1 200 ") {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	_, err := c.reader.Discard(length)
	return err
}
