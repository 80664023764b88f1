package reconcile_test

import (
	"context"
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// A service's projects, from a file, a database or, as here, a list.
func Example() {
	p := newFake(map[string]*repo{ // stands for the service's provider
		"shop":   {createdAt: time.Now().Add(-100 * time.Hour), id: "41", drift: true},
		"closed": {createdAt: time.Now().Add(-100 * time.Hour), id: "17"},
	})
	projects := func(context.Context) ([]provider.Project, error) {
		return []provider.Project{{Name: "shop", ID: "41"}, {Name: "blog", ID: "42"}}, nil
	}

	for _, dryRun := range []bool{true, false} {
		r, err := reconcile.New(p, reconcile.WantedFunc(projects), reconcile.Options{DryRun: dryRun})
		if err != nil {
			fmt.Println(err)
			return
		}
		report, err := r.Run(context.Background())
		if err != nil {
			fmt.Println(err)
		}
		for _, c := range report.Changes {
			fmt.Println(dryRun, c.Project, c.Actions)
		}
	}
	// Output:
	// true blog [create]
	// true shop [set scan on push]
	// true closed [release]
	// false blog [create]
	// false shop [set scan on push]
	// false closed [release]
}

// Runs that overlap don't see one another's releases. Here a channel keeps those of one process apart; replicas need a lock that
// all of them see, such as PostgreSQL's pg_advisory_lock or a Kubernetes Lease, and a context that ends when it is lost.
func ExampleOptions_lease() {
	p := newFake(map[string]*repo{"shop": {createdAt: time.Now().Add(-100 * time.Hour), id: "41"}})
	turn := make(chan struct{}, 1)
	lease := func(ctx context.Context) (context.Context, func(), error) {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		held, lost := context.WithCancelCause(ctx) // lost(err) is for whoever keeps the lease alive
		return held, func() { lost(nil); <-turn }, nil
	}
	r, err := reconcile.New(p, reconcile.WantedList([]provider.Project{{Name: "shop", ID: "41"}}), reconcile.Options{Lease: lease})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := r.Run(context.Background())
	fmt.Println(report.Wanted, err)
	// Output: 1 <nil>
}
