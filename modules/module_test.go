package modules_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
)

var update = flag.Bool("update", false, "rewrite the tables in the modules' README files")

const begin, end = "<!-- BEGIN_TF_DOCS -->\n", "<!-- END_TF_DOCS -->\n"

// Every variable and output is described, and READMEs have all of them, in terraform-docs' form.
// go test ./... -run TestREADME -update rewrites the tables.
func TestREADME(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{root, policies} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, "README.md")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			before, rest, found := strings.Cut(string(text), begin)
			require.True(t, found)
			_, after, found := strings.Cut(rest, end)
			require.True(t, found)
			want := before + begin + tables(t, module(t, dir)) + end + after
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
				return
			}
			require.Equal(t, want, string(text))
		})
	}
}

func tables(t *testing.T, blocks []block) string {
	t.Helper()
	var out strings.Builder
	line := func(cells ...string) { fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | ")) }
	section := func(title string, columns ...string) {
		fmt.Fprintf(&out, "## %s\n\n", title)
		line(columns...)
		out.WriteString("|" + strings.Repeat("------|", len(columns)) + "\n")
	}
	section("Requirements", "Name", "Version")
	for _, b := range named(blocks, "terraform") {
		line("terraform", b.value(t, "required_version"))
		for _, p := range b.Body.Blocks {
			for _, name := range slices.Sorted(maps.Keys(p.Body.Attributes)) {
				v, problems := p.Body.Attributes[name].Expr.Value(nil)
				require.False(t, problems.HasErrors(), problems.Error())
				line(name, v.GetAttr("version").AsString())
			}
		}
	}
	if resources := slices.Concat(named(blocks, "resource"), named(blocks, "data")); len(resources) > 0 {
		out.WriteByte('\n')
		section("Resources", "Name", "Type")
		for _, b := range resources {
			line(b.name(), strings.Replace(b.Type, "data", "data source", 1))
		}
	}
	out.WriteByte('\n')
	section("Inputs", "Name", "Description", "Type", "Default", "Required")
	variables := named(blocks, "variable")
	require.NotEmpty(t, variables)
	for _, b := range variables {
		description := b.value(t, "description")
		require.True(t, strings.HasSuffix(description, "."), "%s: %q is no description", b.name(), description)
		fallback, required := b.text("default"), "no"
		if fallback == "" {
			fallback, required = "n/a", "yes"
		} else {
			fallback = code(fallback)
		}
		line(b.name(), description, code(b.text("type")), fallback, required)
	}
	out.WriteByte('\n')
	section("Outputs", "Name", "Description")
	outputs := named(blocks, "output")
	require.NotEmpty(t, outputs)
	for _, b := range outputs {
		description := b.value(t, "description")
		require.True(t, strings.HasSuffix(description, "."), "%s: %q is no description", b.name(), description)
		line(b.name(), description)
	}
	return out.String()
}

// code is terraform-docs' form of an expression in a table.
func code(text string) string {
	if !strings.Contains(text, "\n") {
		return "`" + text + "`"
	}
	lines := strings.Split(text, "\n")
	for i, one := range lines {
		lines[i] = strings.TrimPrefix(one, "  ")
	}
	return "<pre>" + strings.Join(lines, "<br/>") + "</pre>"
}

// Every variable has a type and, unless it is a switch, something that is checked.
func TestVariables(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{root, policies} {
		for _, b := range named(module(t, dir), "variable") {
			require.NotEmpty(t, b.text("type"), b.name())
			checks := 0
			for _, inner := range b.Body.Blocks {
				if inner.Type == "validation" {
					checks++
				}
			}
			if b.text("type") != "bool" && !strings.Contains(b.text("type"), "optional(") {
				require.Positive(t, checks, "%s %s isn't validated", dir, b.name())
			}
		}
	}
}

// No secret is put out in the open, by name or by where it comes from.
func TestSecretsAreSensitive(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, dir := range []string{root, policies} {
		for _, b := range named(module(t, dir), "output") {
			if strings.Contains(b.name(), "secret") || strings.Contains(b.name(), "password") || strings.Contains(b.text("value"), "secret") {
				require.Equal(t, "true", b.text("sensitive"), b.name())
				seen++
			}
		}
	}
	require.Equal(t, 1, seen)
}

// registryKeys are the keys of the registry output.
func registryKeys(t *testing.T) []string {
	t.Helper()
	for _, b := range named(module(t, policies), "locals") {
		attribute := b.Body.Attributes["registry"]
		if attribute == nil {
			continue
		}
		object, ok := attribute.Expr.(*hclsyntax.ObjectConsExpr)
		require.True(t, ok)
		var keys []string
		for _, item := range object.Items {
			keys = append(keys, hcl.ExprAsKeyword(item.KeyExpr.(*hclsyntax.ObjectConsKeyExpr).Wrapped))
		}
		return keys
	}
	require.Fail(t, "no registry")
	return nil
}

// The registry output has exactly the library's keys, but those that a module can't know or that are about endpoints.
func TestRegistryKeys(t *testing.T) {
	t.Parallel()
	known := []string{"type"}
	var collect func(reflect.Type)
	collect = func(typ reflect.Type) {
		for i := range typ.NumField() {
			field := typ.Field(i)
			if field.Anonymous {
				collect(field.Type)
				continue
			}
			known = append(known, field.Tag.Get("yaml"))
		}
	}
	collect(reflect.TypeFor[ecr.Config]())
	require.Greater(t, len(known), 25)
	left := []string{"access_key_id", "secret_access_key", "session_token", "sts_region", "use_fips", "use_dual_stack", "registry_host", "insecure"}
	require.ElementsMatch(t, known, append(registryKeys(t), left...))
}

// Whatever a module refers to exists, and its submodule gets inputs that it has. Terraform would say so, with the
// provider's plugin.
func TestReferences(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{root, policies} {
		blocks := module(t, dir)
		used, declared := references(blocks)
		require.Greater(t, len(used), 40)
		for _, traversal := range used {
			var parts []string
			for _, step := range traversal {
				switch step := step.(type) {
				case hcl.TraverseRoot:
					parts = append(parts, step.Name)
				case hcl.TraverseAttr:
					parts = append(parts, step.Name)
				}
			}
			length := 2
			switch parts[0] {
			case "data":
				length = 3
			case "string", "number", "bool", "name", "arn", "key", "value", "keys", "operator", "service", "role", "statement", "pattern", "text": // types, loops
				continue
			}
			require.True(t, declared[strings.Join(parts[:length], ".")], "%s: %s", dir, strings.Join(parts, "."))
			if parts[0] == "module" {
				require.True(t, slices.ContainsFunc(named(module(t, policies), "output"), func(b block) bool { return b.name() == parts[2] }), "module output %s", parts[2])
			}
		}
	}
	for _, call := range named(module(t, root), "module") {
		require.Equal(t, `"./policies"`, call.text("source"))
		for name := range call.Body.Attributes {
			if name != "source" {
				require.True(t, slices.ContainsFunc(named(module(t, policies), "variable"), func(b block) bool { return b.name() == name }), "module input %s", name)
			}
		}
	}
}

// A role that is made again is said by an output whose value changes then, for each role: nobody reads descriptions at an apply.
func TestRolesMadeAgain(t *testing.T) {
	t.Parallel()
	blocks := module(t, root)
	roles := 0
	for _, b := range named(blocks, "resource") {
		if b.Labels[0] != "aws_iam_role" {
			continue
		}
		roles++
		for _, output := range named(blocks, "output") {
			if output.name() == "roles_made_again" || output.name() == "role_ids" {
				require.Contains(t, output.text("value"), b.name(), output.name())
				require.Contains(t, output.text("value"), "unique_id")
				roles += 10
			}
		}
	}
	require.Equal(t, 63, roles, "three roles, in two outputs each")
}
