package diagnosis_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// check finds what it is told.
func check(id string, f diagnosis.Finding, needs ...string) diagnosis.Check {
	return diagnosis.Check{ID: id, Needs: needs, Run: func(context.Context) diagnosis.Finding { return f }}
}

func run(ctx context.Context, checks ...diagnosis.Check) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check { return checks })
}

// What a check needs has to be there, and the finding names where it began to lack.
func TestRunChecks(t *testing.T) {
	t.Parallel()
	passed, failed := diagnosis.Finding{Status: diagnosis.Passed}, diagnosis.Finding{Status: diagnosis.Failed}
	skipped := func(summary, because string) diagnosis.Finding {
		return diagnosis.Finding{Status: diagnosis.Skipped, Summary: summary, Because: because}
	}
	got := slices.Collect(run(t.Context(),
		check("a", passed), check("b", diagnosis.Finding{Status: diagnosis.Warned, Check: "another"}, "a"), check("c", failed, "b"), check("d", passed, "a", "c"),
		check("e", passed, "d"), check("f", skipped("not asked for", "")), check("g", passed, "f"), check("h", skipped("no use", "c")),
		check("i", passed, "h"), check("j", passed, "b"),
	))
	needs := func(id, root string) diagnosis.Finding {
		f := skipped("not checked, since it needs what "+root+" is about", root)
		f.Check = id
		return f
	}
	require.Equal(t, []diagnosis.Finding{
		{Check: "a", Status: diagnosis.Passed}, {Check: "b", Status: diagnosis.Warned}, {Check: "c", Status: diagnosis.Failed}, needs("d", "c"),
		needs("e", "c"), {Check: "f", Status: diagnosis.Skipped, Summary: "not asked for"}, needs("g", "f"),
		{Check: "h", Status: diagnosis.Skipped, Summary: "no use", Because: "c"}, needs("i", "c"), {Check: "j", Status: diagnosis.Passed},
	}, got)
}

// Checks run as their findings are taken, and each range has its own.
func TestRunChecksOnDemand(t *testing.T) {
	t.Parallel()
	lists, ran := 0, 0
	findings := diagnosis.RunChecks(t.Context(), func() []diagnosis.Check {
		lists++
		next := diagnosis.Check{ID: "a", Run: func(context.Context) diagnosis.Finding {
			ran++
			return diagnosis.Finding{Status: diagnosis.Passed}
		}}
		return []diagnosis.Check{next, next}
	})
	require.Zero(t, lists)
	for range findings {
		break
	}
	require.Equal(t, []int{1, 1}, []int{lists, ran})
	require.Len(t, slices.Collect(findings), 2)
	require.Equal(t, []int{2, 3}, []int{lists, ran})
}

// No check holds up the end, whether it heeds its context or not.
func TestRunChecksEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		deadline, took time.Duration
		heeds          bool
		hung, next     string
	}{
		"no deadline":                 {0, 10 * time.Second, true, "in its own words", ""},
		"no deadline, and it hangs":   {0, 11 * time.Second, false, "no result within 10s", ""},
		"a short one":                 {2 * time.Second, 1800 * time.Millisecond, true, "in its own words", ""},
		"a short one, and it hangs":   {2 * time.Second, 2 * time.Second, false, "no result within 1.8s", "not checked, since the time was up"},
		"a distant one, and it hangs": {time.Minute, 11 * time.Second, false, "no result within 10s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.deadline != 0 {
					limited, cancel := context.WithTimeout(ctx, test.deadline)
					defer cancel()
					ctx = limited
				}
				released := make(chan struct{})
				defer close(released)
				began := time.Now()
				got := slices.Collect(run(ctx, diagnosis.Check{ID: "a", Run: func(ctx context.Context) diagnosis.Finding {
					<-ctx.Done()
					if !test.heeds {
						<-released
					}
					return diagnosis.Finding{Status: diagnosis.Failed, Summary: "in its own words"}
				}}, check("b", diagnosis.Finding{Status: diagnosis.Passed})))
				require.Equal(t, test.took, time.Since(began))
				require.Len(t, got, 2)
				require.Equal(t, diagnosis.Finding{Check: "a", Status: diagnosis.Failed, Summary: test.hung}, got[0])
				require.Equal(t, test.next, got[1].Summary)
			})
		})
	}
}
