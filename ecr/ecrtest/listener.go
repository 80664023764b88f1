package ecrtest

import (
	"context"
	"io"
	"log"
	"net"
	"strings"
	"sync"
)

// discard drops net/http's complaints about connections that faults cut.
var discard = log.New(io.Discard, "", 0)

// A memoryListener accepts connections that are net.Pipes.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr{} }

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }

// A countingListener counts the connections that it accepts.
type countingListener struct {
	net.Listener
	address string
	counter *connCounter
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.counter.add(l.address)
	}
	return c, err
}

// A connCounter counts connections by host:port.
type connCounter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *connCounter) add(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[address]++
}

// count takes host, host:port or a URL. A host without port stands for all its ports.
func (c *connCounter) count(endpoint string) int {
	if _, rest, found := strings.Cut(endpoint, "://"); found {
		endpoint = rest
	}
	endpoint, _, _ = strings.Cut(endpoint, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for address, n := range c.counts {
		host, _, _ := net.SplitHostPort(address)
		if endpoint == "" || endpoint == address || endpoint == host {
			total += n
		}
	}
	return total
}
