package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

const scrapeEvery = time.Minute

// history writes counters' series as promtool's tests take them.
type history struct{ rules, series strings.Builder }

// counter adds a series that begins at zero and grows by what more says of each scrape.
func (h *history) counter(name string, scrapes int, more func(at time.Duration) int) {
	fmt.Fprintf(&h.series, "      - series: '%s'\n        values: '", name)
	for i, n := 0, 0; i < scrapes; i++ {
		n += more(time.Duration(i) * scrapeEvery)
		fmt.Fprint(&h.series, n, " ")
	}
	h.series.WriteString("'\n")
}

// expect adds a test that says how often, at scrapes, the alert was firing between two times.
func (h *history) expect(alert, comparison string, from, to time.Duration) {
	fmt.Fprintf(&h.rules, `      - expr: (sum(count_over_time(ALERTS{alertname="%s", alertstate="firing"}[%s])) or vector(0)) %s
        eval_time: %s
        exp_samples: [{labels: '{}', value: 1}]
`, alert, to-from, comparison, to)
}

// each is what happens once in every interval between two times.
func each(interval, from, to time.Duration, n int) func(time.Duration) int {
	return func(at time.Duration) int {
		if at < from || at >= to {
			return 0
		}
		before := max(at-scrapeEvery, from-1)
		return n * (int((at-from)/interval) - int((before-from+interval)/interval) + 1)
	}
}

func sum(all ...func(time.Duration) int) func(time.Duration) int {
	return func(at time.Duration) (n int) {
		for _, f := range all {
			n += f(at)
		}
		return n
	}
}

func never(time.Duration) int { return 0 }

// promtoolTests writes tests, one an alert and cadence, and runs them.
func promtoolTests(t *testing.T, tests map[string]*history) {
	t.Helper()
	rules, err := filepath.Abs(filepath.Join(monitoring, "alerts.yaml"))
	require.NoError(t, err)
	_, err = os.ReadFile(rules) // Go's test cache doesn't see what other programs read
	require.NoError(t, err)
	var file strings.Builder
	fmt.Fprintf(&file, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n", rules)
	for name, h := range tests {
		fmt.Fprintf(&file, "  - name: %q\n    interval: %s\n    input_series:\n%s    promql_expr_test:\n%s", name, scrapeEvery, h.series.String(), h.rules.String())
	}
	path := filepath.Join(t.TempDir(), "rules_test.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file.String()), 0o600))
	realtest.Must(t, os.Environ(), realtest.Program(t, "promtool"), "test", "rules", path)
}

const (
	issuedSeries   = `rise_registry_requests_total{outcome="issued", code=""}`
	deniedSeries   = `rise_registry_requests_total{outcome="failed", code="upstream_denied"}`
	timeoutSeries  = `rise_registry_requests_total{outcome="failed", code="timeout"}`
	canceledSeries = `rise_registry_requests_total{outcome="canceled", code="timeout"}`
	refusedSeries  = `rise_registry_requests_total{outcome="refused", code="unauthenticated"}`
	missSeries     = `rise_registry_cache_requests_total{result="miss"}`
	refreshSeries  = `rise_registry_cache_refreshes_total`
	throttleSeries = `rise_registry_cache_throttled_total`
)

// What goes wrong for good is told however rare requests are, and is over soon after it was mended.
func TestAlertsAtEachCadence(t *testing.T) {
	t.Parallel()
	tests := map[string]*history{}
	for _, cadence := range []time.Duration{
		100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 2 * time.Minute, 6 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour,
	} {
		for what, fault := range map[string]struct {
			series, alert string
			attempts      int           // counted a request
			late, over    time.Duration // from when on it fires, and is over, at the latest
		}{
			"denied":    {deniedSeries, "RiseRegistryUpstreamDenied", 1, 15 * time.Minute, 0},
			"given up":  {canceledSeries, "RiseRegistryFailing", 1, 20 * time.Minute, 0},
			"throttled": {throttleSeries, "RiseRegistryThrottled", 10, 35 * time.Minute, 130 * time.Minute},
		} {
			late := max(fault.late, (4*cadence + 15*time.Minute).Round(scrapeEvery))
			broken := max(40*time.Minute, 3*cadence)
			mended := broken + late + max(20*time.Minute, 2*cadence)
			over := mended + max(late, fault.over)
			end := over + 30*time.Minute
			h, scrapes := &history{}, int(end/scrapeEvery)+1
			requests := each(cadence, 0, end, 1)
			h.counter(missSeries, scrapes, requests)
			h.counter(refreshSeries, scrapes, never)
			if fault.series != throttleSeries { // which is waited out
				requests = sum(each(cadence, 0, broken, 1), each(cadence, mended, end, 1))
			}
			h.counter(issuedSeries, scrapes, requests)
			h.counter(fault.series, scrapes, each(cadence, broken, mended, fault.attempts))
			h.counter(refusedSeries, scrapes, each(time.Second, 0, end, 1)) // somebody guesses tokens all along
			h.expect(fault.alert, "== bool 0", 0, broken)
			h.expect(fault.alert, fmt.Sprintf(">= bool %d", int((mended-broken-late)/scrapeEvery)), broken+late, mended)
			h.expect(fault.alert, "== bool 0", over, end)
			tests[fmt.Sprint(what, " every ", cadence)] = h
		}
	}
	promtoolTests(t, tests)
}

// One request that fails is no alert, however often it was throttled, and whatever others there are.
func TestNoAlertForOne(t *testing.T) {
	t.Parallel()
	tests := map[string]*history{}
	for _, cadence := range []time.Duration{time.Second, time.Minute, 10 * time.Minute, time.Hour, 1000 * time.Hour} {
		for what, series := range map[string]string{"denied": deniedSeries, "failed": timeoutSeries} {
			h := &history{}
			at := max(30*time.Minute, 3*min(cadence, time.Hour))
			end := at + 3*time.Hour + 30*time.Minute
			scrapes := int(end/scrapeEvery) + 1
			h.counter(issuedSeries, scrapes, each(cadence, cadence/2, end, 1))
			h.counter(series, scrapes, each(end, at, at+1, 1))
			h.counter(throttleSeries, scrapes, each(end, at, at+1, 20))
			h.counter(missSeries, scrapes, each(cadence, 0, end, 1))
			h.counter(refreshSeries, scrapes, never)
			for _, alert := range []string{"RiseRegistryUpstreamDenied", "RiseRegistryFailing", "RiseRegistryThrottled"} {
				h.expect(alert, "== bool 0", 0, end)
			}
			tests[fmt.Sprint("one ", what, " among one every ", cadence)] = h
		}
	}
	promtoolTests(t, tests)
}
