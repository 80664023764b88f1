package configload

import "slices"

// resolver merges the layers and substitutes variables in what is left of them.
type resolver struct {
	lookup func(string) (string, bool)
	errs   *Errors
}

// resolve merges upper, which may be nil, over lower, and substitutes in the section of the result only: an unset variable in a value that
// another layer replaced is no mistake. It returns nil where there is no such section, which has been reported.
func (r *resolver) resolve(lower, upper *node, section way) *node {
	root := lower
	if upper != nil {
		root = r.merge(lower, upper)
	}
	if root = section.find(root, r.errs); root == nil {
		return nil
	}
	dropNulls(root)
	root.walk(r.substitute)
	return root
}

// merge returns upper over lower and changes neither: mappings merge by key, what is left empty changes nothing, everything else
// replaces.
func (r *resolver) merge(lower, upper *node) *node {
	if upper.kind == emptyKind {
		return lower
	}
	if lower.kind != mappingKind || upper.kind != mappingKind || r.typesDiffer(lower, upper) {
		return upper
	}
	merged := *upper
	merged.others = slices.Concat(lower.others, upper.others)
	merged.entries = slices.Clone(lower.entries)
	index := make(map[string]int, len(lower.entries))
	for i, e := range lower.entries {
		index[e.name] = i
	}
	for _, e := range upper.entries {
		if i, ok := index[e.name]; ok {
			merged.entries[i].value = r.merge(merged.entries[i].value, e.value)
		} else {
			merged.entries = append(merged.entries, e)
		}
	}
	return &merged
}

// typesDiffer reports whether both mappings name a type, and not the same one.
func (r *resolver) typesDiffer(lower, upper *node) bool {
	// Upper first and lower only if needed: what isn't compared needn't have its variables set.
	u := r.typeOf(upper)
	if u == "" {
		return false
	}
	l := r.typeOf(lower)
	return l != "" && l != u
}

// typeOf returns the text of a mapping's type after substitution, "" when it names none.
func (r *resolver) typeOf(n *node) string {
	t := n.child(typeKey)
	if t == nil || t.kind != scalarKind {
		return ""
	}
	r.substitute(t)
	if t.kind != scalarKind {
		return ""
	}
	return t.text
}

// substitute expands a scalar's text in place, once however often it is called.
func (r *resolver) substitute(n *node) {
	if n.kind != scalarKind || n.substituted {
		return
	}
	n.substituted = true
	text, problems := expand(n.text, r.lookup)
	for _, p := range problems {
		r.errs.report(n, "%s", p)
	}
	if len(problems) > 0 {
		n.kind = invalidKind
	}
	n.text = text
}

// dropNulls removes the keys of mappings whose value is null, which have done their work in the merge.
func dropNulls(root *node) {
	root.walk(func(n *node) {
		n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.value.kind == nullKind })
	})
}
