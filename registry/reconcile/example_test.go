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
