package configure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
)

// helpersKey is where docker, podman, skopeo, buildah, crane and others read which helper has a registry's credentials.
const helpersKey = "credHelpers"

// clientFile is the text of a client's configuration file, of which all stays as it is but the helper of a registry.
type clientFile struct {
	text    []byte
	top     object
	helpers *member // nil: there is none
	inside  object  // of helpers
}

// object is where a JSON object is in a text.
type object struct {
	open, end int // its braces; end is behind the last one
	members   []member
}

type member struct {
	key        string
	start      int // of the key
	value, end int
}

// readClientFile takes a text apart. An empty one is an empty object.
func readClientFile(text []byte) (*clientFile, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	if !json.Valid(text) {
		return nil, errors.New("isn't valid JSON, so clients can't read it either: mend it first")
	}
	f := &clientFile{text: text}
	var err error
	if f.top, err = objectAt(text, 0, len(text)); err != nil {
		return nil, err
	}
	for i, m := range f.top.members {
		if !strings.EqualFold(m.key, helpersKey) { // as Go's decoder takes it
			continue
		}
		if f.helpers != nil {
			return nil, fmt.Errorf("has %q twice: keep one", m.key)
		}
		f.helpers = &f.top.members[i]
		if f.inside, err = objectAt(text, m.value, m.end); err != nil {
			return nil, fmt.Errorf("%s: %w", m.key, err)
		}
		var values map[string]string
		if json.Unmarshal(text[m.value:m.end], &values) != nil {
			return nil, fmt.Errorf("%s must have names of programs", m.key)
		}
	}
	return f, nil
}

// objectAt finds the members of the object at a place of valid JSON.
func objectAt(text []byte, start, end int) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text[start:end]))
	at := func() int { return start + int(decoder.InputOffset()) }
	if brace, err := decoder.Token(); err != nil || brace != json.Delim('{') {
		return object{}, errors.New("must be a JSON object")
	}
	o := object{open: at() - 1}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return object{}, err
		}
		m := member{}
		m.key, _ = key.(string)
		raw := text[:at()]
		m.start = len(raw) - len(lastString(raw))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return object{}, err
		}
		m.end = at()
		m.value = m.end - len(value)
		o.members = append(o.members, m)
	}
	if _, err := decoder.Token(); err != nil && !errors.Is(err, io.EOF) {
		return object{}, err
	}
	o.end = at()
	return o, nil
}

// lastString is the JSON string that a text ends with.
func lastString(text []byte) []byte {
	for i := len(text) - 2; i >= 0; i-- {
		if text[i] != '"' {
			continue
		}
		slashes := 0
		for i-slashes > 0 && text[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return text[i:]
		}
	}
	return text
}

// helper is the program for a registry, or "".
func (f *clientFile) helper(registry string) string {
	if m := f.inside.member(registry); m != nil {
		return f.stringAt(*m)
	}
	return ""
}

// stringOf is a top-level string, or "".
func (f *clientFile) stringOf(key string) string {
	if m := f.top.member(key); m != nil {
		return f.stringAt(*m)
	}
	return ""
}

func (f *clientFile) stringAt(m member) (s string) {
	_ = json.Unmarshal(f.text[m.value:m.end], &s) // else it is none
	return s
}

// member is the last of this name, which is the one that clients take.
func (o object) member(key string) *member {
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].key == key {
			return &o.members[i]
		}
	}
	return nil
}

