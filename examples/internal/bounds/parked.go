package bounds

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// parking is how long a connection is held that there is no room for, at least.
	parking = 2 * time.Second
	// partings are how many a second are closed then: those that are closed all at once come again all at once.
	partings = 1000
)

// parked holds connections for a while before they are closed, without reading from them, and without a goroutine for each. Who is closed at once comes again at
// once, and thousands that do are always first in the kernel's line, where everybody who connects waits behind them.
type parked struct {
	taken  chan struct{} // has one for each that is held
	places chan place    // in the order in which they came
	ended  chan struct{}
	begin  sync.Once
	end    sync.Once
}

type place struct {
	conn  net.Conn
	until time.Time
}

func newParked(most int) *parked {
	return &parked{taken: make(chan struct{}, most), places: make(chan place, most), ended: make(chan struct{})}
}

// hold takes a connection, if there is a place.
func (p *parked) hold(conn net.Conn) bool {
	select {
	case p.taken <- struct{}{}:
	default:
		return false
	}
	p.places <- place{conn, time.Now().Add(parking)}
	p.begin.Do(func() { go p.run() })
	select {
	case <-p.ended: // perhaps after run looked for the last time
		p.empty()
	default:
	}
	return true
}

// run closes what has been held for long enough, until close.
func (p *parked) run() {
	pace := rate.NewLimiter(partings, 1)
	for {
		select {
		case held := <-p.places:
			timer := time.NewTimer(max(time.Until(held.until), pace.Reserve().Delay()))
			select {
			case <-timer.C:
			case <-p.ended:
				timer.Stop()
			}
			p.part(held)
		case <-p.ended:
			p.empty()
			return
		}
	}
}

func (p *parked) empty() {
	for {
		select {
		case held := <-p.places:
			p.part(held)
		default:
			return
		}
	}
}

func (p *parked) part(from place) {
	_ = from.conn.Close()
	<-p.taken
}

// close closes all that are held, and those that come.
func (p *parked) close() { p.end.Do(func() { close(p.ended) }) }
