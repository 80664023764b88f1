// Package bounds is how much there is at once: connections, requests in flight, scrapes. What is more waits, or is told so; nobody who floods takes what others need.
package bounds

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// evictions are how many connections a second go for others at most: accepting those who come again at once would take all of the processor.
	evictions = 500
	// replacements are how many a second go for others of their own address, and half of that in a burst.
	replacements = 200
	// rejections are how many a second are accepted in vain, and not even held: the next ones wait in the kernel.
	rejections = 5000
	// share is the part of all connections that one address may have.
	share = 2
	// refusals are how many a second are answered at once, and a fifth of that in a burst. More wait, for as long as mostPaced: who guesses, or floods, gets
	// no more of the processor than that.
	refusals  = 500
	mostPaced = 2 * time.Second
)

// least is how long a connection may wait in any case: for a header to arrive, and for what of HTTP/2 is on its way out when it counts as idle.
const least = 50 * time.Millisecond

// Connections bounds the connections of one http.Server, half of which one address may have. When there are too many, the one goes that has waited longest without a request that is answered: it sends
// its header slowly, or nothing. What is more of one address is held for two seconds, as long as there are places, and then closed. While all have a request that is answered, no more are accepted. So a flood of connections that say nothing makes room for
// those who have something to say, which a mere limit wouldn't.
type Connections struct {
	max      int
	evict    *rate.Limiter
	replace  *rate.Limiter
	reject   *rate.Limiter
	refusals *rate.Limiter
	parked   *parked

	mu      sync.Mutex
	room    sync.Cond
	open    int
	waiting list.List // of *connection, without a request: the longest first
	from    map[netip.Addr]int
	closed  bool
	ended   uint64
}

// NewConnections returns a bound of so many connections, beside which so many may be held that nobody reads from.
func NewConnections(most, held int) *Connections {
	c := &Connections{
		max: most, parked: newParked(held), evict: rate.NewLimiter(evictions, evictions/5), replace: rate.NewLimiter(replacements, replacements/2),
		reject: rate.NewLimiter(rejections, rejections/5), refusals: rate.NewLimiter(refusals, refusals/5),
	}
	c.room.L, c.from = &c.mu, map[netip.Addr]int{}
	return c
}

// Apply has a server and its listener keep the bound. It has to come before Serve and ServeTLS, once.
func (c *Connections) Apply(s *http.Server, l net.Listener) net.Listener {
	next, told := s.Handler, s.ConnState
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one, ok := r.Context().Value(connectionKey{}).(*connection)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		one.answers()
		status := statuses.Get().(*statusWriter)
		status.ResponseWriter, status.status = w, 0
		next.ServeHTTP(status, r)
		refused := repels(status.status)
		status.ResponseWriter = nil
		statuses.Put(status)
		if refused {
			c.pace(r.Context(), one)
		}
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

// repels says which answers cost who asks nothing, so that nothing but their pace keeps him from asking again.
func repels(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusTooManyRequests, http.StatusNotFound, http.StatusBadRequest, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// pace holds an answer back while there are too many of its kind. The connection may go for others meanwhile.
func (c *Connections) pace(ctx context.Context, one *connection) {
	reserved := c.refusals.Reserve()
	wait := reserved.Delay()
	if wait == 0 {
		return
	}
	if wait > mostPaced {
		reserved.Cancel()
		wait = mostPaced
	}
	one.waits()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// statusWriter remembers an answer's status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

var statuses = sync.Pool{New: func() any { return &statusWriter{} }}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		one := &connection{Conn: accepted, bound: c, address: addressOf(accepted)}
		if !c.roomForAddress(one.address) {
			if !c.parked.hold(accepted) {
				_ = accepted.Close() // at once, and without a goroutine: whoever it is comes again
				time.Sleep(c.reject.Reserve().Delay())
			}
			continue
		}
		for !c.enter(one) {
			if !c.wait() {
				_ = accepted.Close()
				return nil, net.ErrClosed
			}
			c.makeRoom()
		}
		return one, nil
	}
}

func addressOf(conn net.Conn) netip.Addr {
	port, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	address := port.Addr().Unmap()
	if address.Is6() { // one customer has a network
		network, _ := address.WithZone("").Prefix(64) // of 128 bits
		return network.Addr()
	}
	return address
}

// enter counts a connection, if there is room.
func (c *Connections) enter(one *connection) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.max {
		return false
	}
	c.open++
	c.from[one.address]++
	one.since, one.element = time.Now(), c.waiting.PushBack(one)
	return true
}

// roomForAddress ends the address's own connection that has waited longest, if it has more than its share. It is false if there is none, or too many went.
func (c *Connections) roomForAddress(address netip.Addr) bool {
	c.mu.Lock()
	if c.from[address] < max(1, c.max/share) {
		c.mu.Unlock()
		return true
	}
	var victim *connection
	for e := c.waiting.Front(); e != nil && victim == nil; e = e.Next() {
		if one := e.Value.(*connection); one.address == address && (!one.served || time.Since(one.since) >= least) {
			victim = one
		}
	}
	if victim == nil || !c.replace.Allow() {
		c.mu.Unlock()
		return false
	}
	c.ended++
	c.mu.Unlock()
	_ = victim.Close()
	return true
}

// makeRoom ends the connection that has waited longest, once it may be, if there is no room.
func (c *Connections) makeRoom() {
	c.mu.Lock()
	first := c.waiting.Front()
	if c.open < c.max || first == nil {
		c.mu.Unlock()
		return
	}
	victim := first.Value.(*connection)
	early := least - time.Since(victim.since)
	if early <= 0 {
		c.ended++
	}
	c.mu.Unlock()
	if early > 0 {
		time.Sleep(early) // the others are no older
		return
	}
	_ = victim.Close() // it is nobody's loss
	time.Sleep(c.evict.Reserve().Delay())
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.bound.mu.Lock()
	l.bound.closed = true
	l.bound.room.Broadcast()
	l.bound.mu.Unlock()
	l.bound.parked.close()
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
	bound   *Connections
	address netip.Addr

	// By the bound's mutex.
	since   time.Time     // when it began to wait
	served  bool          // it has had a request
	element *list.Element // nil while it has a request that is answered, and once it is closed
	gone    bool
}

// answers notes that it has a request, or another one.
func (c *connection) answers() {
	c.bound.mu.Lock()
	defer c.bound.mu.Unlock()
	c.served = true
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
		if b.from[c.address]--; b.from[c.address] == 0 {
			delete(b.from, c.address)
		}
		if c.element != nil {
			b.waiting.Remove(c.element)
			c.element = nil
		}
		b.room.Signal()
	}
	b.mu.Unlock()
	return c.Conn.Close()
}
