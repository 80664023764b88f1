package modules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

const (
	root     = "rise-aws"
	policies = "rise-aws/policies"
)

// block is one block of a Terraform module.
type block struct {
	*hclsyntax.Block
	source []byte
}

// module reads the blocks of all of a module's files.
func module(t *testing.T, dir string) []block {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var blocks []block
	for _, path := range files {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		file, problems := hclsyntax.ParseConfig(source, path, hcl.InitialPos)
		require.False(t, problems.HasErrors(), problems.Error())
		body, ok := file.Body.(*hclsyntax.Body)
		require.True(t, ok)
		require.Empty(t, body.Attributes)
		for _, b := range body.Blocks {
			blocks = append(blocks, block{b, source})
		}
	}
	return blocks
}

// named are the blocks of a type, such as variable, in the files' order.
func named(blocks []block, typ string) []block {
	var found []block
	for _, b := range blocks {
		if b.Type == typ {
			found = append(found, b)
		}
	}
	return found
}

func (b block) name() string { return strings.Join(b.Labels, ".") }

// text is an attribute's expression as written; "" without one.
func (b block) text(name string) string {
	attribute := b.Body.Attributes[name]
	if attribute == nil {
		return ""
	}
	return string(attribute.Expr.Range().SliceBytes(b.source))
}

// value is a literal string; "" without one.
func (b block) value(t *testing.T, name string) string {
	t.Helper()
	attribute := b.Body.Attributes[name]
	if attribute == nil {
		return ""
	}
	v, problems := attribute.Expr.Value(nil)
	require.False(t, problems.HasErrors(), problems.Error())
	require.Equal(t, cty.String, v.Type())
	return v.AsString()
}

// references are all that a module's expressions refer to, with what declares each.
func references(blocks []block) (used []hcl.Traversal, declared map[string]bool) {
	declared = map[string]bool{}
	for _, b := range blocks {
		switch b.Type {
		case "variable":
			declared["var."+b.name()] = true
		case "resource":
			declared[b.name()] = true
		case "data", "module":
			declared[b.Type+"."+b.name()] = true
		case "locals":
			for name := range b.Body.Attributes {
				declared["local."+name] = true
			}
		}
		_ = hclsyntax.VisitAll(b.Body, func(node hclsyntax.Node) hcl.Diagnostics {
			if e, ok := node.(*hclsyntax.ScopeTraversalExpr); ok {
				used = append(used, e.Traversal)
			}
			return nil
		})
	}
	return used, declared
}
