package configload

import "reflect"

// Variant is implemented by (a pointer to) a configuration value whose keys depend on the "type" key of its mapping, as
// those of a section that selects an implementation do.
//
// Load calls SetConfigType once with the text of "type" after substitution, "" when there is none, and then fills what
// ConfigParts returns: each key goes to the part that has it, and a key that no part has is an error. A Variant that no
// file mentions, or that is left empty, keeps its default, and neither is called for decoding.
//
// Load works on a shallow copy of the value that it was given, and gives it up when it fails. So SetConfigType must
// allocate the parts anew, with their defaults, and not change what the value points to.
type Variant interface {
	// SetConfigType selects the type. The text of its error is shown as it is, at the "type" key; it is the one that
	// knows which types there are.
	SetConfigType(typ string) error
	// ConfigParts returns pointers to structs that together hold the mapping's keys, "type" included. The structs aren't
	// Variants themselves. Before SetConfigType it may return nil.
	ConfigParts() []any
}

var variantType = reflect.TypeFor[Variant]()

func isVariant(t reflect.Type) bool { return reflect.PointerTo(t).Implements(variantType) }
