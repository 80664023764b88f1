package configload

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// way is the keys that lead from a mapping to the section that is loaded. It is empty in the section, and where all is loaded.
type way []string

// sectionWay takes a Loader's Section apart.
func sectionWay(section string) (w way, problem string) {
	if section == "" {
		return nil, ""
	}
	w = strings.Split(section, ".")
	for _, name := range w {
		if !plainKey(name) {
			return nil, "the section must be keys of letters, digits, _ and -, with dots between them, such as registry or platform.registry"
		}
	}
	return w, ""
}

// follow returns the way from a mapping's entry on, and whether the entry has anything to do with the section: what it is or leads to,
// and the type of a mapping around it, by which layers merge or replace.
func (w way) follow(key, value *yaml.Node) (rest way, ours bool) {
	switch {
	case len(w) == 0:
		return nil, true
	case key.Kind != yaml.ScalarNode:
		return nil, false
	case key.Value == w[0]:
		return w[1:], true
	default:
		return nil, key.Value == typeKey && value.Kind == yaml.ScalarNode
	}
}

// find returns what is at the end of the way from n, the top level of the merged layers, or nil when there is nothing, which it reports.
func (w way) find(n *node, errs *Errors) *node {
	for i, name := range w {
		switch n.kind {
		case mappingKind, emptyKind:
		case invalidKind: // has been reported
			return nil
		default:
			errs.report(n, "must be %s, not %s", mappingKind, n.kind)
			return nil
		}
		next := n.child(name)
		if next == nil || next.kind == nullKind {
			problem := "there is no such section"
			if i < len(w)-1 {
				problem = "there is no such mapping, which " + strings.Join(w, ".") + " is in"
			}
			if near := nearest(name, n.others); near != "" {
				problem += "; did you mean " + strconv.Quote(near) + "?"
			}
			errs.report(&node{file: n.file, line: n.line, key: childKey(n.key, name)}, "%s", problem)
			return nil
		}
		n = next
	}
	return n
}
