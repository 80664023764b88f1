// Floods measures what the reference server's callers notice of somebody who floods it, and how much memory that takes: each flood beside one caller who asks
// for a credential that is kept, two hundred times a second, each second time over a new connection, as a credential helper does. It exits with 1 when a target isn't met.
//
//	cd benchmarks && go run ./floods
//	cd benchmarks && nice -n -10 go run ./floods -realtime # on a machine that has other work, as root
//
// A server that is flooded uses up its share of a busy machine, and waits for what else there is, which it doesn't while it is alone: that would be measured too.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// mostSlower is what another caller's 99th percentile may be, by what it is alone.
	mostSlower = 3
	// mostMemory is what the operators' guide names, in MiB.
	mostMemory = 256
)

func main() {
	seconds := flag.Int("seconds", 20, "how long each flood is measured")
	only := flag.String("only", "", "measure this flood, by its name, and no other")
	realtime := flag.Bool("realtime", false, "have the server run before all else on this machine, by chrt, which needs root: where there is other work")
	i := flag.Int("flood", -1, "be that flood; for this program's own use")
	address := flag.String("address", "", "of the server that is flooded; for this program's own use")
	aws := flag.Bool("aws", false, "be the double of AWS; for this program's own use")
	flag.Parse()
	if *aws {
		serveAWS(25 * time.Millisecond)
	}
	if *i >= 0 {
		flood(*i, *address)
		return
	}
	ok, err := run(context.Background(), os.Stdout, *only, *realtime, time.Duration(*seconds)*time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, only string, realtime bool, each time.Duration) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "floods")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	program, err := build(ctx, dir)
	if err != nil {
		return false, err
	}
	s, err := start(ctx, program, dir, realtime)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := new(asked).measure(s.address(), time.Second); err != nil { // warms
		return false, err
	}
	_, _ = fmt.Fprintf(out, "| %-16s | %-9s | %-9s | %-8s | %-9s | %-9s | %-8s | %-8s | %-13s |\n%s|\n", "flood", "kept conn.", "alone", "by that", "new conn.", "alone", "by that", "most MiB", "bytes written",
		strings.Repeat("|---", 9))
	ok = true
	for i := range floods {
		if only != "" && only != floods[i].name {
			continue
		}
		one, err := s.beside(i, each)
		if err != nil {
			return false, fmt.Errorf("%s: %w", floods[i].name, err)
		}
		kept, fresh := one.beside.kept.by(one.alone.kept), one.beside.fresh.by(one.alone.fresh)
		_, _ = fmt.Fprintf(out, "| %-16s | %-10s | %-9s | %-6.2f × | %-9s | %-9s | %-6.2f × | %-8d | %-13d |\n", floods[i].name,
			one.beside.kept.p99(), one.alone.kept.p99(), kept, one.beside.fresh.p99(), one.alone.fresh.p99(), fresh, one.memory, one.written)
		ok = ok && max(kept, fresh) <= mostSlower && one.memory <= mostMemory
	}
	verdict := "met"
	if !ok {
		verdict = "MISSED"
	}
	_, _ = fmt.Fprintf(out, "\nat most %d × alone, and %d MiB: %s\n", mostSlower, mostMemory, verdict)
	return ok, nil
}

type besides struct {
	alone, beside asked
	memory        int // MiB
	written       int64
}

// beside measures alone and beside a flood, in turns.
func (s *server) beside(i int, each time.Duration) (b besides, err error) {
	const turns = 4
	before := s.written()
	if _, err := s.resident(); err != nil {
		return b, err
	}
	for range turns {
		if err := b.alone.measure(s.address(), each/turns); err != nil {
			return b, err
		}
		cmd, err := begin(i, s.address())
		if err != nil {
			return b, err
		}
		err = b.beside.measure(s.address(), each/turns)
		end(cmd)
		if err != nil {
			return b, err
		}
		time.Sleep(500 * time.Millisecond) // what was under way ends
	}
	b.written = s.written() - before
	b.memory, err = s.resident()
	return b, err
}

// asked is how long each request took, over the connection that is kept and over new ones.
type asked struct{ kept, fresh times }

type times []time.Duration

func (t times) p99() time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[len(sorted)*99/100].Round(time.Microsecond)
}

func (t times) by(other times) float64 { return float64(t.p99()) / float64(other.p99()) }

// measure asks two hundred times a second, and tries again where a connection is cut. Anything but an answer with a credential in the end is an error.
func (a *asked) measure(address string, d time.Duration) error {
	keeps := caller{address: address}
	defer keeps.close()
	if err := keeps.ask(); err != nil { // connects
		return err
	}
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-every.C {
		if err := a.kept.time(keeps.ask); err != nil {
			return err
		}
		<-every.C
		fresh := caller{address: address}
		err := a.fresh.time(fresh.ask)
		fresh.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *times) time(ask func() error) error {
	began := time.Now()
	err := ask()
	*t = append(*t, time.Since(began))
	return err
}

// caller keeps a connection, as clients do.
type caller struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

func (c *caller) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *caller) ask() (err error) {
	for range 5 {
		if err = c.once(); err == nil {
			return nil
		}
		c.close()
	}
	return err
}

func (c *caller) once() (err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			return err
		}
		c.reader = bufio.NewReaderSize(c.conn, 16<<10)
	}
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c.conn, get(pathOf("hello"), callerToken)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.Join(err, errors.New(resp.Status))
	}
	return err
}
