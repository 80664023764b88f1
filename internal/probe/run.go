package probe

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// patience is how long one check may take at most.
const patience = 10 * time.Second

// Check is one of an ordered list of checks.
type Check struct {
	// ID becomes the finding's Check.
	ID string
	// Needs are earlier checks that must neither have failed nor been skipped.
	Needs []string
	// Run checks. Whatever it stores for later checks is read only by those that need this one.
	Run func(context.Context) provider.Finding
}

// Run runs the checks that list makes, in order. No check holds up the end beyond ctx: one that doesn't return in time is abandoned. Each
// range calls list anew, so that checks may share variables.
func Run(ctx context.Context, list func() []Check) iter.Seq[provider.Finding] {
	return func(yield func(provider.Finding) bool) {
		roots := map[string]string{} // of each check that isn't to be built upon: the one that caused it
		for _, c := range list() {
			f := c.finding(ctx, roots)
			f.Check = c.ID
			switch f.Status {
			case provider.Failed:
				roots[c.ID] = c.ID
			case provider.Skipped:
				roots[c.ID] = c.ID
				if f.Because != "" {
					roots[c.ID] = f.Because
				}
			}
			if !yield(f) {
				return
			}
		}
	}
}

func (c Check) finding(ctx context.Context, roots map[string]string) provider.Finding {
	if i := slices.IndexFunc(c.Needs, func(id string) bool { return roots[id] != "" }); i >= 0 {
		root := roots[c.Needs[i]]
		return provider.Finding{Status: provider.Skipped, Because: root,
			Summary: "not checked, since it needs what " + root + " is about"}
	}
	if ctx.Err() != nil {
		return provider.Finding{Status: provider.Skipped, Summary: "not checked, since the time was up"}
	}
	limit := patience
	if deadline, ok := ctx.Deadline(); ok { // leaves time to say what hung
		limit = min(limit, time.Until(deadline)*9/10)
	}
	running, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan provider.Finding, 1)
	go func() { done <- c.Run(running) }()
	select {
	case f := <-done:
		return f
	case <-running.Done():
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case f := <-done:
		return f
	case <-grace.C:
	case <-ctx.Done():
		select { // what came just in time
		case f := <-done:
			return f
		default:
		}
	}
	return provider.Finding{Status: provider.Failed, Summary: "no result within " + limit.Round(time.Millisecond).String()}
}
