package policy

import (
	"encoding/json"
	"strings"
)

// A Document is an IAM policy.
type Document struct {
	Version   string
	Statement []Statement
}

// A Statement is one statement of a policy. The values of its elements are a string or a []string, as IAM has it; empty elements
// are left out.
type Statement struct {
	Sid    string `json:",omitempty"`
	Effect string
	// Principal is by kind.
	Principal   map[string]any `json:",omitempty"`
	Action      any            `json:",omitempty"`
	NotAction   any            `json:",omitempty"`
	Resource    any            `json:",omitempty"`
	NotResource any            `json:",omitempty"`
	Condition   Condition      `json:",omitempty"`
}

// A Condition is by operator and condition key.
type Condition map[string]map[string]any

func document(statements ...Statement) Document {
	return Document{Version: "2012-10-17", Statement: statements}
}

// Allow returns the policy that allows actions on a resource.
func Allow(resource string, actions ...string) Document {
	return document(Statement{Effect: "Allow", Action: actions, Resource: resource})
}

// oneOrAll is a list as an element of a statement has it: one is no list, and none is no element.
func oneOrAll(list []string) any {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}

// JSON returns the document in its shortest form, its elements in the order of [Statement]'s fields.
func (d Document) JSON() (string, error) { return encode(d, true) }

// Pasteable returns the document as remedies hold it, for an operator to paste: without the statements' names, which may be taken
// already, and with elements in alphabetical order.
func (d Document) Pasteable() string {
	nameless := Document{Version: d.Version}
	for _, s := range d.Statement {
		s.Sid = ""
		nameless.Statement = append(nameless.Statement, s)
	}
	var sorted map[string]any
	text, err := nameless.JSON()
	if err == nil {
		err = json.Unmarshal([]byte(text), &sorted)
	}
	if err == nil {
		text, err = encode(sorted, false)
	}
	if err != nil {
		return "" // texts and lists of them: never
	}
	return text
}

// encode is json.Marshal into a string, without its second copy of what each request needs.
func encode(v any, escapeHTML bool) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(escapeHTML)
	err := encoder.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
