package realtest

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Conformance is what the OCI distribution specification's conformance program says of a registry.
type Conformance struct {
	Passed, Failed, Skipped int
	Parts                   map[string]string // each API and kind of data: Pass, Skip, Disabled, FAIL or Error
	Failures                []string          // the tests that failed, and why
	Skips                   map[string]int    // why tests were skipped, and how many
}

var part = regexp.MustCompile(`(?m)^  ([^:\n]+): (Pass|Skip|Disabled|FAIL|Error|Unknown)$`)

// ConformanceOf runs the program on a registry without TLS, with env added to OCI_VERSION=1.1, and logs the result. It has to end by itself: a program that
// couldn't begin has passed nothing.
func ConformanceOf(t *testing.T, address, repository, otherRepository string, env ...string) Conformance {
	t.Helper()
	program := Program(t, "conformance")
	dir := t.TempDir()
	out := Run(t, append([]string{
		"OCI_VERSION=1.1", "OCI_REGISTRY=" + address, "OCI_TLS=disabled", "OCI_REPO1=" + repository, "OCI_REPO2=" + otherRepository, "OCI_RESULTS_DIR=" + dir,
	}, env...), program)
	parts, err := os.ReadFile(filepath.Join(dir, "results.yaml")) //nolint:gosec // the test's
	if err != nil {
		t.Fatalf("the conformance program wrote no results: %v\n%s", err, out.Text)
	}
	tests, err := os.ReadFile(filepath.Join(dir, "junit.xml")) //nolint:gosec // the test's
	if err != nil {
		t.Fatalf("the conformance program wrote no report: %v\n%s", err, out.Text)
	}
	var report struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Disabled int `xml:"disabled,attr"`
			Cases    []struct {
				Name   string `xml:"name,attr"`
				Status string `xml:"status,attr"`
				Why    string `xml:"system-out"`
				Output string `xml:"system-err"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(tests, &report); err != nil {
		t.Fatalf("the conformance program's report: %v", err)
	}
	c := Conformance{Parts: map[string]string{}, Skips: map[string]int{}}
	for _, m := range part.FindAllStringSubmatch(string(parts), -1) {
		c.Parts[m[1]] = m[2]
	}
	for _, s := range report.Suites {
		c.Failed += s.Failures + s.Errors
		c.Skipped += s.Skipped + s.Disabled
		c.Passed += s.Tests - s.Failures - s.Errors - s.Skipped - s.Disabled
		for _, one := range s.Cases {
			switch one.Status {
			case "failure", "error":
				c.Failures = append(c.Failures, one.Name+": "+strings.TrimSpace(one.Why))
			case "skipped":
				why := one.Why
				if _, reason, ok := strings.Cut(one.Output, "skipping test:"); ok && why == "" {
					why = reason
				}
				c.Skips[strings.TrimSpace(why)]++
			}
		}
	}
	t.Logf("OCI distribution specification 1.1, conformance: %d passed, %d failed, %d skipped", c.Passed, c.Failed, c.Skipped)
	for _, failure := range c.Failures {
		t.Log("failed: " + failure)
	}
	for _, why := range slices.Sorted(maps.Keys(c.Skips)) {
		t.Logf("skipped %d: %s", c.Skips[why], why)
	}
	if out.Err != nil && c.Failed == 0 {
		t.Fatal(fmt.Errorf("the conformance program: %w\n%s", out.Err, out.Text))
	}
	return c
}
