package schema_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/schema"
)

// message is one of the language server protocol, in either direction.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  any             `json:"result,omitempty"`
}

// editor is a client of a language server.
type editor struct {
	t     *testing.T
	in    io.Writer
	out   *bufio.Reader
	dir   string
	asked int
}

type m = map[string]any

func newEditor(t *testing.T, dir string) *editor {
	t.Helper()
	program := realtest.Program(t, "yaml-language-server")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, "--stdio")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	e := &editor{t: t, in: in, out: bufio.NewReader(out), dir: dir}
	e.ask("initialize", m{
		"processId": os.Getpid(), "rootUri": "file://" + dir,
		"capabilities": m{"workspace": m{"configuration": true}, "textDocument": m{"completion": m{"completionItem": m{"documentationFormat": []string{"markdown"}}}}},
	}, nil)
	e.send(message{Method: "initialized", Params: m{}})
	return e
}

func (e *editor) send(one message) {
	one.Version = "2.0"
	text, err := json.Marshal(one)
	require.NoError(e.t, err)
	_, err = fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(text), text)
	require.NoError(e.t, err)
}

// next is the next message that wants no answer; the server is told its settings when it asks for them.
func (e *editor) next() (id, method string, content json.RawMessage) {
	for {
		header, err := textproto.NewReader(e.out).ReadMIMEHeader()
		require.NoError(e.t, err)
		length, err := strconv.Atoi(header.Get("Content-Length"))
		require.NoError(e.t, err)
		text := make([]byte, length)
		_, err = io.ReadFull(e.out, text)
		require.NoError(e.t, err)
		var one struct {
			ID             json.RawMessage
			Method         string
			Params, Result json.RawMessage
			Error          *struct{ Message string }
		}
		require.NoError(e.t, json.Unmarshal(text, &one))
		require.Nil(e.t, one.Error)
		switch {
		case one.Method == "workspace/configuration":
			var asked struct{ Items []struct{ Section string } }
			require.NoError(e.t, json.Unmarshal(one.Params, &asked))
			settings := []any{}
			for _, item := range asked.Items {
				settings = append(settings, map[string]any{"yaml": m{"validate": true, "completion": true, "hover": true, "schemaStore": m{"enable": false}}}[item.Section])
			}
			e.send(message{ID: one.ID, Result: settings})
		case one.Method != "" && one.ID != nil:
			e.send(message{ID: one.ID, Result: m{}})
		case one.Method != "":
			return "", one.Method, one.Params
		default:
			return string(one.ID), "", one.Result
		}
	}
}

func (e *editor) ask(method string, params, answer any) {
	e.asked++
	id := strconv.Itoa(e.asked)
	e.send(message{ID: json.RawMessage(id), Method: method, Params: params})
	for {
		if got, _, content := e.next(); got == id {
			if answer != nil {
				require.NoError(e.t, json.Unmarshal(content, answer))
			}
			return
		}
	}
}

// shows opens a file with a cursor at | and returns what the server finds wrong with it; of one that is wrong, once it finds something.
func (e *editor) shows(name, text string, wrong bool) (uri string, cursor m, problems []string) {
	before, after, _ := strings.Cut(text, "|")
	line := strings.Count(before, "\n")
	cursor = m{"line": line, "character": len(before) - strings.LastIndex(before, "\n") - 1}
	uri = "file://" + filepath.Join(e.dir, name)
	e.send(message{Method: "textDocument/didOpen", Params: m{"textDocument": m{"uri": uri, "languageId": "yaml", "version": 1, "text": before + after}}})
	for {
		if _, method, content := e.next(); method == "textDocument/publishDiagnostics" {
			var found struct {
				URI         string
				Diagnostics []struct{ Message string }
			}
			require.NoError(e.t, json.Unmarshal(content, &found))
			if found.URI != uri || wrong && len(found.Diagnostics) == 0 {
				continue
			}
			for _, d := range found.Diagnostics {
				problems = append(problems, d.Message)
			}
			return uri, cursor, problems
		}
	}
}

// completes returns what the server offers at the cursor, with what it says of each.
func (e *editor) completes(uri string, cursor m) map[string]string {
	var answer struct {
		Items []struct {
			Label         string
			Documentation any
		}
	}
	e.ask("textDocument/completion", m{"textDocument": m{"uri": uri}, "position": cursor}, &answer)
	offered := map[string]string{}
	for _, item := range answer.Items {
		offered[item.Label] = fmt.Sprint(item.Documentation)
	}
	return offered
}

// An editor with yaml-language-server completes keys, by the registry's type, with what each is for, and marks what is wrong, by the line that the guide has at the head of a
// file.
func TestEditor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := schema.Of(configload.Loader{}, newFactory(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "schema.json"), text, 0o600))
	e := newEditor(t, dir)
	const head = "# yaml-language-server: $schema=./schema.json\n"

	for n, test := range []struct {
		file   string
		offers []string
		not    []string
	}{
		{"|", []string{"server", "auth", "registry", "embedded_registry"}, []string{"region"}},
		{"registry:\n  type: ecr\n  |", []string{"region", "account_id", "push_role_arn", "cache", "session_duration"}, []string{"registry_url", "token_duration", "type"}},
		{"registry:\n  type: oci-client-auth\n  |", []string{"registry_url", "cache"}, []string{"region"}},
		{"registry:\n  type: |", []string{"ecr", "oci-client-auth", "oci-token-issuer"}, []string{"region"}},
		{"registry:\n  |", []string{"type"}, nil},
		{"registry:\n  type: ecr\n  cache:\n    |", []string{"enabled", "min_remaining"}, nil},
		{"registry:\n  type: ecr\n  scan_on_push: |", []string{"true", "false"}, nil},
		{"auth:\n  tokens:\n    - subject: ci\n      |", []string{"token_file", "projects", "access"}, []string{"subject"}},
		{"auth:\n  tokens:\n    - access: |", []string{"pull", "push"}, nil},
		{"auth:\n  oidc:\n    - |", []string{"name", "issuer", "audience", "rules"}, nil},
	} {
		uri, cursor, _ := e.shows(fmt.Sprintf("complete-%d.yaml", n), head+test.file, false)
		offered := e.completes(uri, cursor)
		for _, key := range test.offers {
			require.Contains(t, offered, key, test.file)
		}
		for _, key := range test.not {
			require.NotContains(t, offered, key, test.file)
		}
		if description, ok := offered["session_duration"]; ok {
			require.Contains(t, description, "15 minutes to 12 hours")
		}
	}

	for n, test := range []struct{ file, problem string }{
		{"registry: {type: ecr, region: '${REGION}', session_duration: 90m}", ""},
		{"registry: {type: ecr, reggion: x}", "reggion"},
		{"registry: {type: ecr, registry_url: x}", "registry_url"},
		{"registry: {type: ecr, session_duration: 90}", "Incorrect type"},
		{"registry: {type: ec2}", `"oci-token-issuer"`},
		{"serverr: {}", "serverr"},
		{"server: {insecure: 'nope'}", "boolean"},
	} {
		_, _, problems := e.shows(fmt.Sprintf("check-%d.yaml", n), head+test.file, n > 0)
		if n == 0 {
			require.Empty(t, problems)
			continue
		}
		require.True(t, slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, test.problem) }), "%s: %q", test.file, problems)
	}
	for name, file := range examples(t) {
		if !strings.Contains(file, "vending") {
			_, _, problems := e.shows("example-"+strings.NewReplacer("/", "-", " ", "-", ",", "").Replace(name), head+file, false)
			require.Empty(t, problems, "%s\n%s", name, file)
		}
	}
}
