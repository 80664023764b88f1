// Benchmarks measures this library beside its peers and beside floors, all on one loopback endpoint, and prints one table
// with ratios from this one run. It exits with 1 when a target isn't met.
//
//	go run .
//	go run . -rounds 15     # longer, for a noisy machine
//	go run . -routing       # the operators' guide's proxies before three replicas instead; needs nginx and HAProxy
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 21, "how often each row is measured; medians are printed")
	routing := flag.Bool("routing", false, "measure nginx and HAProxy, which route by project, before three replicas; and nothing else")
	flag.Parse()
	if *routing {
		exit(runRouting(context.Background(), os.Stdout, 3_000, *rounds, func(text string) string { return text }))
	}
	exit(run(context.Background(), os.Stdout, sizes{
		rounds: *rounds, slowRounds: 3, operations: 50, slowOperations: 8, hitOperations: 5_000, requests: 8_000, warm: 10_000, noise: 3_000,
	}))
}

// exit ends the program.
func exit(ok bool, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures and prints, and reports whether every target is met.
func run(ctx context.Context, w io.Writer, n sizes) (ok bool, err error) {
	withoutAWS()
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := &report{w: w}
	for _, secure := range []bool{true, false} { // TLS first: system roots are read once
		if err := r.uncached(ctx, dir, secure, n); err != nil {
			return false, err
		}
		if err := r.tokenAuth(ctx, secure, n); err != nil {
			return false, err
		}
	}
	u := newUpstream(false)
	defer u.server.Close()
	if err := u.environment(dir); err != nil {
		return false, err
	}
	if err := r.hits(ctx, u, n); err != nil {
		return false, err
	}
	if err := r.load(ctx, u, n); err != nil {
		return false, err
	}
	if err := r.tokens(ctx, n); err != nil {
		return false, err
	}
	if err := r.callers(ctx, dir, n); err != nil {
		return false, err
	}
	if err := r.makings(ctx, n); err != nil {
		return false, err
	}
	if err := r.helper(ctx, dir, n); err != nil {
		return false, err
	}
	return r.targets(), nil
}

// uncached measures new credentials over plain HTTP or TLS, without and with latency.
func (r *report) uncached(ctx context.Context, dir string, secure bool, n sizes) error {
	u := newUpstream(secure)
	defer u.server.Close()
	if err := u.environment(dir); err != nil {
		return err
	}
	subjects, err := uncached(ctx, u.server.URL)
	if err != nil {
		return err
	}
	protocol := "plain HTTP"
	if secure {
		protocol = "TLS"
	}
	quick, err := measure(ctx, u, subjects, n.rounds, n.operations)
	if err != nil {
		return err
	}
	u.latency.Store(int64(25 * time.Millisecond))
	slow, err := measure(ctx, u, subjects, n.slowRounds, n.slowOperations)
	if err != nil {
		return err
	}
	r.table("A new credential, "+protocol, quick)
	r.table("A new credential, "+protocol+", 25 ms for each call upstream", slow)
	base, own := find(quick, floor), find(quick, ours)
	r.target(protocol+": calls for a new credential", fmt.Sprintf("%.3g STS + %.3g ECR", own.sts, own.ecr), "1 STS + 1 ECR", own.sts == 1 && own.ecr == 1)
	r.target(protocol+": new connections in steady state", fmt.Sprintf("%.3g", own.opened), "0", own.opened == 0 && find(slow, ours).opened == 0)
	r.atMost(protocol+": time by the floor's", own.slower, 1.10)
	r.atMost(protocol+": allocations by the floor's", own.allocs/base.allocs, 1.10)
	for _, peer := range []string{fluxUncached, loginUncached} {
		r.atLeast(protocol+": faster than "+peer, find(quick, peer).slower/own.slower, 1.5)
	}
	return nil
}

func (r *report) hits(ctx context.Context, u *upstream, n sizes) error {
	subjects, done, err := hits(ctx, u.server.URL)
	if err != nil {
		return err
	}
	results, err := measure(ctx, u, subjects, n.rounds, n.hitOperations)
	if err != nil {
		return err
	}
	own := subjects[1]
	scaled := scaling(ctx, own.get, n.rounds, n.hitOperations*40)
	r.table("A credential that is kept", results)
	hit := find(results, oursHit)
	r.target("hit: allocations", fmt.Sprintf("%.3f", hit.allocs), "0", hit.allocs < 0.01)
	r.target("hit: calls upstream", fmt.Sprintf("%.3g", hit.sts+hit.ecr), "0", hit.sts+hit.ecr == 0)
	r.atMost("hit: time by mutex + map + expiry check", hit.slower, 2)
	issue := find(results, oursIssue)
	r.target("provider.Issue of what is kept: allocations", fmt.Sprintf("%.3f", issue.allocs), "0", issue.allocs < 0.01)
	r.atMost("provider.Issue of what is kept: time by the hit's", issue.slower/hit.slower, 1.5)
	r.atLeast("hit: faster than fluxcd/pkg/auth's", find(results, fluxHit).slower/hit.slower, 50)
	r.atMost("hit: time an operation with 2 goroutines by that with 1", scaled, 1)
	return done()
}
