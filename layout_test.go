package riseregistry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/rise-deploy/rise-registry-go"

type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,Imports,Deps"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
}

// Imports point one way: what a package of ours may import of ours, by the longest matching prefix. "x/..." is x and all below.
func TestImportDirections(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"":                      {},
		"provider":              {"provider/internal/kept"},
		"provider/internal":     {},
		"provider/providertest": {"provider"},
		"provider/repository":   {"provider"},
		"provider/diagnosis":    {"provider"},
		"provider/decorator":    {"provider", "provider/internal/kept"},
		"internal/hostport":     {},
		"internal/probe":        {},
		"internal/realtest":     {},
		"ecr":                   {"provider/...", "internal/hostport", "internal/probe", "ecr/internal/..."},
		"ecr/internal/policy":   {"provider"},
		"ecr/internal/scrub":    {"provider"},
		"ecr/ecrtest":           {"ecr/ecrtest/internal/..."},
		"ecr/iampolicy":         {"ecr", "ecr/internal/policy", "provider"},
		"oci":                   {"provider/...", "internal/hostport", "internal/probe"},
		"oci/imageregistry":     {},
		"configload":            {},
		"registry":              {"provider/...", "registry/..."},
		"examples":              {"..."},

		"ecr/internal/awsapi":           {"provider", "internal/hostport", "ecr/internal/scrub", "ecr/internal/policy", "ecr/internal/awsapi/..."},
		"ecr/internal/awsapi/source":    {"provider", "ecr/internal/scrub"},
		"ecr/internal/awsapi/transport": {"ecr/internal/awsapi/source"},
		"ecr/internal/awsapi/failure":   {"provider", "internal/probe", "ecr/internal/scrub", "ecr/internal/awsapi/source", "ecr/internal/awsapi/transport"},
		"ecr/internal/hint":             {"provider", "ecr/internal/policy", "ecr/internal/awsapi/failure", "ecr/internal/awsapi/source"},
		"ecr/ecrtest/internal/images":   {"oci/imageregistry"},
	}
	for _, p := range goList(t, "./...") {
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		rule, known := "", false
		for prefix := range allowed {
			if under(path, prefix) && len(prefix) >= len(rule) && (prefix != "" || path == "") {
				rule, known = prefix, true
			}
		}
		require.True(t, known, "%s: no rule for it in this test", p.ImportPath)
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module+"/"); ok {
				fine := slices.ContainsFunc(allowed[rule], func(pattern string) bool {
					prefix, below := strings.CutSuffix(pattern, "...")
					return ours == pattern || below && under(ours, strings.TrimSuffix(prefix, "/"))
				})
				require.True(t, fine, "%s imports %s", p.ImportPath, i)
			}
			if strings.Contains(i, "yaml") {
				require.Equal(t, "configload", path, "%s imports %s: YAML is configload's alone", p.ImportPath, i)
			}
			if strings.Contains(i, "prometheus") {
				require.True(t, under(path, "examples"), "%s imports %s: metrics are the embedding service's", p.ImportPath, i)
			}
			if i == "testing" || strings.Contains(i, "/testify") {
				require.True(t, path == "provider/providertest" || path == "internal/realtest", "%s imports %s into programs", p.ImportPath, i)
			}
		}
	}
}

// under reports whether path is prefix or below it.
func under(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

// Whoever doesn't use ECR doesn't link AWS.
func TestNoAWSWithoutECR(t *testing.T) {
	t.Parallel()
	packages := goList(t, "./provider", "./provider/repository", "./provider/diagnosis", "./provider/decorator", "./oci", "./oci/imageregistry", "./registry", "./registry/endpoint", "./registry/reconcile", "./configload")
	require.Len(t, packages, 10)
	for _, p := range packages {
		for _, dep := range p.Deps {
			require.NotContains(t, dep, "aws", "%s links it", p.ImportPath)
		}
	}
	for _, dep := range goList(t, "./oci/imageregistry")[0].Deps {
		first, _, _ := strings.Cut(dep, "/")
		require.NotContains(t, first, ".", "the standard library is enough for a registry")
	}
	linked := false
	for _, dep := range goList(t, "./ecr")[0].Deps {
		linked = linked || strings.HasPrefix(dep, "github.com/aws/aws-sdk-go-v2/")
	}
	require.True(t, linked, "this test would see it")
}

// No registration by import, and no mutable state of packages: all is passed.
func TestNoInit(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range parsed.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					require.NotEqual(t, "init", f.Name.Name, "%s/%s", p.ImportPath, file)
				}
			}
		}
	}
}

// The top level is what a newcomer sees first.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	known := []string{
		"provider", "ecr", "oci", "registry", "configload", "examples", "internal", "docs", "modules", "benchmarks", "testdata",
		"go.mod", "go.sum", "doc.go", "layout_test.go", "readme_test.go", "README.md", "LICENSE",
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			require.Contains(t, known, e.Name())
		}
	}
}
