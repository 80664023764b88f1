// Generate writes the descriptions of all configuration types into descriptions.json, from their doc comments. Run it by go generate when these have changed.
package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/registry"
)

const (
	module = "github.com/rise-deploy/rise-registry-go"
	file   = "descriptions.json"
)

func main() {
	log.SetFlags(0)
	text, err := descriptions("../../..") // from the folder of package schema
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// structs are a package's, by name.
type structs map[string]*ast.TypeSpec

// asked are the structs and fields that the schema of all of this repository's types has.
func asked() (map[string]bool, error) {
	factory, err := registry.NewFactory(append(app.Builders(), customprovider.Builder())...)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	_, err = configload.Schema(config.Default(factory), func(t reflect.Type, field string) string {
		all[strings.TrimSuffix(t.PkgPath()+"."+t.Name()+"."+field, ".")] = true
		return ""
	})
	return all, err
}

// descriptions are those of the configuration's structs and fields, whose packages are below root, as JSON.
func descriptions(root string) ([]byte, error) {
	packages, err := parse(root)
	if err != nil {
		return nil, err
	}
	wanted, err := asked()
	if err != nil {
		return nil, err
	}
	keys := map[string]string{}
	for _, folder := range slices.Sorted(maps.Keys(packages)) { // in one order, as types may have fields of one name with other keys
		p := packages[folder]
		for _, name := range slices.Sorted(maps.Keys(p)) {
			addKeys(keys, fieldsOf(p, p[name]))
		}
	}
	all := map[string]string{}
	for path, p := range packages {
		for name, spec := range p {
			fields := fieldsOf(p, spec)
			if len(fields) == 0 {
				continue
			}
			named := maps.Clone(keys)
			addKeys(named, fields) // which are the type's own
			add(all, path+"."+name, sentence(docOf(p, spec), name, named))
			before := ""
			for _, f := range fields {
				doc := f.Doc.Text()
				if doc == "" {
					doc = f.Comment.Text()
				}
				for _, field := range f.Names {
					if doc == "" && regexp.MustCompile(`\b`+field.Name+`\b`).MatchString(before) { // what was said of both
						doc = before
					}
					add(all, path+"."+name+"."+field.Name, sentence(doc, "", named))
				}
				before = doc
			}
		}
	}
	maps.DeleteFunc(all, func(key, _ string) bool { return !wanted[key] })
	text, err := json.MarshalIndent(all, "", "  ")
	return append(text, '\n'), err
}

func addKeys(keys map[string]string, fields []*ast.Field) {
	for _, f := range fields {
		for _, name := range f.Names {
			keys[name.Name] = key(f, name.Name)
		}
	}
}

func add(all map[string]string, key, text string) {
	if text != "" {
		all[key] = text
	}
}

// parse reads the packages below root, tests apart.
func parse(root string) (map[string]structs, error) {
	packages := map[string]structs{}
	err := filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && at != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "benchmarks"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(at, ".go") || strings.HasSuffix(at, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), at, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(at))
		if err != nil {
			return err
		}
		folder = path.Join(module, filepath.ToSlash(folder))
		if packages[folder] == nil {
			packages[folder] = structs{}
		}
		for _, declaration := range parsed.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range general.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok {
					if spec.Doc == nil {
						spec.Doc = general.Doc
					}
					packages[folder][spec.Name.Name] = spec
				}
			}
		}
		return nil
	})
	return packages, err
}

// fieldsOf are the fields of a struct that has keys; of one that is defined as another, that one's.
func fieldsOf(p structs, spec *ast.TypeSpec) []*ast.Field {
	switch t := spec.Type.(type) {
	case *ast.Ident:
		if same := p[t.Name]; same != nil && same != spec {
			return fieldsOf(p, same)
		}
	case *ast.StructType:
		if slices.ContainsFunc(t.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, `yaml:"`) }) {
			return t.Fields.List
		}
	}
	return nil
}

func docOf(p structs, spec *ast.TypeSpec) string {
	if same, ok := spec.Type.(*ast.Ident); ok && p[same.Name] != nil && spec.Doc == nil {
		return p[same.Name].Doc.Text()
	}
	return spec.Doc.Text()
}

// key is a field's in files.
func key(f *ast.Field, name string) string {
	if f.Tag != nil {
		named, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("yaml"), ",")
		if named != "" && named != "-" {
			return named
		}
	}
	return strings.ToLower(name)
}

var (
	links = regexp.MustCompile(`\[\*?([A-Za-z][A-Za-z0-9_.]*)\]`)
	goes  = strings.NewReplacer("nil means", "Left out means", "new(true)", "true", "new(false)", "false")
	words = regexp.MustCompile(`\b(?:[A-Z][A-Za-z]*\.)?([A-Z][A-Za-z0-9]*)\b`)
	humps = regexp.MustCompile(`[a-z][A-Z]|^[A-Z]{2,}[a-z]|^[A-Z]{5,}`)
)

// sentence is a doc comment's first paragraph for who writes YAML: fields by their keys, as far as their names can't be words; the one that begins it always is.
func sentence(doc, of string, keys map[string]string) string {
	first, _, _ := strings.Cut(doc, "\n\n")
	text := goes.Replace(links.ReplaceAllString(strings.Join(strings.Fields(first), " "), "$1"))
	at := 0
	return words.ReplaceAllStringFunc(text, func(word string) string {
		name := words.FindStringSubmatch(word)[1]
		begins := at == 0 && strings.HasPrefix(text, word)
		at++
		if named, known := keys[name]; known && name != of && (begins || humps.MatchString(name)) {
			return named
		}
		return word
	})
}
