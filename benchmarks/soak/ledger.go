package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// ledger is what was found. It is safe for concurrent use.
type ledger struct {
	begun time.Time
	w     io.Writer

	mu     sync.Mutex
	counts map[string]int
	shown  map[string]int
	phase  string // what goes wrong at the moment
}

func newLedger(w io.Writer) *ledger {
	return &ledger{begun: time.Now(), w: w, counts: map[string]int{}, shown: map[string]int{}}
}

// count adds one.
func (l *ledger) count(what string) { l.add(what, 1) }

func (l *ledger) add(what string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what] += n
}

// wrong counts one that must not be, and shows the first few.
func (l *ledger) wrong(what, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
	if l.shown[what]++; l.shown[what] <= 5 {
		l.print("%s: %s", what, fmt.Sprintf(format, args...))
	}
}

// say tells what is done now.
func (l *ledger) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = fmt.Sprintf(format, args...)
	l.print("%s", l.phase)
}

func (l *ledger) print(format string, args ...any) {
	_, _ = fmt.Fprintf(l.w, "%6.1fs  %s\n", time.Since(l.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (l *ledger) of(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[what]
}

func (l *ledger) all() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// target is one line of the table at the end.
type target struct {
	what, measured, wanted string
	met                    bool
}

// table prints targets, and says whether all are met.
func (l *ledger) table(targets []target) (ok bool) {
	_, _ = fmt.Fprintf(l.w, "\n| | measured | target | |\n|---|---|---|---|\n")
	ok = true
	for _, t := range targets {
		verdict := "met"
		if !t.met {
			verdict, ok = "MISSED", false
		}
		_, _ = fmt.Fprintf(l.w, "| %s | %s | %s | %s |\n", t.what, t.measured, t.wanted, verdict)
	}
	_, _ = fmt.Fprintln(l.w)
	counts := l.all()
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		_, _ = fmt.Fprintf(l.w, "%7d %s\n", counts[what], what)
	}
	return ok
}
