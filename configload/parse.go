package configload

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	maxFileSize = 1 << 20 // bytes
	maxDepth    = 64      // of mappings and sequences in each other
)

// parser turns one file's YAML into nodes. The YAML library's own messages quote values and so are never passed on.
type parser struct {
	file    string
	section way
	errs    *Errors
}

// parse returns the file's mapping, or nil when the file as a whole can't be used. Either way mistakes may have been
// reported.
func (p *parser) parse(data []byte) *node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	root := &node{kind: mappingKind, file: p.file}
	if line := firstUnprintable(data); line > 0 {
		p.fail(line, "not UTF-8 text, or a control character that YAML doesn't allow")
		return nil
	}
	tooDeep := false
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(
		loaderlimits.DepthFunc(func(depth int, _ *loaderlimits.DepthContext) error {
			if tooDeep = depth > maxDepth; tooDeep {
				return errors.New("too deep")
			}
			return nil
		}))))
	if err != nil {
		p.fail(0, "can't be parsed as YAML")
		return nil
	}
	var document yaml.Node
	if err := loader.Load(&document); errors.Is(err, io.EOF) {
		return root // empty, or comments only
	} else if err != nil {
		p.syntaxError(data, err, tooDeep)
		return nil
	}
	var second yaml.Node
	if err := loader.Load(&second); err == nil {
		p.fail(second.Line, "a second document starts here; a file holds one document")
		return nil
	} else if !errors.Is(err, io.EOF) {
		p.syntaxError(data, err, tooDeep)
		return nil
	}
	if len(document.Content) != 1 {
		return root
	}
	if top := p.convert(document.Content[0], "", 0, p.section); top.kind != nullKind && top.kind != emptyKind {
		root = top
	}
	switch root.kind {
	case mappingKind:
		root.line = 0 // the top level has no key: a mistake of the whole has no line
		return root
	case invalidKind:
	default:
		p.fail(document.Content[0].Line, "the top level must be a mapping, not %s", root.kind)
	}
	return nil
}

func (p *parser) fail(line int, format string, args ...any) {
	p.errs.report(&node{file: p.file, line: line}, format, args...)
}

// convert turns y, whose key or element mark is at line (0: its own), into a node. Of what isn't on the way to the section, nothing is looked at.
func (p *parser) convert(y *yaml.Node, key string, line int, to way) *node {
	if line == 0 {
		line = y.Line
	}
	n := &node{file: p.file, line: line, key: key}
	if problem := unsupported(y); problem != "" {
		n.kind = invalidKind
		p.errs.report(n, "%s", problem)
		return n
	}
	switch y.Kind {
	case yaml.ScalarNode:
		switch {
		case y.ShortTag() != "!!null":
			n.kind, n.text = scalarKind, y.Value
		case y.Value == "":
			n.kind = emptyKind
		}
	case yaml.SequenceNode:
		n.kind = sequenceKind
		if len(to) > 0 {
			break
		}
		for i, item := range y.Content {
			c := p.convert(item, itemKey(key, i), 0, nil)
			c.element = true
			n.items = append(n.items, c)
		}
	case yaml.MappingNode:
		n.kind = mappingKind
		p.convertEntries(n, y.Content, to)
	default:
		n.kind = invalidKind
		p.errs.report(n, "not supported")
	}
	return n
}

