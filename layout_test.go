package riseregistry_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/rise-deploy/rise-registry-go"

type goPackage struct {
	ImportPath string
	Deps       []string
}

func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Deps"}, args...)...)
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

// everywhere are the packages of all of the repository's modules, as their files say: go list would download what each requires.
func everywhere(t *testing.T) []*build.Package {
	t.Helper()
	var all []*build.Package
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != "." && (d.Name() == "testdata" || strings.ContainsAny(d.Name()[:1], "._")) {
			return fs.SkipDir
		}
		p, err := build.ImportDir(path, 0)
		if none := (*build.NoGoError)(nil); errors.As(err, &none) {
			return nil
		}
		p.ImportPath = strings.TrimSuffix(module+"/"+filepath.ToSlash(path), "/.")
		all = append(all, p)
		return err
	}))
	return all
}

// importRules are what a package of ours may import of ours, by the longest matching prefix. "x/..." is x and all below.
func importRules() map[string][]string {
	doubleCloud := []string{"ecr/ecrtest/internal/awserr", "ecr/ecrtest/internal/iam", "ecr/ecrtest/internal/identity", "ecr/ecrtest/internal/repos"}
	doubleProtocol := slices.Concat(doubleCloud, []string{"ecr/ecrtest/internal/cloud", "ecr/ecrtest/internal/awswire"})
	return map[string][]string{
		"":                                {},
		"provider":                        {"provider/internal/kept"},
		"provider/internal":               {},
		"provider/providertest":           {"provider"},
		"provider/repository":             {"provider"},
		"provider/diagnosis":              {"provider"},
		"provider/decorator":              {"provider", "provider/internal/kept"},
		"internal/fileorder":              {},
		"internal/hostport":               {},
		"internal/probe":                  {},
		"internal/realtest":               {},
		"internal/sharedrepo":             {"provider"},
		"ecr":                             {"provider/...", "internal/hostport", "internal/sharedrepo", "ecr/internal/..."},
		"ecr/internal/policy":             {"provider"},
		"ecr/ecrtest":                     {"ecr/ecrtest/internal/..."},
		"ecr/iampolicy":                   {"ecr", "ecr/internal/policy", "provider"},
		"oci":                             {"provider/...", "internal/hostport", "internal/probe", "oci/internal/..."},
		"oci/internal":                    {"provider/...", "internal/hostport", "internal/probe"},
		"oci/imageregistry":               {},
		"configload":                      {},
		"registry":                        {"provider/...", "registry/..."},
		"registry/client":                 {"provider/..."},
		"registry/endpoint/oidc":          {"provider/...", "registry/endpoint", "registry/endpoint/oidc/internal/...", "internal/probe"},
		"registry/endpoint/oidc/internal": {},
		"examples":                        {"..."},
		"modules":                         {"..."},
		"benchmarks":                      {"..."},
		"deploy":                          {"..."},

		"oci/tokenissuer": {
			"provider/...", "oci", "oci/internal/...", "oci/tokenissuer/internal/...", "internal/hostport", "internal/probe", "internal/sharedrepo",
		},
		"oci/tokenissuer/internal":           {}, // one that is new says here what it needs
		"oci/tokenissuer/internal/diagnosis": {"provider", "provider/diagnosis", "internal/probe", "oci/internal/reach", "oci/tokenissuer/internal/keys"},
		"oci/tokenissuer/tokenkeys":          {"oci/tokenissuer/internal/keys"},

		"oci/tokenauth": {"provider/...", "oci", "oci/internal/reach", "oci/tokenauth/internal/...", "internal/hostport"},
		// Reading of tokens; over it, asking for them; over that, who asks, and the diagnosis.
		"oci/tokenauth/internal":             {}, // one that is new says here what it needs
		"oci/tokenauth/internal/bearer":      {},
		"oci/tokenauth/internal/tokenserver": {"provider", "internal/hostport", "internal/probe", "oci/internal/reach", "oci/tokenauth/internal/bearer"},
		"oci/tokenauth/internal/login":       {"provider", "oci/tokenauth/internal/tokenserver"},
		"oci/tokenauth/internal/diagnosis":   {"provider", "provider/diagnosis", "internal/probe", "oci/internal/reach", "oci/tokenauth/internal/..."},
		"oci/tokenauth/tokenauthtest":        {"oci/imageregistry"},

		// Diagnosis and repositories over what talks to AWS: hints over what AWS said, clients over what goes out and comes in, all
		// over what may be quoted.
		"ecr/internal":                  {}, // one that is new says here what it needs
		"ecr/internal/scrub":            {"provider"},
		"ecr/internal/awsapi/source":    {"provider", "ecr/internal/scrub"},
		"ecr/internal/awsapi/transport": {"ecr/internal/awsapi/source"},
		"ecr/internal/awsapi/failure":   {"provider", "internal/probe", "ecr/internal/scrub", "ecr/internal/awsapi/source", "ecr/internal/awsapi/transport"},
		"ecr/internal/awsapi":           {"provider", "internal/hostport", "ecr/internal/scrub", "ecr/internal/policy", "ecr/internal/awsapi/..."},
		"ecr/internal/hint":             {"provider", "ecr/internal/policy", "ecr/internal/awsapi/failure", "ecr/internal/awsapi/source"},
		"ecr/internal/diagnosis":        {"provider", "provider/diagnosis", "internal/hostport", "internal/probe", "internal/sharedrepo", "ecr/internal/repositories", "ecr/internal/hint", "ecr/internal/awsapi", "ecr/internal/awsapi/failure", "ecr/internal/policy", "ecr/internal/scrub"},
		"ecr/internal/repositories":     {"provider", "provider/repository", "ecr/internal/hint", "ecr/internal/awsapi", "ecr/internal/awsapi/failure", "ecr/internal/policy", "ecr/internal/scrub"},

		// The double: its face over the protocols, of which none knows another; they over what they share on the wire and the
		// cloud; that over who there is and what ECR keeps.
		"ecr/ecrtest/internal":             {}, // one that is new says here what it needs
		"ecr/ecrtest/internal/awserr":      {},
		"ecr/ecrtest/internal/iam":         {},
		"ecr/ecrtest/internal/identity":    {"ecr/ecrtest/internal/awserr", "ecr/ecrtest/internal/iam"},
		"ecr/ecrtest/internal/repos":       {"ecr/ecrtest/internal/awserr", "ecr/ecrtest/internal/iam"},
		"ecr/ecrtest/internal/cloud":       doubleCloud,
		"ecr/ecrtest/internal/awswire":     slices.Concat(doubleCloud, []string{"ecr/ecrtest/internal/cloud"}),
		"ecr/ecrtest/internal/sts":         doubleProtocol,
		"ecr/ecrtest/internal/ecrapi":      doubleProtocol,
		"ecr/ecrtest/internal/podidentity": doubleProtocol,
		"ecr/ecrtest/internal/images":      slices.Concat(doubleProtocol, []string{"oci/imageregistry"}),
	}
}

