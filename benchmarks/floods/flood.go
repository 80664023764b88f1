package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// floods are what a stranger, or one caller of many, may do. Each is run by a process of its own.
var floods = []struct {
	name, what  string
	connections int
	run         func(f flooder)
}{
	{"unauthenticated", "as many requests as fit, with tokens that are guessed", 256, func(f flooder) {
		f.requests(func(int64) string { return get(pathOf("hello"), "a-token-that-somebody-guesses") })
	}},
	{"slow headers", "connections that send their header a byte a second", 5000, flooder.slow},
	{"greedy, kept", "one caller, as many requests as fit for a credential that is kept", 256, func(f flooder) {
		f.requests(func(int64) string { return get(pathOf("hello"), greedyToken) })
	}},
	{"greedy, new", "one caller, as many requests as fit, each for a project that is new", 1000, func(f flooder) {
		f.requests(func(n int64) string { return get(pathOf(fmt.Sprintf("p-%d-%d", os.Getpid(), n)), greedyToken) })
	}},
	{"scrapes", "as many scrapes of /metrics as fit", 64, func(f flooder) {
		f.requests(func(int64) string { return get("/metrics", "x") })
	}},
}

func pathOf(project string) string { return "/api/v1/registry/credentials?project=" + project }

func get(path, token string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n\r\n"
}

// flooder floods an address until its process is killed.
type flooder struct {
	address     string
	connections int
	sent        *atomic.Int64
}

// begin starts a flood in a process of its own.
func begin(i int, address string) (*exec.Cmd, error) {
	cmd, _, err := again("-flood", strconv.Itoa(i), "-address", address)
	return cmd, err
}

// flood is such a process, at the lowest priority: those who flood have machines of their own.
func flood(i int, address string) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	f := flooder{address, floods[i].connections, &atomic.Int64{}}
	go func() {
		time.Sleep(time.Second)
		fmt.Println("begun")
	}()
	floods[i].run(f)
}

// requests sends one request after the other over each connection.
func (f flooder) requests(text func(n int64) string) {
	var all sync.WaitGroup
	for range f.connections {
		all.Go(func() {
			for {
				f.connection(text)
				time.Sleep(10 * time.Millisecond) // it was cut
			}
		})
	}
	all.Wait()
}

// dial is from another address than the caller's, as a stranger has.
func (f flooder) dial() (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", f.address)
}

func (f flooder) connection(text func(n int64) string) {
	c, err := f.dial()
	if err != nil {
		return
	}
	defer c.Close() //nolint:errcheck // nobody's
	r := bufio.NewReader(c)
	for {
		if _, err := io.WriteString(c, text(f.sent.Add(1))); err != nil {
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.Close {
			return
		}
	}
}

// slow sends headers that don't end.
func (f flooder) slow() {
	var all sync.WaitGroup
	for range f.connections {
		all.Go(func() {
			for {
				f.drip()
			}
		})
	}
	all.Wait()
}

func (f flooder) drip() {
	c, err := f.dial()
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return
	}
	defer c.Close() //nolint:errcheck // nobody's
	if _, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "); err != nil {
		return
	}
	for wait := time.Duration(rand.Int64N(int64(time.Second))); err == nil; wait = time.Second { //nolint:gosec // not all in the same millisecond; no secret
		_ = c.SetReadDeadline(time.Now().Add(wait))
		if _, err = c.Read(make([]byte, 1)); os.IsTimeout(err) {
			_, err = c.Write([]byte{'x'})
		}
	}
}
