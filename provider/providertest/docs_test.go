package providertest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs: the harness that docs/adding-a-provider.md shows is the one that is tested, and has less than 30 lines.
func TestDocs(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("harness_test.go")
	require.NoError(t, err)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "harness_test.go", source, 0)
	require.NoError(t, err)
	guide, err := os.ReadFile("../../docs/adding-a-provider.md")
	require.NoError(t, err)
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		text := string(source[files.Position(f.Pos()).Offset:files.Position(f.End()).Offset])
		require.Contains(t, string(guide), "\n"+text+"\n", "%s, in the guide", f.Name)
		require.Less(t, strings.Count(text, "\n")+1, 30, "lines of %s", f.Name)
	}
}

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
