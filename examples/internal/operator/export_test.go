package operator

import (
	"iter"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Line is a finding as diagnose prints it.
func Line(f diagnosis.Finding) string { return line(f, true, nil) }

// Verdict is on findings.
func Verdict(findings iter.Seq[diagnosis.Finding], ended bool) (string, bool) {
	var t tally
	for f := range findings {
		t.add(f)
	}
	return t.verdict(ended)
}
