// Package audit is the server's audit log: a record of each credential and token before it is handed out, and samples of what is refused without knowing who
// asks. What couldn't be recorded isn't handed out, or is where the operator says so.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/lines"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// closing is how long what waits to be written at the end is written for.
const closing = 2 * time.Second

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	config config.Audit
	logger *slog.Logger
	writer *lines.Writer
	file   *lines.File // nil: the writer is the log's, too

	event    func(context.Context, endpoint.Event) error
	exchange func(context.Context, tokenissuer.Exchange) error
	records  slog.Handler
	sampler  sampler
	left     atomic.Uint64

	complaint sync.Mutex
	complain  time.Time // no earlier than this
}

// Open opens the file that c names; without one, records go to stream in the log's format. logger is told that the audit fails.
func Open(c config.Audit, stream *lines.Writer, format Format, logger *slog.Logger) (*Log, error) {
	l := &Log{config: c, logger: logger, writer: stream}
	if c.File != "" {
		var err error
		if l.file, err = lines.OpenFile(c.File); err != nil {
			return nil, provider.NewConfigError("audit.file", "%v", err)
		}
		format = JSON
		l.writer = lines.New(l.file, Missed(format))
	}
	l.records = newHandler(format, l.writer.Put)
	records := slog.New(l.records)
	l.event, l.exchange = endpoint.Log(records), tokenissuer.Log(records)
	l.sampler.say = l.sayMore
	return l, nil
}

// Missed makes the line for what a writer missed.
func Missed(format Format) func(lines.Missed) []byte {
	return func(m lines.Missed) (line []byte) {
		r := slog.NewRecord(time.Now(), slog.LevelError, "lines are missing here: they couldn't be written", 0)
		r.AddAttrs(slog.Time("since", m.Since), slog.Uint64("audit_records", m.Records), slog.Uint64("log_lines", m.Log), slog.Any("error", m.Err))
		_ = newHandler(format, func(text []byte) error { line = append(line, text...); return nil }).Handle(context.Background(), r)
		return line
	}
}

// Event is an endpoint's audit hook.
func (l *Log) Event(ctx context.Context, e endpoint.Event) error {
	issued := e.Outcome == endpoint.Issued
	if issued || e.Subject != "" && !repeats(e.Status) {
		return l.failed(l.event(ctx, e), issued)
	}
	r := refusal{"registry credentials", e.Status, e.Code, sender(e.Subject, e.SourceAddr, e.RemoteAddr)}
	return l.sampled(ctx, r, func(ctx context.Context) error { return l.event(ctx, e) })
}

// Exchange is a token server's.
func (l *Log) Exchange(ctx context.Context, e tokenissuer.Exchange) error {
	issued := e.Outcome == tokenissuer.Issued
	if issued || e.Subject != "" && !repeats(e.Status) {
		return l.failed(l.exchange(ctx, e), issued)
	}
	r := refusal{"registry token", e.Status, e.Code, sender(e.Subject, e.SourceAddr, e.RemoteAddr)}
	return l.sampled(ctx, r, func(ctx context.Context) error { return l.exchange(ctx, e) })
}

// repeats says which refusals of somebody known are sampled too: those that need no effort.
func repeats(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusMethodNotAllowed || status == http.StatusTooManyRequests
}

// sender is who asks, as far as that is known: a subject, an IPv4 address, or the network of an IPv6 one, since that is what one customer has.
func sender(subject, source, remote string) string {
	if subject != "" {
		return "subject " + subject
	}
	address, err := netip.ParseAddr(source)
	if err != nil {
		port, err := netip.ParseAddrPort(remote)
		if err != nil {
			return "nobody"
		}
		address = port.Addr()
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		network, _ := address.Prefix(64) // of 128 bits
		return network.String()
	}
	return address.String()
}

func (l *Log) sampled(ctx context.Context, r refusal, write func(context.Context) error) error {
	if !l.sampler.whole(r) {
		l.left.Add(1)
		return nil
	}
	size := 0
	err := write(context.WithValue(ctx, sizeKey{}, &size))
	l.sampler.wrote(size)
	return l.failed(err, false)
}

// sayMore writes what wasn't written one by one.
func (l *Log) sayMore(r refusal, c counted) {
	who := r.who
	if who == "" {
		who = "others"
	}
	record := slog.NewRecord(time.Now(), slog.LevelWarn, r.message+": refusals that aren't written one by one", 0)
	record.AddAttrs(slog.String("outcome", string(endpoint.Refused)), slog.Int("status", r.status), slog.String("code", r.code), slog.String("sender", who),
		slog.Int("more", c.more), slog.Time("since", c.since))
	_ = l.failed(l.records.Handle(context.Background(), record), false)
}

// failed is what a hook returns for a record that wasn't written.
func (l *Log) failed(err error, issued bool) error {
	if err == nil {
		return nil
	}
	l.complaint.Lock()
	again := !time.Now().Before(l.complain)
	if again {
		l.complain = time.Now().Add(time.Minute)
	}
	l.complaint.Unlock()
	if again {
		what := "credentials are refused until it works"
		if !l.refuses() {
			what = "credentials are handed out without a record, as audit.on_failure says"
		}
		l.logger.Error("the audit log can't be written: "+what, slog.String("error", err.Error()))
	}
	if !issued || !l.refuses() {
		return nil
	}
	return fmt.Errorf("audit: %w", err)
}

func (l *Log) refuses() bool { return l.config.OnFailure != config.Serve }

// Ready returns why another instance may do better: nil unless the configuration says that the audit is this one's alone.
func (l *Log) Ready() error {
	if !l.config.Ready || !l.refuses() {
		return nil
	}
	return l.writer.Failing()
}

// Failing returns why records can't be written at present, or nil.
func (l *Log) Failing() error { return l.writer.Failing() }

// Stats are the numbers since the start.
type Stats struct {
	lines.Stats
	// LeftOut are refusals that were counted, and not written one by one.
	LeftOut uint64
}

// Stats returns the numbers. Dropped are lines of the log, if it is where the audit goes.
func (l *Log) Stats() Stats { return Stats{l.writer.Stats(), l.left.Load()} }

// Close writes what waits, for a moment, and lets go of the file. The stream stays open.
func (l *Log) Close() error {
	l.sampler.flush()
	if l.file == nil {
		return nil
	}
	err := l.writer.Close(closing)
	return errors.Join(err, l.file.Close())
}
