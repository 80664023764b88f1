// Package configload loads a service's configuration: layered YAML files with environment variables substituted, decoded
// strictly into the service's own struct, every mistake reported at once with file, line and key path.
//
//	type Config struct {
//		Listen  string        `yaml:"listen"`
//		Timeout time.Duration `yaml:"timeout"`
//	}
//
//	cfg := Config{Listen: ":8080", Timeout: 30 * time.Second} // the defaults
//	if err := configload.Load(&cfg); err != nil {
//		fmt.Fprintln(os.Stderr, err) // config/production.yaml:3: timeout: has no unit; write a duration …
//		os.Exit(1)
//	}
//
// It knows nothing of registries and imports no other package of this module.
//
// # Files
//
// The files are in the directory RISE_CONFIG_DIR (default "config"). The required one is named after RISE_CONFIG_RUN_MODE
// (default "development"): development.yaml. An optional local.yaml overrides it. The ending .yml is accepted too, but both
// endings of one name are a mistake. A run mode consists of letters, digits, _ and - and isn't "local".
//
// A file is UTF-8, a byte order mark is skipped, and holds one YAML document of at most 1 MiB whose top level is a mapping.
// An empty file and one of comments count as an empty mapping. Of YAML's features, tags (!), anchors (&), aliases (*) and
// merge keys (<<) are mistakes, as are duplicate keys, keys that aren't strings, and more than 64 levels.
//
// # Merging
//
// The files are layers. Mappings merge by key; single values and sequences replace what is below; the word null, or ~, removes the
// key as if no layer had it. A key that is left empty (`server:` with only comments below it, `region:` with nothing after the
// colon) changes nothing: what is below stays, or else the default. In a map it makes no entry.
//
// A mapping whose "type" (after substitution) differs from the one below replaces it whole, at any depth. Where either side has no
// type, or an empty one, they merge. Both types must be known for that, so an unset variable in either is a mistake. Nothing else of
// what was replaced is looked at again.
//
// The struct's own content is the lowest layer, for which the type means nothing: structs and maps merge, slices replace.
//
// # Substitution
//
// After merging, variables are substituted in single values, never in keys or comments:
//
//	text      = { "$$" | "${" reference "}" | any other character } .
//	reference = name                 the value; unset is a mistake
//	          | name ":-" text       the default if the variable is unset or empty
//	          | name "-" text        the default if it is unset
//	          | name ":?" message    unset or empty is a mistake, with the message
//	name      = ( letter | "_" ) { letter | digit | "_" } .      ASCII only
//
// "$$" stands for a single $; a $ before anything but $ and { stays as it is. A reference ends at the brace that closes it:
// braces inside a default or message come in pairs. Defaults are substituted themselves, up to 16 levels deep, but only
// when used; messages are not. A value that was inserted is never substituted again. Inside [ ] and { }, YAML itself needs
// quotes around ${VAR}. [Expand] does the same for a text from elsewhere.
//
// # Sections
//
// A program that works on another's configuration, as an operator's tool does on a service's, loads one section of the same
// files ([Loader].Section):
//
//	var section Database // of the keys below "database"
//	err := configload.Loader{Section: "database"}.Load(&section)
//
// In the section all is as strict as ever, with errors at the same places. Of the rest, only the keys that lead there are looked
// at, and the "type" of the mappings around it, which decides what merges: no other key is unknown, no other variable has to be
// set, and other programs may use all of YAML there. A section that no file has is a mistake.
//
// # Types
//
// What a value means is decided by the field, after substitution, from the text as it is written, quoted or not: the
// account id 012345678901 fills a string unchanged, "${KEEP:-100}" an int.
//
//   - A type with UnmarshalText ([encoding.TextUnmarshaler]) decides for itself.
//   - string: any text. bool: true, True, TRUE, false, False or FALSE.
//   - int…, uint…: decimal without leading zeros, within the type's range. float…: decimal, with exponent or without.
//   - [time.Duration]: as [time.ParseDuration] reads it; a number needs a unit, 0 apart.
//   - Pointers to, slices of, and maps from string (or a type of that kind) to these and structs. No arrays, no interfaces.
//
// An empty text means unset: it replaces what is below, and the field keeps its default. In sequences and maps, where there is
// none, "" is a value. An element of a sequence that is null or left empty is a mistake: sequences don't merge, so there is
// nothing that it could remove or leave as it is.
//
// A field's key is its tag yaml:"name", without one its name in lower case. Keys match exactly. Fields that are
// unexported or tagged yaml:"-" have none. A struct tagged yaml:",inline", embedded or not, has its keys among those of the
// struct around it; embedding alone doesn't do that. A key that no field has is a mistake, with
// or without a value.
//
// A section whose keys depend on its "type" implements [Variant].
//
// # Validation
//
// After decoding, Load calls Validate() error once on each struct in the configuration that has it, the innermost first,
// defaults included. Validate checks the struct's own fields: those of structs in it are checked by theirs. It doesn't change
// anything. Where a value couldn't be decoded, its field has its default: what Validate says then of that key, or of another by a
// text with that key's name in it, isn't reported, as it may not be so; nor is what names no key, of a struct that has a mistake.
// An embedded inline struct counts as part of the one around it,
// whose own or promoted Validate is called. The parts of a [Variant] are validated like structs, then the Variant, which
// only checks rules across its parts.
//
// The errors of Validate, alone, wrapped or joined, need no type of this package. One that has
//
//	ConfigKey() string     // relative to the struct: "region", "tokens[2].access", `tags["a b"]`
//
// is reported at that key, with file and line: the key's, or those of the mapping that lacks it, if a file has one. Others are
// reported at the struct's key path. The text is
// that of Error, or if there is one, of
//
//	ConfigProblem() string
//
// which an error of UnmarshalText may have too; without it only the type's name is shown, since such errors tend to quote
// the value. These texts must not show values: this package doesn't and can't take them out.
//
// # Output
//
// [Marshal] writes a configuration in the form that Load reads, and [Schema] a JSON Schema of the files. No error shows a configured value or the value of a
// variable. Errors do show keys, names of variables, messages of ${VAR:?message}, and what a Variant says of an unknown
// type.
package configload
