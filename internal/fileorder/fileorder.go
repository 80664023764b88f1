// Package fileorder puts the files of a package into the order in which they are read, who uses before what is used, and
// reports what has no such order or is too large to be read at all.
//
// A file uses another one of its package when it names what is declared there: a function, a type, a constant, a variable, a
// method or a field, through a generic type's instance too. The embedded fields that a promoted method or field is reached by count as
// named. A call through an interface or a function's value uses the declaration of the interface's method or of the
// variable, not what is behind it: that is how a lower file calls what an upper one gave to it.
//
// Tests are left out. Files for other platforms and build tags count, but aren't ordered.
package fileorder

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// A package above one of these isn't taken in by whoever opens it.
const (
	MaxFiles = 15
	MaxLines = 2500
)

// A Package is what is known of a package's files, tests apart.
type Package struct {
	Path  string   // to import it
	Files []string // base names, sorted, of all platforms
	Lines int      // of all files
	Uses  []Use    // at most one for each two files, sorted
}

// A Use is where a file uses another one of its package.
type Use struct {
	From, To string         // base names
	Count    int            // of all such uses
	Name     string         // of what the first one uses: Func, Type, Type.Method, field
	At       token.Position // of the first one
}

// Load reads the packages that the go command's patterns name in dir, a folder of their module or workspace. It fails when one of
// them doesn't compile.
func Load(dir string, patterns ...string) ([]Package, error) {
	loaded, err := packages.Load(&packages.Config{
		Dir:  dir,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo,
	}, patterns...)
	if err != nil {
		return nil, err
	}
	var all []Package
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s: %w", p.PkgPath, errors.Join(packageErrors(p.Errors)...))
		}
		one := Package{Path: p.PkgPath, Uses: uses(p)}
		if one.Files, one.Lines, err = files(p.Dir); err != nil {
			return nil, err
		}
		if len(one.Files) > 0 {
			all = append(all, one)
		}
	}
	return all, nil
}

func packageErrors(errs []packages.Error) []error {
	out := make([]error, len(errs))
	for i, err := range errs {
		out[i] = err
	}
	return out
}

// files reads the folder itself: which files the package has on other platforms is in no build's list.
func files(dir string) (names []string, lines int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // a file of the package
		if err != nil {
			return nil, 0, err
		}
		names, lines = append(names, e.Name()), lines+bytes.Count(content, []byte("\n"))
	}
	return names, lines, nil
}

func uses(p *packages.Package) []Use {
	found := map[[2]string]*Use{}
	add := func(at ast.Node, object types.Object) {
		if object.Pkg() != p.Types {
			return
		}
		position := p.Fset.PositionFor(at.Pos(), false)
		from, to := filepath.Base(position.Filename), filepath.Base(p.Fset.PositionFor(object.Pos(), false).Filename)
		if from == to { // as is all that is local
			return
		}
		u := found[[2]string{from, to}]
		if u == nil {
			u = &Use{From: from, To: to, Name: name(object), At: position}
			found[[2]string{from, to}] = u
		}
		u.Count++
	}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if object := p.TypesInfo.Uses[n]; object != nil {
					add(n, object)
				}
			case *ast.SelectorExpr:
				if selection := p.TypesInfo.Selections[n]; selection != nil {
					for _, field := range embedded(selection) {
						add(n.Sel, field)
					}
				}
			}
			return true
		})
	}
	all := make([]Use, 0, len(found))
	for _, u := range found {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b Use) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return all
}

// embedded are the fields that are passed, unnamed, on the way to what is selected.
func embedded(selection *types.Selection) []*types.Var {
	var fields []*types.Var
	on, path := selection.Recv(), selection.Index()
	for _, i := range path[:len(path)-1] {
		if pointer, ok := on.Underlying().(*types.Pointer); ok {
			on = pointer.Elem()
		}
		field := on.Underlying().(*types.Struct).Field(i)
		fields, on = append(fields, field), field.Type()
	}
	return fields
}

func name(object types.Object) string {
	if f, ok := object.(*types.Func); ok {
		if receiver := f.Signature().Recv(); receiver != nil {
			on := receiver.Type()
			if pointer, ok := on.(*types.Pointer); ok {
				on = pointer.Elem()
			}
			if named, ok := on.(*types.Named); ok {
				return named.Obj().Name() + "." + f.Name()
			}
		}
	}
	return object.Name()
}

// Order returns the files, each before those that it uses, and the cycles: files that all use each other, directly or
// not, which stand in the order one after the other. Equal packages have equal orders.
func (p Package) Order() (order []string, cycles [][]string) {
	// Tarjan's algorithm. What it finds first is what uses nothing else.
	var (
		next       = map[string][]string{}
		index, low = map[string]int{}, map[string]int{}
		stack      []string
		groups     [][]string
		visit      func(string)
	)
	for _, u := range slices.Backward(p.Uses) {
		next[u.From] = append(next[u.From], u.To)
	}
	visit = func(file string) {
		index[file], low[file] = len(index)+1, len(index)+1
		stack = append(stack, file)
		for _, used := range next[file] {
			if index[used] == 0 {
				visit(used)
				low[file] = min(low[file], low[used])
			} else if slices.Contains(stack, used) {
				low[file] = min(low[file], index[used])
			}
		}
		if low[file] == index[file] {
			at := slices.Index(stack, file)
			group := slices.Sorted(slices.Values(stack[at:]))
			stack, groups = stack[:at], append(groups, group)
		}
	}
	for _, file := range slices.Backward(p.Files) {
		if index[file] == 0 {
			visit(file)
		}
	}
	for _, group := range slices.Backward(groups) {
		order = append(order, group...)
		if len(group) > 1 {
			cycles = append(cycles, group)
		}
	}
	return order, cycles
}

// Problems says what is wrong with the package, if anything: a cycle, with a use for each step of it, or its size.
func (p Package) Problems() []string {
	var problems []string
	if len(p.Files) > MaxFiles {
		problems = append(problems, fmt.Sprintf("%s has %d files, more than %d", p.Path, len(p.Files), MaxFiles))
	}
	if p.Lines > MaxLines {
		problems = append(problems, fmt.Sprintf("%s has %d lines, more than %d", p.Path, p.Lines, MaxLines))
	}
	_, cycles := p.Order()
	for _, cycle := range cycles {
		text := fmt.Sprintf("%s: these files use each other: %s", p.Path, strings.Join(cycle, ", "))
		for _, u := range p.Uses {
			if slices.Contains(cycle, u.From) && slices.Contains(cycle, u.To) {
				text += "\n\t" + u.String()
			}
		}
		problems = append(problems, text)
	}
	return problems
}

func (u Use) String() string {
	text := fmt.Sprintf("%s uses %s: %s at %s:%d:%d", u.From, u.To, u.Name, u.From, u.At.Line, u.At.Column)
	if u.Count > 1 {
		text += fmt.Sprintf(" and %d more", u.Count-1)
	}
	return text
}