// with is the text with a program for a registry; "" takes the entry away.
func (f *clientFile) with(registry, program string) ([]byte, error) {
	var text []byte
	switch m := f.inside.member(registry); {
	case m != nil && program != "":
		text = splice(f.text, m.value, m.end, quote(program))
	case m != nil && len(f.inside.members) == 1:
		text = f.without(f.top, f.helpers)
	case m != nil:
		text = f.without(f.inside, m)
	case program == "":
		return f.text, nil
	case f.helpers == nil:
		text = f.added()
		inner, err := readClientFile(text)
		if err != nil {
			return nil, err
		}
		return inner.with(registry, program)
	case len(f.inside.members) == 0:
		line, deeper := f.lineEnd(), f.indent()+f.indent()
		entry := quote(registry) + f.colon() + quote(program)
		if line != "" {
			entry = line + deeper + entry + line + f.indent()
		}
		text = splice(f.text, f.inside.open+1, f.inside.end-1, entry)
	default:
		first := f.inside.members[0]
		gap := string(f.text[f.inside.open+1 : first.start])
		text = splice(f.text, first.start, first.start, quote(registry)+f.colon()+quote(program)+","+gap)
	}
	return text, f.check(text, registry, program)
}

// added has an empty object of helpers, as the last member.
func (f *clientFile) added() []byte {
	entry := quote(helpersKey) + f.colon() + "{}"
	line := f.lineEnd()
	if len(f.top.members) == 0 {
		return splice(f.text, f.top.open+1, f.top.end-1, "\n"+f.indent()+entry+"\n")
	}
	last := f.top.members[len(f.top.members)-1].end
	between := ","
	if line != "" {
		between += line + f.indent()
	}
	return splice(f.text, last, last, between+entry)
}

// without takes a member out of an object, with what parts it from its neighbours.
func (f *clientFile) without(o object, m *member) []byte {
	for i := range o.members {
		switch {
		case o.members[i].start != m.start:
		case len(o.members) == 1:
			return splice(f.text, o.open+1, o.end-1, "")
		case i == len(o.members)-1:
			return splice(f.text, o.members[i-1].end, m.end, "")
		default:
			return splice(f.text, m.start, o.members[i+1].start, "")
		}
	}
	return f.text
}

// lineEnd is "" where the file is one line.
func (f *clientFile) lineEnd() string {
	if len(f.top.members) > 0 && !bytes.Contains(f.text[f.top.open:f.top.members[0].start], []byte("\n")) {
		return ""
	}
	return "\n"
}

// indent is that of the first member, or docker's.
func (f *clientFile) indent() string {
	if len(f.top.members) == 0 {
		return "\t"
	}
	gap := string(f.text[f.top.open+1 : f.top.members[0].start])
	return gap[strings.LastIndex(gap, "\n")+1:]
}

// colon is as the file has it.
func (f *clientFile) colon() string {
	if len(f.top.members) > 0 {
		m := f.top.members[0]
		key := m.start + len(quote(m.key))
		if key < m.value && string(f.text[key:m.value]) == ":" {
			return ":"
		}
	}
	return ": "
}

// check compares the new text with the old one: all is as it was, but for the one entry.
func (f *clientFile) check(text []byte, registry, program string) error {
	before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	err := errors.Join(json.Unmarshal(f.text, &before), json.Unmarshal(text, &after))
	helpersBefore, helpersAfter := map[string]string{}, map[string]string{}
	for _, all := range []struct {
		of map[string]json.RawMessage
		to map[string]string
	}{{before, helpersBefore}, {after, helpersAfter}} {
		for key, value := range all.of {
			if strings.EqualFold(key, helpersKey) {
				err = errors.Join(err, json.Unmarshal(value, &all.to))
				delete(all.of, key)
			}
		}
	}
	if program == "" {
		delete(helpersBefore, registry)
	} else {
		helpersBefore[registry] = program
	}
	same := func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }
	if err != nil || !maps.EqualFunc(before, after, same) || !maps.Equal(helpersBefore, helpersAfter) {
		return errors.New("can't be changed without changing what else is in it: change its credHelpers by hand")
	}
	return nil
}

func splice(text []byte, start, end int, with string) []byte {
	return []byte(string(text[:start]) + with + string(text[end:]))
}

func quote(s string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always can be
	return strings.TrimSuffix(out.String(), "\n")
}
