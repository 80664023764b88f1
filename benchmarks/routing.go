package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// routedCall is how long the upstream takes for each call.
const routedCall = 25 * time.Millisecond

// routed is what a proxy before three replicas does.
type routed struct {
	name                   string
	hashed                 bool
	quiet                  float64 // issues by projects
	p50, p99, direct       time.Duration
	slower                 float64 // p99 by that of asking the replica itself: the median of the rounds' ratios
	its                    int     // projects of the replica that ends
	killed, back           counted
	whileKilled, whileBack time.Duration // p99
	failed                 int           // requests, in these two
}

// way is a proxy, and what is changed in its file of the guide's.
type way struct {
	name, proxy string
	hashed      bool
	edit        func(string) string
}

// runRouting measures the operators' guide's proxies before three replicas: how often the upstream is asked for each project, in quiet, when a replica is killed under
// load, and when it comes back empty; and what a request waits for. nginx without its line of hashing is what that is compared with.
func runRouting(ctx context.Context, w io.Writer, projects, rounds int, edit func(string) string) (ok bool, err error) {
	withoutAWS()
	dir, err := os.MkdirTemp("", "benchmarks")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "server")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./server") //nolint:gosec // this module's neighbour
	build.Dir, build.Env = filepath.Join("..", "examples"), append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return false, fmt.Errorf("go build: %w\n%s", err, out)
	}
	u := newUpstream(false)
	defer u.server.Close()
	u.sessions = &sessions{}
	u.latency.Store(int64(routedCall))
	inTurns := func(text string) string {
		return regexp.MustCompile("(?m)^ +hash .*\n").ReplaceAllLiteralString(edit(text), "")
	}
	var found []routed
	for i, way := range []way{{"nginx, in turns", "nginx", false, inTurns}, {"nginx", "nginx", true, edit}, {"HAProxy", "haproxy", true, edit}} {
		measured, err := route(ctx, u, program, filepath.Join(dir, fmt.Sprintf("fleet-%d", i)), way, projects, rounds)
		if err != nil {
			return false, fmt.Errorf("%s: %w", way.name, err)
		}
		found = append(found, measured)
	}
	r := &report{w: w}
	r.routing(found, projects, rounds)
	return r.targets(), nil
}

// route measures one proxy. The first of the replicas is the one that ends.
func route(ctx context.Context, u *upstream, program, dir string, w way, projects, rounds int) (m routed, err error) {
	f, err := newFleet(ctx, u, program, dir, w.proxy, w.edit)
	if err != nil {
		return m, err
	}
	defer f.close()
	names := make([]string, projects)
	for i := range names {
		names[i] = fmt.Sprintf("project-%d", i)
	}
	through := func(project string) (time.Duration, error) { return askAt(ctx, f.through, f.url, project) }

	u.sessions.reset()
	if _, _, err := round(names, through, nil); err != nil {
		return m, fmt.Errorf("the first round: %w", err)
	}
	m.name, m.hashed = w.name, w.hashed
	owner, err := f.owners()
	if err != nil {
		return m, err
	}
	var p50s, p99s, directs []time.Duration
	var ratios []float64
	for range rounds {
		took, _, err := round(names, through, nil)
		if err != nil {
			return m, err
		}
		p50s, p99s = append(p50s, percentile(took, 50)), append(p99s, percentile(took, 99))
		if !w.hashed {
			continue
		}
		direct, _, err := round(names, func(project string) (time.Duration, error) {
			return askAt(ctx, f.direct, "http://"+f.replicas[owner[project]].address, project)
		}, nil)
		if err != nil {
			return m, err
		}
		directs = append(directs, percentile(direct, 99))
		ratios = append(ratios, ratio(percentile(took, 99), percentile(direct, 99)))
	}
	m.p50, m.p99 = median(p50s), median(p99s)
	m.quiet = float64(u.sessions.total()) / float64(projects)
	if !w.hashed {
		return m, nil
	}
	m.direct, m.slower = median(directs), median(ratios)

	first := f.replicas[0]
	its := slices.DeleteFunc(slices.Clone(names), func(project string) bool { return owner[project] != 0 })
	m.its = len(its)
	u.sessions.reset()
	took, failed, _ := round(names, through, func(done int) { // what fails is counted
		if done == projects/5 {
			first.end()
		}
	})
	_, again, _ := round(names, through, nil)
	m.killed, m.whileKilled, m.failed = u.sessions.of(owner), percentile(took, 99), failed+again

	u.sessions.reset()
	if err := first.start(ctx); err != nil {
		return m, err
	}
	for end := time.Now().Add(time.Minute); !first.has(its[0]); time.Sleep(100 * time.Millisecond) {
		if _, err := through(its[0]); err != nil {
			m.failed++
		}
		if time.Now().After(end) {
			return m, errors.New("the replica that came back isn't asked")
		}
	}
	took, failed, _ = round(names, through, nil)
	m.back, m.whileBack, m.failed = u.sessions.of(owner), percentile(took, 99), m.failed+failed
	return m, nil
}

