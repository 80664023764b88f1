package operator

import (
	"fmt"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// tally counts findings. The zero tally has none.
type tally struct {
	passed, skipped int
	warned, failed  []string // names of checks
	undecided       bool     // a check wasn't made, and not for another's sake
}

func (t *tally) add(f diagnosis.Finding) {
	switch f.Status {
	case diagnosis.Passed:
		t.passed++
	case diagnosis.Warned:
		t.warned = append(t.warned, f.Check)
	case diagnosis.Failed:
		t.failed = append(t.failed, f.Check)
	case diagnosis.Skipped:
		t.skipped++
		t.undecided = t.undecided || f.Because == ""
	}
}

// verdict is one line on all of them: good, or what to begin with. ended says that the time was up.
func (t *tally) verdict(ended bool) (text string, good bool) {
	notMade := ""
	if t.skipped > 0 {
		notMade = fmt.Sprintf("; %d not checked", t.skipped)
	}
	warned := ""
	if len(t.warned) > 0 {
		warned = fmt.Sprintf(", %d warned (%s)", len(t.warned), strings.Join(t.warned, ", "))
	}
	switch {
	case len(t.failed) == 1:
		return "1 failed: " + t.failed[0] + notMade, false
	case len(t.failed) > 1: // they are in an order in which earlier ones cause later ones
		return fmt.Sprintf("%d failed: %s; begin with %s%s", len(t.failed), strings.Join(t.failed, ", "), t.failed[0], notMade), false
	case ended && t.undecided:
		return fmt.Sprintf("unfinished: the time was up; %d passed%s%s", t.passed, warned, notMade), false
	case t.passed == 0 && len(t.warned) == 0:
		return "nothing was checked", false
	}
	return fmt.Sprintf("good: %d passed%s%s", t.passed, warned, notMade), true
}
