package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// drain is how long a replica that was told to end goes on serving.
const drain = 3 * time.Second

// replica is the reference server, in a process of its own.
type replica struct {
	name, dir, program string
	address, metrics   string
	environ            []string
	watch              *http.Client
	audit              *shipper

	cmd   *exec.Cmd
	ended chan struct{} // closed when its process has
	how   error         // it did, after that

	// up is whether requests are sent to it: what a load balancer knows of it.
	up atomic.Bool
	// generation is another number when what the replica keeps may be gone: odd while that happens.
	generation atomic.Int64
	// unaudited is odd while its audit log can't be written.
	unaudited atomic.Int64
}

// start starts its process and waits until it serves.
func (r *replica) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()               //nolint:errcheck // the process has its own
	r.cmd = exec.Command(r.program) //nolint:gosec,noctx // just built; stop or kill end it
	r.cmd.Env, r.cmd.Stderr = r.environ, log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	r.ended = make(chan struct{})
	go func() {
		defer close(r.ended)
		r.how = r.cmd.Wait()
	}()
	return until(ctx, 30*time.Second, r.name+" to serve", r.ready)
}

func (r *replica) ready() bool {
	resp, err := r.watch.Get("https://" + r.metrics + "/readyz")
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (r *replica) signal(s os.Signal) error { return r.cmd.Process.Signal(s) }

// kill ends it at once.
func (r *replica) kill() {
	if r.ended != nil {
		_ = r.cmd.Process.Kill()
		<-r.ended
	}
}

// ends waits for it to end after SIGTERM, a second of which would end it at once, and returns how it did.
func (r *replica) ends(ctx context.Context) error {
	select {
	case <-r.ended:
		return r.how
	case <-time.After(drain + 30*time.Second):
		return errors.New("it doesn't end")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replaced runs what empties the replica's cache.
func (r *replica) replaced(do func() error) error {
	r.generation.Add(1)
	defer r.generation.Add(1)
	return do()
}

// forget has it forget all credentials.
func (r *replica) forget() error {
	return r.replaced(func() error {
		resp, err := r.watch.Post("https://"+r.metrics+"/forget", "", nil)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New("/forget: " + resp.Status)
		}
		return nil
	})
}

// serial is the number of the certificate that a new connection gets.
func (r *replica) serial(pool *tls.Config) (int64, error) {
	c, err := tls.Dial("tcp", r.address, pool)
	if err != nil {
		return 0, err
	}
	defer c.Close() //nolint:errcheck // looked at, and no more
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// figures are what its process has.
type figures struct{ goroutines, descriptors, heap float64 }

// back says whether nothing is left: a few connections to AWS may be fewer or more.
func (f figures) back(before figures) bool {
	return f.goroutines <= before.goroutines*1.1+20 && f.descriptors <= before.descriptors*1.1+10 && f.heap <= before.heap*1.1+1<<20
}

// figures are of after a collection of garbage.
func (r *replica) figures() (figures, error) {
	for range 2 {
		if _, err := r.get("/debug/pprof/heap?gc=1"); err != nil {
			return figures{}, err
		}
	}
	metrics, err := r.scrape()
	return figures{metrics["go_goroutines"], metrics["process_open_fds"], metrics["go_memstats_heap_alloc_bytes"]}, err
}

func (r *replica) get(path string) ([]byte, error) {
	resp, err := r.watch.Get("https://" + r.metrics + path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(path + ": " + resp.Status)
	}
	return text, err
}

// scrape reads its metrics.
func (r *replica) scrape() (map[string]float64, error) {
	text, err := r.get("/metrics")
	for range 5 {
		if err == nil {
			break
		}
		time.Sleep(300 * time.Millisecond) // of scrapes there may be so many a second
		text, err = r.get("/metrics")
	}
	if err != nil {
		return nil, err
	}
	metrics := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); found && err == nil {
			metrics[name] = number
		}
	}
	return metrics, lines.Err()
}

// until waits for something.
func until(ctx context.Context, most time.Duration, what string, is func() bool) error {
	for end := time.Now().Add(most); ; {
		if is() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s for %s", most, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
