package configload

// typeKey is the key that decides whether mappings merge, and the keys of a Variant.
const typeKey = "type"

// kind says what a node is.
type kind uint8

const (
	nullKind  kind = iota // the word: null or ~
	emptyKind             // left empty: a key or an element with nothing after it
	scalarKind
	sequenceKind
	mappingKind
	invalidKind // a mistake that has been reported: takes its place in the tree, is never decoded
)

func (k kind) String() string {
	return [...]string{"null", "empty", "a single value", "a sequence", "a mapping", "invalid"}[k]
}

// node is one value of a configuration file, with its place.
type node struct {
	kind    kind
	text    string   // of a scalar: as written, after substitution as substituted
	items   []*node  // of a sequence
	entries []entry  // of a mapping, in the order written, without duplicates
	others  []string // of a mapping around the section that is loaded: its further keys

	file string
	line int    // of the key, of the element in a sequence
	key  string // the full key path

	element     bool // is in a sequence or a map: there is no default that "" could stand for
	substituted bool
}

type entry struct {
	name  string
	value *node
}

// child returns the value of a mapping's key, or nil.
func (n *node) child(name string) *node {
	for _, e := range n.entries {
		if e.name == name {
			return e.value
		}
	}
	return nil
}

// walk calls visit for n and all below it.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, item := range n.items {
		item.walk(visit)
	}
	for _, e := range n.entries {
		e.value.walk(visit)
	}
}

// unset reports whether n is the empty value of a field, which leaves the field at its default.
func (n *node) unset() bool { return n.kind == scalarKind && n.text == "" && !n.element }