// rule is the one for a package.
func rule(t *testing.T, path string) []string {
	t.Helper()
	allowed := importRules()
	longest, known := "", false
	for prefix := range allowed {
		if under(path, prefix) && len(prefix) >= len(longest) && (prefix != "" || path == "") {
			longest, known = prefix, true
		}
	}
	require.True(t, known, "%s: no rule for it in this test", path)
	return allowed[longest]
}

// Imports point one way.
func TestImportDirections(t *testing.T) {
	t.Parallel()
	for _, p := range everywhere(t) {
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		allowed := rule(t, path)
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module+"/"); ok {
				fine := slices.ContainsFunc(allowed, func(pattern string) bool {
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
				require.True(t, path == "provider/providertest" || strings.HasSuffix(path, "internal/realtest"), "%s imports %s into programs", p.ImportPath, i)
			}
		}
		if !under(path, "examples") {
			continue
		}
		// Go would allow it, but releases of the two modules may differ. go mod tidy of whoever imports an example loads its tests too.
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			require.False(t, under(i, module+"/internal"), "%s imports %s, which is another module's own", p.ImportPath, i)
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
	packages := goList(t, "./provider", "./provider/repository", "./provider/diagnosis", "./provider/decorator", "./oci", "./oci/imageregistry", "./oci/tokenissuer", "./oci/tokenissuer/tokenkeys", "./oci/tokenauth", "./oci/tokenauth/tokenauthtest", "./registry", "./registry/client", "./registry/endpoint", "./registry/endpoint/oidc", "./registry/reconcile", "./configload")
	require.Len(t, packages, 16)
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

// A token issuer costs who uses it one module more than oci does, callers by OIDC tokens three more than the endpoint, and the endpoint's client nothing
// more than the contract.
func TestModulesLinked(t *testing.T) {
	t.Parallel()
	linked := func(path string) []string {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", path).Output()
		require.NoError(t, err)
		modules := strings.Fields(string(out))
		slices.Sort(modules)
		return slices.Compact(modules)
	}
	want := append(linked("./oci"), "github.com/go-jose/go-jose/v4")
	require.ElementsMatch(t, want, linked("./oci/tokenissuer"))
	require.ElementsMatch(t, linked("./oci"), linked("./oci/tokenauth"), "a token server that is asked costs none")
	want = append(linked("./registry/endpoint"), "github.com/go-jose/go-jose/v4", "github.com/coreos/go-oidc/v3", "golang.org/x/oauth2")
	require.ElementsMatch(t, want, linked("./registry/endpoint/oidc"))
	require.ElementsMatch(t, linked("./provider"), linked("./registry/client"))
}

// Each module that importers have to resolve for us has its reason in docs/decisions.md, and nothing else has.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json").Output()
	require.NoError(t, err)
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	require.NoError(t, json.Unmarshal(out, &mod))
	var required []string
	for _, r := range mod.Require {
		if !r.Indirect {
			required = append(required, r.Path)
		}
	}
	text, err := os.ReadFile("docs/decisions.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "\n| module | for |\n|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var explained []string
	for line := range strings.Lines(table) {
		cell := strings.Split(line, "|")[1]
		first := ""
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			first = cmp.Or(first, m[1])
			explained = append(explained, strings.Replace(m[1], "…", first, 1))
		}
	}
	require.ElementsMatch(t, required, explained)
}

// No registration by import, and no mutable state of packages: all is passed.
func TestNoInit(t *testing.T) {
	t.Parallel()
	for _, p := range everywhere(t) {
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
		"provider", "ecr", "oci", "registry", "configload", "examples", "internal", "docs", "deploy", "modules", "benchmarks", "testdata",
		"go.mod", "go.sum", "go.work", "go.work.sum", "doc.go", "layout_test.go", "fileorder_test.go", "architecture_test.go", "readme_test.go", "links_test.go",
		"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE",
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			require.Contains(t, known, e.Name())
		}
	}
}
