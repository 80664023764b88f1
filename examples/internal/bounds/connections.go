// Package bounds is how much there is at once: connections, requests in flight, scrapes. What is more waits, or is told so; nobody who floods takes what others need.
package bounds

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// least is how long a connection may wait in any case: for a header to arrive, and for what of HTTP/2 is on its way out when it counts as idle.
const least = 50 * time.Millisecond

// Connections bounds the connections of one http.Server. When there are too many, the one goes that has waited longest without a request that is answered: it sends
// its header slowly, or nothing. While all have a request that is answered, no more are accepted. So a flood of connections that say nothing makes room for
// those who have something to say, which a mere limit wouldn't.
type Connections struct {
	max int

	mu      sync.Mutex
	room    sync.Cond
	open    int
	waiting list.List // of *connection, without a request: the longest first
	closed  bool
	ended   uint64
}

// NewConnections returns a bound of max connections.
func NewConnections(max int) *Connections {
	c := &Connections{max: max}
	c.room.L = &c.mu
	return c
}

// Apply has a server and its listener keep the bound. It has to come before Serve and ServeTLS, once.
func (c *Connections) Apply(s *http.Server, l net.Listener) net.Listener {
	next, told := s.Handler, s.ConnState
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if one, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			one.answers()
		}
		next.ServeHTTP(w, r)
	})
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, plain(conn))
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if one, ok := plain(conn).(*connection); ok && state == http.StateIdle { // answers have been sent: a handler returns before that
			one.waits()
		}
		if told != nil {
			told(conn, state)
		}
	}
	return &listener{l, c}
}

func plain(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn
}

// Ended is how many connections had to go for others.
func (c *Connections) Ended() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

type connectionKey struct{}

type listener struct {
	net.Listener
	bound *Connections
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c := l.bound
	if !c.wait() {
		return nil, net.ErrClosed
	}
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	one := &connection{Conn: accepted, bound: c}
	for {
		c.mu.Lock()
		if c.open < c.max {
			c.open++
			one.since, one.element = time.Now(), c.waiting.PushBack(one)
			c.mu.Unlock()
			return one, nil
		}
		var victim *connection
		var early time.Duration
		if first := c.waiting.Front(); first != nil {
			victim = first.Value.(*connection)
			if early = least - time.Since(victim.since); early <= 0 {
				c.ended++
			}
		}
		c.mu.Unlock()
		switch {
		case victim == nil && !c.wait():
			_ = accepted.Close()
			return nil, net.ErrClosed
		case victim == nil:
		case early > 0:
			time.Sleep(early) // the others are no older
		default:
			_ = victim.Close() // it is nobody's loss
		}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.bound.mu.Lock()
	l.bound.closed = true
	l.bound.room.Broadcast()
	l.bound.mu.Unlock()
	return l.Listener.Close()
}

// wait waits until there is room, or somebody who can go. It is false once the listener is closed.
func (c *Connections) wait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && c.open >= c.max && c.waiting.Len() == 0 {
		c.room.Wait()
	}
	return !c.closed
}

type connection struct {
	net.Conn
	bound *Connections

	// By the bound's mutex.
	since   time.Time     // when it began to wait
	element *list.Element // nil while it has a request that is answered, and once it is closed
	gone    bool
}

// answers notes that it has a request, or another one.
func (c *connection) answers() {
	c.bound.mu.Lock()
	defer c.bound.mu.Unlock()
	if c.element != nil {
		c.bound.waiting.Remove(c.element)
		c.element = nil
	}
}

// waits notes that it has none any more.
func (c *connection) waits() {
	c.bound.mu.Lock()
	defer c.bound.mu.Unlock()
	if c.element == nil && !c.gone {
		c.since, c.element = time.Now(), c.bound.waiting.PushBack(c)
		c.bound.room.Signal()
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	b := c.bound
	b.mu.Lock()
	if !c.gone {
		c.gone = true
		b.open--
		if c.element != nil {
			b.waiting.Remove(c.element)
			c.element = nil
		}
		b.room.Signal()
	}
	b.mu.Unlock()
	return c.Conn.Close()
}