var answeredFor = regexp.MustCompile(` project=(\S+) `)

// owners are the replicas that have answered for each project.
func (f *fleet) owners() (map[string]int, error) {
	owner := map[string]int{}
	for i, r := range f.replicas {
		text, err := os.ReadFile(r.log)
		if err != nil {
			return nil, err
		}
		for _, found := range answeredFor.FindAllSubmatch(text, -1) {
			owner[string(found[1])] = i
		}
	}
	return owner, nil
}

// round asks for every project once, in any order, many at once. done, if set, is told how many have been asked for. An error is one of those that failed.
func round(projects []string, ask func(project string) (time.Duration, error), done func(int)) (took []time.Duration, failed int, err error) {
	order := rand.Perm(len(projects)) //nolint:gosec // no secret
	took = make([]time.Duration, len(projects))
	failures := make([]error, len(projects))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range routers {
		wait.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(projects) {
					return
				}
				if done != nil {
					done(k)
				}
				took[k], failures[k] = ask(projects[order[k]])
			}
		})
	}
	wait.Wait()
	for _, failure := range failures {
		if failure != nil {
			failed, err = failed+1, failure
		}
	}
	return took, failed, err
}

func percentile(took []time.Duration, p int) time.Duration {
	took = slices.Sorted(slices.Values(took))
	return took[len(took)*p/100]
}

// routing prints what was found, and its targets.
func (r *report) routing(found []routed, projects, rounds int) {
	_, _ = fmt.Fprintf(r.w, "\nRouted by project: %d replicas, %d projects, %d clients, %v a call; TLS to the proxy (%d rounds)\n\n", replicas, projects, routers, routedCall, rounds)
	w := tabwriter.NewWriter(r.w, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(w, "|\t| issues by projects\t| kept: median\t| kept: p99\t| the replica itself: p99\t| p99 by that\t| p99 while one is killed\t| while it comes back empty\t|")
	_, _ = fmt.Fprintln(w, "|"+strings.Repeat("---\t|", 8))
	for _, m := range found {
		rest := "–\t| –\t| –\t| –\t|"
		if m.hashed {
			rest = fmt.Sprintf("%s\t| %.2f\t| %s\t| %s\t|", rounded(m.direct), m.slower, rounded(m.whileKilled), rounded(m.whileBack))
		}
		_, _ = fmt.Fprintf(w, "| %s\t| %.3f\t| %s\t| %s\t| %s\n", m.name, m.quiet, rounded(m.p50), rounded(m.p99), rest)
	}
	_ = w.Flush()
	for _, m := range found {
		if !m.hashed {
			continue
		}
		r.atMost(m.name+": issues by the projects, in quiet", m.quiet, 1.05)
		for _, phase := range []struct {
			name string
			counted
		}{{"a replica killed under load", m.killed}, {"it comes back empty", m.back}} {
			r.atMost(fmt.Sprintf("%s: %s: issues by its %d projects", m.name, phase.name, m.its), float64(phase.its)/float64(m.its), 1.05)
			r.target(fmt.Sprintf("%s: %s: issues for others' projects", m.name, phase.name), strconv.Itoa(phase.others), "0", phase.others == 0)
		}
		r.target(m.name+": requests that failed meanwhile", strconv.Itoa(m.failed), "0", m.failed == 0)
	}
}
