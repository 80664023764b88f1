package providertest_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

// inChild marks the process in which the suite may fail.
const inChild = "PROVIDERTEST_BROKEN_PROVIDERS"

// TestBrokenProviders runs the suite on all broken providers in a process of their own, and then looks at what failed.
func TestBrokenProviders(t *testing.T) {
	t.Parallel()
	if os.Getenv(inChild) != "" {
		for _, b := range brokenProviders() {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				providertest.Run(t, b.newHarness)
			})
		}
		return
	}
	output, err := runChild(t, "^TestBrokenProviders$")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the broken providers' tests must fail:\n%s", output)
	require.Equal(t, 1, exit.ExitCode(), "failed, and didn't crash:\n%s", output)
	require.NotContains(t, string(output), "WARNING: DATA RACE")
	results := parse(output)
	for _, b := range brokenProviders() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			root := "TestBrokenProviders/" + strings.ReplaceAll(b.name, " ", "_")
			require.Equal(t, "FAIL", results.outcome[root], "the suite's verdict")
			var failed []string
			for test, outcome := range results.outcome {
				subtest, ok := strings.CutPrefix(test, root+"/")
				if ok && outcome == "FAIL" && !slices.Contains(results.groups, test) {
					failed = append(failed, subtest)
				}
			}
			want := strings.Fields(b.fails)
			said := ""
			for _, subtest := range failed {
				said += results.said[root+"/"+subtest]
			}
			require.ElementsMatch(t, want, failed, "what failed, and it said:\n%s", said)
			require.Contains(t, said, b.says)
		})
	}
}

// TestDeclared: what a harness declares is skipped, and says why.
func TestDeclared(t *testing.T) {
	t.Parallel()
	output, err := runChild(t, "^TestClientAuth$")
	require.NoError(t, err, "%s", output)
	results := parse(output)
	const root = "TestClientAuth/anonymous/"
	said := make(map[string]string)
	for test, outcome := range results.outcome {
		if subtest, ok := strings.CutPrefix(test, root); ok && outcome == "SKIP" {
			_, reason, _ := strings.Cut(results.said[test], ": ")
			said[subtest] = strings.TrimSpace(reason)
		}
	}
	isolation := `the harness declares that it lacks "isolation": what a client can do is up to its own login`
	want := map[string]string{
		"scoping/pull-cannot-push": isolation, "scoping/push-another": isolation, "scoping/pull-another": isolation,
		"scoping/list-another": isolation, "scoping/mount-another": isolation, "scoping/delete-another": isolation,
		"scoping/former-owner":  `the harness declares that it lacks "project-ids": a client's own login is nothing of ours`,
		"scoping/suspended":     `the harness declares that it lacks "suspension": a client's own login is nothing of ours`,
		"expiry/upstream":       `the harness declares that it lacks "expiry": the client's own login ends when it ends`,
		"expiry/bounded":        `the harness declares that it lacks "expiry": the client's own login ends when it ends`,
		"cancellation/canceled": `the harness declares that it lacks "hanging": it calls nothing`,
		"cancellation/deadline": `the harness declares that it lacks "hanging": it calls nothing`,
	}
	for _, fault := range []string{"denied", "throttled", "unavailable", "malformed", "expired", "grants-less", "grants-more"} {
		want["errors/"+fault] = `the harness declares that it lacks "` + fault + `": it calls nothing`
	}
	require.Equal(t, want, said)
}

// runChild returns what go test -v prints for some tests in a process of their own, in which broken providers may fail.
func runChild(t *testing.T, tests string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	child := exec.CommandContext(ctx, os.Args[0], "-test.run="+tests, "-test.v", "-test.count=1", "-test.timeout=4m")
	child.Env = append(os.Environ(), inChild+"=yes")
	return child.CombinedOutput()
}

type results struct {
	outcome map[string]string // PASS, FAIL or SKIP, by the test's full name
	said    map[string]string // what a test logged
	groups  []string          // tests that have subtests
}

var (
	eventLine   = regexp.MustCompile(`^=== (?:RUN|NAME|CONT|PAUSE)\s+(\S+)$`)
	outcomeLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) `)
)

// parse reads the output of go test -v.
func parse(output []byte) results {
	r := results{outcome: make(map[string]string), said: make(map[string]string)}
	current := ""
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch event, outcome := eventLine.FindStringSubmatch(line), outcomeLine.FindStringSubmatch(line); {
		case event != nil:
			current = event[1]
		case outcome != nil:
			r.outcome[outcome[2]] = outcome[1]
			if i := strings.LastIndexByte(outcome[2], '/'); i > 0 && !slices.Contains(r.groups, outcome[2][:i]) {
				r.groups = append(r.groups, outcome[2][:i])
			}
		default:
			r.said[current] += line + "\n"
		}
	}
	return r
}
