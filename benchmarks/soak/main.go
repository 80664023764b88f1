// Soak runs three replicas of the reference server, on a double of AWS, under load, while something goes wrong every few seconds: AWS is slow, throttles, fails, cuts
// connections and loses answers; replicas are killed and restarted; configurations and certificates are changed; nobody reads an audit log. Each credential that
// arrives is held against what was asked for, and tried at the registry. It exits with 1 when a target isn't met.
//
//	cd benchmarks && go run ./soak -for 10m
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	o := options{lasts: 4 * time.Second}
	flag.DurationVar(&o.lasts, "fault", o.lasts, "how long each thing goes wrong")
	flag.DurationVar(&o.whole, "for", 10*time.Minute, "how long things go wrong")
	flag.IntVar(&o.asking, "clients", 300, "how many ask at once, each about once a second")
	flag.IntVar(&o.projects, "projects", 1000, "how many projects there are")
	keep := flag.String("logs", "", "a folder that is made and left there, with the replicas' logs; none by default")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, os.Stdout, *keep, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, keep string, o options) (ok bool, err error) {
	dir := keep
	if dir != "" {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return false, err
		}
	} else {
		if dir, err = os.MkdirTemp("", "soak"); err != nil {
			return false, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // temporary
	}
	found := newLedger(w)
	f, err := newFleet(ctx, dir, o.projects)
	if err != nil {
		return false, err
	}
	defer f.close()
	s := &soak{options: o, fleet: f, found: found, clients: newClients(f, found, o.asking)}
	before, after, err := s.run(ctx)
	if err != nil {
		return false, err
	}
	return found.table(s.targets(before, after)), nil
}
