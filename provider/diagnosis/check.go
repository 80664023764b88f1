package diagnosis

import (
	"context"
	"iter"
	"slices"
	"time"
)

// patience is how long one check may take at most.
const patience = 10 * time.Second

// Check is one of the ordered checks that [RunChecks] runs.
type Check struct {
	// ID becomes the finding's Check: a stable label, once in a list.
	ID string
	// Needs are the IDs of earlier checks that must neither have failed nor been skipped. Otherwise this one is skipped, because of the
	// check where it began.
	Needs []string
	// Run checks, and returns soon after its context ends: after ten seconds, or nine tenths of what is left until the deadline. Whatever it
	// stores for later checks is read only by those that need this one: it may be running still when others run.
	Run func(context.Context) Finding
}

// RunChecks runs the checks that list makes, one after the other as their findings are taken, for [Diagnoser.Diagnose]. No check holds
// up the end beyond ctx: one that doesn't return in time is abandoned and has failed, and what wasn't begun by then is skipped. Each
// range calls list anew, so that checks may share variables.
func RunChecks(ctx context.Context, list func() []Check) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		roots := map[string]string{} // of each check that isn't to be built upon: the one that caused it
		for _, c := range list() {
			f := c.finding(ctx, roots)
			f.Check = c.ID
			switch f.Status {
			case Failed:
				roots[c.ID] = c.ID
			case Skipped:
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

func (c Check) finding(ctx context.Context, roots map[string]string) Finding {
	if i := slices.IndexFunc(c.Needs, func(id string) bool { return roots[id] != "" }); i >= 0 {
		root := roots[c.Needs[i]]
		return Finding{Status: Skipped, Because: root,
			Summary: "not checked, since it needs what " + root + " is about"}
	}
	if ctx.Err() != nil {
		return Finding{Status: Skipped, Summary: "not checked, since the time was up"}
	}
	limit := patience
	if deadline, ok := ctx.Deadline(); ok { // leaves time to say what hung
		limit = min(limit, time.Until(deadline)*9/10)
	}
	running, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan Finding, 1)
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
	return Finding{Status: Failed, Summary: "no result within " + limit.Round(time.Millisecond).String()}
}
