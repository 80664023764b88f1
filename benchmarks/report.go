package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// report prints tables as they come and keeps targets for the end.
type report struct {
	w    io.Writer
	rows []targetRow
}

type targetRow struct {
	name, measured, wanted string
	met                    bool
}

// table prints results as Markdown, with ratios to the first, the floor.
func (r *report) table(title string, results []result) {
	t := results[0]
	_, _ = fmt.Fprintf(r.w, "\n%s (%d operations each)\n\n", title, t.operations)
	w := tabwriter.NewWriter(r.w, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(w, "|\t| STS\t| ECR\t| new connections\t| time\t| × floor\t| allocations\t| × floor\t|")
	_, _ = fmt.Fprintln(w, "|"+strings.Repeat("---\t|", 8))
	for _, x := range results {
		allocs := "–"
		if t.allocs >= 1 {
			allocs = fmt.Sprintf("%.2f", x.allocs/t.allocs)
		}
		_, _ = fmt.Fprintf(w, "| %s\t| %.3g\t| %.3g\t| %.3g\t| %s\t| %.2f\t| %.0f\t| %s\t|\n", x.name, x.sts, x.ecr, x.opened, rounded(x.time), x.slower, x.allocs, allocs)
	}
	_ = w.Flush()
}

func rounded(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func (r *report) target(name, measured, wanted string, met bool) {
	r.rows = append(r.rows, targetRow{name, measured, wanted, met})
}

func (r *report) atMost(name string, measured, limit float64) {
	r.target(name, fmt.Sprintf("%.2f ×", measured), fmt.Sprintf("≤ %.2f ×", limit), measured <= limit)
}

func (r *report) atLeast(name string, measured, limit float64) {
	r.target(name, fmt.Sprintf("%.2f ×", measured), fmt.Sprintf("≥ %.2f ×", limit), measured >= limit)
}

// targets prints them and reports whether all are met.
func (r *report) targets() bool {
	_, _ = fmt.Fprint(r.w, "\nTargets\n\n")
	w := tabwriter.NewWriter(r.w, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(w, "|\t| measured\t| target\t|\t|")
	_, _ = fmt.Fprintln(w, "|"+strings.Repeat("---\t|", 4))
	all := true
	for _, row := range r.rows {
		verdict := "met"
		if !row.met {
			verdict, all = "MISSED", false
		}
		_, _ = fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", row.name, row.measured, row.wanted, verdict)
	}
	_ = w.Flush()
	return all
}

// load measures what happens when many ask at once.
func (r *report) load(ctx context.Context, u *upstream, n sizes) error {
	p, err := built(ctx, 0)
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close(p) }()
	paced, err := built(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close(paced) }()
	calls, err := herd(ctx, u, p)
	if err != nil {
		return err
	}
	r.target("1,000 callers of one cold key", fmt.Sprintf("%d STS + %d ECR", calls.sts, calls.ecr), "1 STS + 1 ECR", calls.sts == 1 && calls.ecr == 1)
	var colds, hits []time.Duration
	for round := range n.slowRounds {
		cold, hit, err := coldBeside(ctx, u, p, round)
		if err != nil {
			return err
		}
		colds, hits = append(colds, cold), append(hits, hit)
	}
	r.target("20 cold keys at once, 50 ms a call", rounded(median(colds)), "≤ 150 ms", median(colds) <= 150*time.Millisecond)
	r.target("hits on a warm key meanwhile, 99th percentile", rounded(median(hits)), "< 1 ms", median(hits) < time.Millisecond)

	few := n.warm/20 + 100
	for _, w := range []struct {
		p                           provider.Provider
		projects, perSecond, rounds int
		least                       time.Duration
	}{{p, n.warm, 0, n.slowRounds, time.Duration(n.warm) * 50 * time.Millisecond / 64}, {paced, few, 200, 1, time.Duration(few-64) * time.Second / 200}} { // 200 is the default
		took, opened, err := warm(ctx, u, w.p, w.projects, w.rounds)
		if err != nil {
			return err
		}
		r.target(fmt.Sprintf("%d projects warmed, 25 ms a call, 64 in flight, max_per_second %d (%d new connections)", w.projects, w.perSecond, opened),
			fmt.Sprintf("%.2f × the least possible", ratio(took, w.least)), "≤ 1.20 ×", ratio(took, w.least) <= 1.2)
	}
	delay, err := besideNoise(ctx, u, n.noise, n.slowRounds)
	if err != nil {
		return err
	}
	r.target(fmt.Sprintf("a first credential beside %d connections of another subject, 25 ms a call: its delay", n.noise),
		fmt.Sprintf("%.2f issues", delay), "≤ 2 issues", delay <= 2)

	if _, err := p.Credentials(ctx, push); err != nil {
		return err
	}
	h, err := compareHandlers(p, n.rounds, n.requests)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.w, "\nThe endpoint with cache, static-token authorization and audit log beside a bare net/http handler that writes the same bytes:\n"+
		"%.0f and %.0f requests/s, %.0f and %.0f allocations a request\n", h.ours, h.bare, h.ourAllocs, h.bareAllocs)
	r.atLeast("endpoint: requests/s by the bare handler's", h.ratio, 0.75)
	return nil
}
