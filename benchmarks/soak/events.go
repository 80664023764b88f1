package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// event is something that goes wrong, or is done by an operator, under load.
type event struct {
	what string
	do   func(s *soak, ctx context.Context) error
}

// events come one after the other, and again from the first.
var events = []event{
	{"AWS takes two seconds for a call", fault(ecrtest.Fault{Latency: 2 * time.Second})},
	{"AWS cuts half of the connections", fault(ecrtest.Fault{If: half, Reset: true})},
	{"STS throttles", fault(ecrtest.Fault{Action: "sts:*", If: half, Error: "ThrottlingException"})},
	{"SIGHUP with one caller more", func(s *soak, ctx context.Context) error { return s.reload(ctx, setting{newcomer: s.turn%2 == 0}) }},
	{"AWS answers 503", fault(ecrtest.Fault{Status: http.StatusServiceUnavailable})},
	{"half of AWS's answers are lost", fault(ecrtest.Fault{If: half, Lost: true})},
	{"a certificate is renewed", (*soak).renew},
	{"a third replica is killed", (*soak).crash},
	{"AWS's answers are cut in the middle", fault(ecrtest.Fault{If: half, Truncate: true})},
	{"ECR throttles", fault(ecrtest.Fault{Action: "ecr:*", Error: "ThrottlingException"})},
	{"SIGHUP with a mistake in the configuration", (*soak).mistake},
	{"nobody reads an audit log", (*soak).stall},
	{"a replica is restarted", (*soak).restart},
	{"AWS answers 500 with nonsense", fault(ecrtest.Fault{If: half, Status: http.StatusInternalServerError})},
	{"SIGHUP with another registry section", func(s *soak, ctx context.Context) error {
		r := s.fleet.replicas[0]
		s.session = []string{"20m", "30m"}[s.turn%2]
		return r.replaced(func() error { return s.tell(ctx, r, setting{session: s.session}, true) })
	}},
	{"AWS is gone, for longer", func(s *soak, ctx context.Context) error {
		return errors.Join(gone(s, ctx), gone(s, ctx), gone(s, ctx))
	}},
}

var gone = fault(ecrtest.Fault{Reset: true})

// half hits every other call, at random.
func half(ecrtest.Call) bool { return rand.IntN(2) == 0 } //nolint:gosec // no secret

// fault has a fault of AWS's APIs for as long as an event lasts. The image registry, where credentials are tried, goes on.
func fault(f ecrtest.Fault) func(s *soak, ctx context.Context) error {
	narrower := f.If
	f.If = func(c ecrtest.Call) bool {
		return c.Service != ecrtest.ServiceRegistry && (narrower == nil || narrower(c))
	}
	return func(s *soak, ctx context.Context) error {
		remove := s.fleet.aws.Inject(f)
		defer remove()
		return s.pause(ctx, s.lasts)
	}
}

// tell changes a replica's configuration, sends SIGHUP, and looks at what became of it.
func (s *soak) tell(ctx context.Context, r *replica, to setting, used bool) error {
	result := map[bool]string{true: `rise_registry_config_reloads_total{result="ok"}`, false: `rise_registry_config_reloads_total{result="failed"}`}[used]
	before, err := r.scrape()
	if err != nil {
		return err
	}
	if err := errors.Join(s.fleet.configure(r, to), r.signal(syscall.SIGHUP)); err != nil {
		return err
	}
	return until(ctx, 30*time.Second, r.name+" to read its configuration", func() bool {
		now, err := r.scrape()
		return err == nil && now[result] == before[result]+1
	})
}

func (s *soak) reload(ctx context.Context, to setting) error {
	for _, r := range s.fleet.replicas {
		if r == s.fleet.replicas[0] {
			to.session = s.session
		}
		if err := s.tell(ctx, r, to, true); err != nil {
			return err
		}
		to.session = ""
	}
	return nil
}

// mistake is in the configuration for a while; what was goes on.
func (s *soak) mistake(ctx context.Context) error {
	r := s.fleet.replicas[1]
	if err := errors.Join(s.tell(ctx, r, setting{broken: true}, false), s.pause(ctx, time.Second)); err != nil {
		return err
	}
	return s.tell(ctx, r, setting{}, true)
}

func (s *soak) renew(ctx context.Context) error {
	for _, r := range s.fleet.replicas {
		serial, err := s.fleet.authority.renew(r.dir)
		if err != nil {
			return err
		}
		if err := until(ctx, 15*time.Second, r.name+" to serve its new certificate", func() bool {
			now, err := r.serial(s.fleet.tls)
			return err == nil && now == serial
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *soak) crash(ctx context.Context) error {
	r := s.fleet.replicas[2]
	return r.replaced(func() error {
		r.kill()
		if err := s.pause(ctx, s.lasts/2); err != nil {
			return err
		}
		return s.begin(ctx, r)
	})
}

// begin starts a replica, and waits until requests are sent to it.
func (s *soak) begin(ctx context.Context, r *replica) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	return until(ctx, 10*time.Second, r.name+" to be asked", r.up.Load)
}

// restart tells a replica to end, under load: nobody who goes by its /readyz notices.
func (s *soak) restart(ctx context.Context) error {
	r := s.fleet.replicas[1]
	if err := r.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := until(ctx, drain, r.name+" not to be asked", func() bool { return !r.up.Load() }); err != nil {
		return err
	}
	if err := r.ends(ctx); err != nil {
		return fmt.Errorf("%s ended with: %w", r.name, err)
	}
	return r.replaced(func() error { return s.begin(ctx, r) })
}

// stall has nobody read a replica's audit log for a while. What is lost of the time until it can be written again counts as the same.
func (s *soak) stall(ctx context.Context) error {
	r := s.fleet.replicas[2]
	r.unaudited.Add(1)
	defer r.unaudited.Add(1)
	r.audit.gate.Lock()
	err := s.pause(ctx, 2*s.lasts)
	r.audit.gate.Unlock()
	if err != nil {
		return err
	}
	return until(ctx, 10*time.Second, r.name+"'s audit log to be written", func() bool {
		now, err := r.scrape()
		return err == nil && now["rise_registry_audit_failing"] == 0
	})
}
