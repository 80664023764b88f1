package configload

import (
	"slices"
	"strings"
)

// maxNesting bounds defaults inside defaults: ${A:-${B:-${C}}} is nested 2 deep.
const maxNesting = 16

// Expand substitutes ${...} and $$ in text once, by the rules in the package comment. lookup returns a variable's value and
// whether it is set; [os.LookupEnv] is one. What lookup returns is inserted as it is and never expanded again. Text
// without "${" and "$$" is returned unchanged.
//
// The error is of type [Errors] and holds one [Error], without position, for each missing variable. A mistake in the
// notation itself is found also in a default that isn't used. No error shows any of text, names of variables and the
// messages of ${VAR:?message} apart.
func Expand(text string, lookup func(name string) (string, bool)) (string, error) {
	expanded, problems := expand(text, lookup)
	if len(problems) == 0 {
		return expanded, nil
	}
	errs := make(Errors, len(problems))
	for i, p := range problems {
		errs[i] = &Error{Msg: p}
	}
	return "", errs
}

// expand returns the expanded text, or what is wrong with it.
func expand(text string, lookup func(string) (string, bool)) (expanded string, problems []string) {
	if !strings.Contains(text, "${") && !strings.Contains(text, "$$") {
		return text, nil
	}
	t, problem := parseTemplate(text, 0)
	if problem != "" {
		return "", []string{problem}
	}
	e := expander{lookup: lookup}
	e.template(t)
	if len(e.problems) > 0 {
		return "", e.problems
	}
	return e.out.String(), nil
}

// template is a text taken apart: literals and references in their order.
type template []templatePart

type templatePart struct {
	literal   string
	reference *reference // nil for a literal
}

// reference is one ${name operator...}.
type reference struct {
	name     string
	operator string   // "", ":-", "-" or ":?"
	fallback template // of ":-" and "-"
	message  string   // of ":?"
}

const (
	problemUnterminated = "${ without its closing }; write $${ for a literal ${"
	problemName         = "${ must be followed by a variable's name, [A-Za-z_][A-Za-z0-9_]*; write $${ for a literal ${"
	problemOperator     = "after the variable's name in ${...} comes }, or :- or - and a default, or :? and a message; " +
		"write $${ for a literal ${"
	problemNesting = "defaults are nested too deep; at most 16 levels are possible"
)

// parseTemplate takes text apart. A problem's text is a constant: what follows a stray ${ may be part of a password.
func parseTemplate(text string, depth int) (t template, problem string) {
	if depth > maxNesting {
		return nil, problemNesting
	}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t = append(t, templatePart{literal: literal.String()})
			literal.Reset()
		}
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "$$"):
			literal.WriteByte('$')
			text = text[2:]
		case strings.HasPrefix(text, "${"):
			end := closingBrace(text[2:])
			if end < 0 {
				return nil, problemUnterminated
			}
			r, problem := parseReference(text[2:2+end], depth)
			if problem != "" {
				return nil, problem
			}
			flush()
			t = append(t, templatePart{reference: r})
			text = text[2+end+1:]
		default:
			next := strings.IndexByte(text[1:], '$') + 1
			if next == 0 {
				next = len(text)
			}
			literal.WriteString(text[:next])
			text = text[next:]
		}
	}
	flush()
	return t, ""
}

// closingBrace returns the index of the brace that closes a reference whose ${ has been read, or -1.
func closingBrace(text string) int {
	open := 1
	for i := range len(text) {
		switch text[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

// parseReference reads what is between ${ and }.
func parseReference(text string, depth int) (*reference, string) {
	n := 0
	for n < len(text) && isNameByte(text[n]) {
		n++
	}
	if n == 0 || text[0] >= '0' && text[0] <= '9' {
		return nil, problemName
	}
	r := &reference{name: text[:n]}
	rest := text[n:]
	if rest == "" {
		return r, ""
	}
	for _, op := range []string{":-", "-", ":?"} {
		argument, ok := strings.CutPrefix(rest, op)
		if !ok {
			continue
		}
		r.operator = op
		if op == ":?" {
			r.message = strings.Join(strings.Fields(argument), " ")
			return r, ""
		}
		var problem string
		r.fallback, problem = parseTemplate(argument, depth+1)
		return r, problem
	}
	return nil, problemOperator
}

// expander evaluates a template.
type expander struct {
	lookup   func(string) (string, bool)
	out      strings.Builder
	problems []string
}

func (e *expander) template(t template) {
	for _, p := range t {
		if p.reference == nil {
			e.out.WriteString(p.literal)
		} else {
			e.reference(p.reference)
		}
	}
}

func (e *expander) reference(r *reference) {
	value, set := e.lookup(r.name)
	if !set {
		value = ""
	}
	switch {
	case r.operator == "" && !set:
		e.problem("variable " + r.name + " is not set")
	case r.operator == ":?" && value == "":
		problem := "variable " + r.name + " is not set or empty"
		if r.message != "" {
			problem += ": " + r.message
		}
		e.problem(problem)
	case r.operator == ":-" && value == "", r.operator == "-" && !set:
		e.template(r.fallback)
	default:
		e.out.WriteString(value)
	}
}

func (e *expander) problem(p string) {
	if !slices.Contains(e.problems, p) {
		e.problems = append(e.problems, p)
	}
}
