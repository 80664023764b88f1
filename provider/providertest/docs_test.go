package providertest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSubtests: the package's documentation lists the subtests that there are, in their order.
func TestSubtests(t *testing.T) {
	t.Parallel()
	output, err := runChild(t, "^TestVending$")
	require.NoError(t, err, "%s", output)
	var ran []string
	for _, line := range strings.Split(string(output), "\n") {
		subtest, ok := strings.CutPrefix(line, "=== RUN   TestVending/")
		if ok && (strings.Contains(subtest, "/") || subtest == "harness") {
			ran = append(ran, subtest)
		}
	}
	require.Equal(t, ran, listed(t))
}

// TestEachSubtestCanFail: there is a broken provider or harness for each subtest.
func TestEachSubtestCanFail(t *testing.T) {
	t.Parallel()
	var fail []string
	for _, b := range brokenProviders() {
		fail = append(fail, strings.Fields(b.fails)...)
	}
	for _, subtest := range listed(t) {
		require.Contains(t, fail, subtest)
	}
}

// listed returns the subtests that the package's documentation lists.
func listed(t *testing.T) []string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, list, _ := strings.Cut(string(doc), "# Subtests")
	var subtests []string
	for _, line := range strings.Split(list, "\n") {
		if entry, ok := strings.CutPrefix(line, "//\t"); ok {
			subtests = append(subtests, strings.Fields(entry)[0])
		}
	}
	return subtests
}
