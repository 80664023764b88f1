package riseregistry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	codeSpan       = regexp.MustCompile("`([^`\n]+)`")
	mapRow         = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*[^|\\s][^|]*\\| ([^|]+) \\|$")
	namedFile      = regexp.MustCompile(`^[\w./-]+\.(go|md|mod|work|ya?ml|json)$`)
	namedIn        = regexp.MustCompile(`^([a-z][a-z0-9/]*)\.(\w+(?:\.\w+)?)$`)
	namedFolder    = regexp.MustCompile(`^\w[\w.-]*(/\w[\w.-]*)+$`)
	importsOfNames = map[string][]string{"nothing": {}, "everything": {"..."}}
)

// docs/architecture.md is what the code is: its map has every package, with the rules of TestImportDirections, and what it names is there.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	page := string(content)

	var packages, mapped []string
	for _, p := range everywhere(t) {
		if path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"); path != "" && len(p.GoFiles) > 0 {
			packages = append(packages, path)
		}
	}
	for _, row := range mapRow.FindAllStringSubmatch(page, -1) {
		path, imports := row[1], row[2]
		mapped = append(mapped, path)
		require.DirExists(t, path)
		may, ok := importsOfNames[imports]
		if !ok {
			for _, name := range codeSpan.FindAllStringSubmatch(imports, -1) {
				may = append(may, name[1])
			}
		}
		require.ElementsMatch(t, rule(t, path), may, "%s may import", path)
	}
	for _, path := range packages {
		require.True(t, slices.Contains(mapped, path), "%s isn't on the map", path)
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(mapped))), len(mapped), "each once")

	names := 0
	for _, span := range codeSpan.FindAllStringSubmatch(page, -1) {
		switch text := span[1]; {
		case !namedFile.MatchString(text) && namedIn.MatchString(text):
			parts := namedIn.FindStringSubmatch(text)
			require.True(t, declared(t, packageNamed(t, mapped, parts[1]))[parts[2]], "there is no %s", text)
		case namedFile.MatchString(text), namedFolder.MatchString(text):
			_, err := os.Stat(text)
			require.NoError(t, err)
		default:
			continue
		}
		names++
	}
	require.Greater(t, names, 50)
}

// packageNamed is the one package whose path ends in name.
func packageNamed(t *testing.T, packages []string, name string) string {
	t.Helper()
	var found []string
	for _, path := range packages {
		if path == name || strings.HasSuffix(path, "/"+name) {
			found = append(found, path)
		}
	}
	require.Len(t, found, 1, "packages %s", name)
	return found[0]
}

// declared are the package's functions, types, variables, constants, and methods and fields as Type.Name.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					declaredBy(spec, names)
				}
			}
		}
	}
	return names
}

func declaredBy(spec ast.Spec, names map[string]bool) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			names[name.Name] = true
		}
	case *ast.TypeSpec:
		names[spec.Name.Name] = true
		var members *ast.FieldList
		switch of := spec.Type.(type) {
		case *ast.StructType:
			members = of.Fields
		case *ast.InterfaceType:
			members = of.Methods
		default:
			return
		}
		for _, member := range members.List {
			for _, name := range member.Names {
				names[spec.Name.Name+"."+name.Name] = true
			}
		}
	}
}

// receiver is "Type." for a method.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	on := f.Recv.List[0].Type
	for {
		switch of := on.(type) {
		case *ast.StarExpr:
			on = of.X
		case *ast.IndexExpr:
			on = of.X
		case *ast.IndexListExpr:
			on = of.X
		case *ast.Ident:
			return of.Name + "."
		default:
			return ""
		}
	}
}