func (p *parser) convertEntries(n *node, content []*yaml.Node, to way) {
	lines := make(map[string]int, len(content)/2)
	for i := 0; i+1 < len(content); i += 2 {
		k, v := content[i], content[i+1]
		rest, ours := to.follow(k, v)
		if !ours {
			n.others = append(n.others, k.Value)
			continue
		}
		// The key's text is shown only when it is one: anything else may be a value in the wrong place.
		at := &node{file: p.file, line: k.Line, key: n.key}
		switch problem := unsupported(k); {
		case problem != "":
			p.errs.report(at, "%s", problem)
			continue
		case k.Kind != yaml.ScalarNode:
			p.errs.report(at, "a key must be a string, not a sequence or a mapping; quote a value that starts with [ or {")
			continue
		case k.ShortTag() == "!!merge":
			p.errs.report(at, "merge keys (<<) are not supported; write the keys out")
			continue
		case k.ShortTag() != "!!str":
			p.errs.report(at, "a key must be a string; quote a key that YAML reads as another type")
			continue
		}
		at.key = childKey(n.key, k.Value)
		if first, ok := lines[k.Value]; ok {
			p.errs.report(at, "duplicate key, already on line %d", first)
			continue
		}
		lines[k.Value] = k.Line
		n.entries = append(n.entries, entry{name: k.Value, value: p.convert(v, at.key, k.Line, rest)})
	}
}

// unsupported says what of YAML y uses that configuration files have no need of.
func unsupported(y *yaml.Node) string {
	switch {
	case y.Kind == yaml.AliasNode:
		return "aliases (*) are not supported; write the value out, or quote it if it starts with *"
	case y.Anchor != "":
		return "anchors (&) are not supported; remove it, or quote a value that starts with &"
	case y.Style&yaml.TaggedStyle != 0 || y.Tag == "!":
		return "tags (!) are not supported; remove it, or quote a value that starts with !"
	}
	return ""
}

// syntaxError reports what the YAML library found at its line, in our words.
func (p *parser) syntaxError(data []byte, err error, tooDeep bool) {
	if tooDeep {
		p.fail(errorLine(err), "nested too deep; at most %d levels are possible", maxDepth)
		return
	}
	line := errorLine(err)
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		p.fail(line, "not valid YAML")
		return
	}
	switch context, message := load.ContextMsg, load.Message; {
	case load.Stage == yaml.ComposerStage:
		p.fail(line, "aliases (*) are not supported; write the value out, or quote it if it starts with *")
	case strings.Contains(context, "quoted scalar") && strings.Contains(message, "end of stream"):
		p.fail(load.ContextMark.Line, "not valid YAML: a quote is opened here and never closed")
	case strings.Contains(message, "escape character"):
		p.fail(line, "not valid YAML: unknown escape; in double quotes a backslash is written \\\\, in single quotes \\")
	case strings.Contains(message, "cannot start any token") && indentedByTab(data, line):
		p.fail(line, "not valid YAML: a tab can't indent; use spaces")
	case strings.Contains(message, "cannot start any token"):
		p.fail(line, "not valid YAML: a value that starts with a special character must be quoted")
	case strings.Contains(message, "mapping values are not allowed"):
		p.fail(line, "not valid YAML: unexpected colon; check the indentation and quote a value that contains \": \"")
	case strings.Contains(context, "flow sequence"), strings.Contains(context, "flow mapping"),
		strings.Contains(context, "flow node"):
		p.fail(line, "not valid YAML: between [ ] or { } something isn't closed or separated; quote a ${...} there")
	case strings.Contains(context, "simple key"):
		p.fail(load.ContextMark.Line, "not valid YAML: expected key: value")
	default:
		p.fail(line, "not valid YAML; check the indentation and quote values with special characters")
	}
}

// errorLine returns the line of a YAML library's error, or 0.
func errorLine(err error) int {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return 0
	}
	if load.Mark.Line > 0 {
		return load.Mark.Line
	}
	return load.ContextMark.Line
}

// indentedByTab reports whether the white space that line starts with has a tab.
func indentedByTab(data []byte, line int) bool {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	indent := data[:len(data)-len(bytes.TrimLeft(data, " \t"))]
	return bytes.ContainsRune(indent, '\t')
}

// firstUnprintable returns the line of the first character that YAML doesn't allow (YAML 1.2.2, section 5.1), or 0.
func firstUnprintable(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line
		case r == '\n':
			line++
		case r == '\t' || r == '\r' || r == 0x85:
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufeff' || r == 0xfffe || r == 0xffff:
			return line
		}
		data = data[size:]
	}
	return 0
}
