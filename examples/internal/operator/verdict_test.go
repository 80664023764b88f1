package operator_test

import (
	"context"
	"iter"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	op "github.com/rise-deploy/rise-registry-go/examples/internal/operator"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	const p, w, f, s = diagnosis.Passed, diagnosis.Warned, diagnosis.Failed, diagnosis.Skipped
	pointless := diagnosis.Finding{Check: "z", Status: s, Because: "y"}
	of := func(name string, status diagnosis.Status) diagnosis.Finding {
		return diagnosis.Finding{Check: name, Status: status}
	}
	for name, tt := range map[string]struct {
		ended    bool
		findings []diagnosis.Finding
		want     string
		good     bool
	}{
		"good":                    {false, []diagnosis.Finding{of("a", p), of("b", p)}, "good: 2 passed", true},
		"optional":                {false, []diagnosis.Finding{of("a", p), of("b", s)}, "good: 1 passed; 1 not checked", true},
		"warned":                  {false, []diagnosis.Finding{of("a", w), of("b", p), of("c", w)}, "good: 1 passed, 2 warned (a, c)", true},
		"failed":                  {false, []diagnosis.Finding{of("a", p), of("b", f), pointless}, "1 failed: b; 1 not checked", false},
		"several":                 {false, []diagnosis.Finding{of("b", f), of("c", w), of("a", f)}, "2 failed: b, a; begin with b", false},
		"no time":                 {true, []diagnosis.Finding{of("a", p), of("b", s)}, "unfinished: the time was up; 1 passed; 1 not checked", false},
		"no time, all the same":   {true, []diagnosis.Finding{of("a", p), of("b", w)}, "good: 1 passed, 1 warned (b)", true},
		"no time, and something":  {true, []diagnosis.Finding{of("a", f), of("b", s)}, "1 failed: a; 1 not checked", false},
		"nothing":                 {false, nil, "nothing was checked", false},
		"nothing that could fail": {false, []diagnosis.Finding{of("a", s)}, "nothing was checked", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, good := op.Verdict(iterOf(tt.findings), tt.ended)
			require.Equal(t, tt.want, text)
			require.Equal(t, tt.good, good)
		})
	}
}

func iterOf(findings []diagnosis.Finding) iter.Seq[diagnosis.Finding] {
	return func(yield func(diagnosis.Finding) bool) {
		for _, f := range findings {
			if !yield(f) {
				return
			}
		}
	}
}

// What is optional takes a line each, and its remedy one for all of them; --verbose has it whole.
func TestDiagnoseIsQuiet(t *testing.T) {
	aws, d, run := double(t)
	aws.CreateRepository(d.Repository("hello"))
	registry := "  registry_host: " + aws.RegistryHost + "\n"
	code, stdout, stderr := run(registry, "diagnose", "hello")
	require.Zero(t, code, stdout+stderr)
	quiet := regexp.MustCompile(`(?m)^– .*\n(  .*\n)*`).FindAllString(stdout, -1)
	require.Len(t, quiet, 4, stdout)
	for n, text := range quiet {
		require.Equal(t, 1, strings.Count(text, "\n"), text)
		require.Equal(t, n == 0, strings.Contains(text, "(it is optional: allow it to the controller"), text)
	}
	code, stdout, stderr = run(registry, "diagnose", "hello", "--verbose")
	require.Zero(t, code, stdout+stderr)
	require.Equal(t, 4, strings.Count(stdout, "  → it is optional: "), stdout)
	require.Contains(t, stdout, `    {"Statement":[`)
}

// A diagnosis that was ended says so, and isn't good.
func TestDiagnoseEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, stdout, stderr := operatorIn(ctx, t, ociConfig("127.0.0.1:1"), nil, "diagnose", "hello")
	require.Equal(t, 1, code, stdout+stderr)
	require.Regexp(t, `\n(unfinished: the time was up; 0 passed; \d not checked|nothing was checked)\n$`, "\n"+stdout)
}
