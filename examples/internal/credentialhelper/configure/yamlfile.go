package configure

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
)

// helperFile is the text of credential.yaml. What configure adds stands between two comments, and that alone it ever changes.
type helperFile struct{ lines []string }

// block is what configure has added for a registry.
type block struct {
	start, end int // lines; end is behind the last one
	clients    []record
}

// record is a client's file that configure has changed, and the program that was there before.
type record struct{ path, before string }

var (
	blockStart = regexp.MustCompile(`^\s*# (".*") by docker-credential-rise configure`)
	blockEnd   = regexp.MustCompile(`^\s*# end of (".*")\s*$`)
	blockIn    = regexp.MustCompile(`^\s*# in ("(?:[^"\\]|\\.)*")(?:, in place of (".*"))?\s*$`)
	hostsLine  = regexp.MustCompile(`^hosts:\s*(?:#.*)?$`)
)

func readHelperFile(text []byte) helperFile {
	return helperFile{strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
}

// find returns a registry's block, or nil.
func (f helperFile) find(registry string) *block {
	var b *block
	for i, line := range f.lines {
		if m := blockStart.FindStringSubmatch(line); m != nil && unquote(m[1]) == registry {
			b = &block{start: i}
		} else if b == nil {
			continue
		} else if m := blockEnd.FindStringSubmatch(line); m != nil && unquote(m[1]) == registry {
			b.end = i + 1
			return b
		} else if m := blockIn.FindStringSubmatch(line); m != nil {
			b.clients = append(b.clients, record{unquote(m[1]), unquote(m[2])})
		}
	}
	return nil
}

func unquote(s string) (text string) {
	_ = json.Unmarshal([]byte(s), &text) // else it is no text of ours
	return text
}

// with has a registry's entry, in place of the one that configure added before.
func (f helperFile) with(registry string, e setup.Entry, clients []record) []byte {
	lines := slices.Clone(f.lines)
	at := slices.IndexFunc(lines, hostsLine.MatchString) + 1
	switch b := f.find(registry); {
	case b != nil:
		at = b.start
		lines = slices.Delete(lines, b.start, b.end)
	case at == 0:
		if len(lines) == 1 && lines[0] == "" {
			lines = nil
		}
		lines = append(lines, "hosts:")
		at = len(lines)
	}
	lines = slices.Insert(lines, at, entryLines(childIndent(lines), registry, e, clients)...)
	return []byte(strings.Join(lines, "\n") + "\n")
}

// without has no block of a registry. Nothing is left of a file that is configure's alone.
func (f helperFile) without(registry string) []byte {
	b := f.find(registry)
	if b == nil {
		return []byte(strings.Join(f.lines, "\n") + "\n")
	}
	lines := slices.Delete(slices.Clone(f.lines), b.start, b.end)
	if len(lines) == 1 && lines[0] == "hosts:" {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// childIndent is that of the hosts that are there.
func childIndent(lines []string) string {
	at := slices.IndexFunc(lines, hostsLine.MatchString)
	for _, line := range lines[at+1:] {
		inner := strings.TrimLeft(line, " ")
		if inner == "" || inner[0] == '#' {
			continue
		}
		if indent := line[:len(line)-len(inner)]; indent != "" {
			return indent
		}
		break
	}
	return "  "
}

func entryLines(indent, registry string, e setup.Entry, clients []record) []string {
	name := quote(registry)
	lines := []string{"# " + name + " by docker-credential-rise configure, whose --undo takes it away again."}
	for _, c := range clients {
		line := "# in " + quote(c.path)
		if c.before != "" {
			line += ", in place of " + quote(c.before)
		}
		lines = append(lines, line)
	}
	lines = append(lines, name+":")
	for _, v := range values(e) {
		lines = append(lines, "  "+v.key+": "+v.text)
	}
	lines = append(lines, "# end of "+name)
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return lines
}

// value is one of an entry's, as it is written and as it is shown.
type value struct{ key, text, shown string }

func values(e setup.Entry) (all []value) {
	add := func(key, text string, set bool) {
		if set {
			all = append(all, value{key, text, text})
		}
	}
	add("url", literal(e.URL), true)
	add("project", literal(e.Project), true)
	add("access", e.Access.String(), e.Access != 0)
	add("ca_file", literal(e.CAFile), e.CAFile != "")
	add("insecure", strconv.FormatBool(e.Insecure), e.Insecure)
	if !e.Token.IsZero() {
		all = append(all, value{"token", literal(e.Token.Reveal()), e.Token.String()})
	}
	add("token_file", literal(e.TokenFile), e.TokenFile != "")
	add("token_variable", literal(e.TokenVariable), e.TokenVariable != "")
	var words []string
	for _, word := range e.TokenCommand {
		words = append(words, literal(word))
	}
	add("token_command", "["+strings.Join(words, ", ")+"]", len(words) > 0)
	add("github_audience", literal(e.GitHubAudience), e.GitHubAudience != "")
	return all
}

// literal is a text that the file means as it is: JSON's strings are YAML's too, and a $ is doubled as variables are substituted.
func literal(s string) string { return quote(strings.ReplaceAll(s, "$", "$$")) }
