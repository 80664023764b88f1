package configload_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// marker stands for a configured secret. It can't be a key that is shown or the name of a variable.
const marker = "hunter2@!"

// No error shows a configured value or the value of a variable, however it is printed and whatever is wrong.
func TestNoErrorShowsValues(t *testing.T) {
	t.Parallel()
	e := env{"SECRET": marker, "TWO_LINES": marker + "\n" + marker, "EMPTY": ""}
	for _, content := range []string{
		// Values where others belong.
		"server: hunter2@!", "server: [hunter2@!]", "auth: {tokens: hunter2@!}", "labels: hunter2@!", "limits: {a: hunter2@!}",
		"types: {bool: hunter2@!}", "types: {int: hunter2@!}", "types: {int8: \"${SECRET}\"}", "types: {uint: hunter2@!}",
		"types: {float: hunter2@!}", "types: {duration: hunter2@!}", "types: {addr: hunter2@!}", "types: {level: hunter2@!}",
		"types: {paddr: \"${SECRET}\"}", "types: {ints: [hunter2@!]}", "types: {map: {a: \"${SECRET}\"}}",
		"types: {secret: \"hunter2@!\\nx\"}", "types: {secret: \"${TWO_LINES}\"}", "types: {string: [hunter2@!]}",
		"types: {string: {hunter2: \"hunter2@!\"}}", "listn: hunter2@!", "registry: {regoin: hunter2@!}", "registry: hunter2@!",
		"registry: {type: [hunter2@!]}", "registry: {type: ecr, max_image_count: hunter2@!}", "registry: {type: ecr, x: \"${SECRET}\"}",
		"listen: hunter2@!\nlisten: hunter2@!",
		// Notation.
		"listen: ${hunter2@!", "listen: a${hunter2@!}", "listen: ${hunter2@!:-x}", "listen: ${A:-hunter2@!${1}}",
		"listen: ${A+hunter2@!}", "listen: ${A:=hunter2@!}", "listen: ${A:-hunter2@!${B}}", "listen: ${SECRET}${B}",
		"listen: ${EMPTY:?needed}hunter2@!", "listen: " + strings.Repeat("${A:-", 20) + "hunter2@!" + strings.Repeat("}", 20),
		// YAML.
		"hunter2@!", "- hunter2@!", "'hunter2@!", "\"hunter2@!", "listen: 'hunter2@!", "listen: \"hunter2@!\\q\"", "listen: @hunter2@!",
		"listen: hunter2@!: x", "listen: `hunter2@!", "listen: %hunter2@!", "listen: &hunter2@! x", "listen: *hunter2@!",
		"listen: !hunter2@! x", "listen: !<hunter2@!> x", "listen: [hunter2@!", "listen: {hunter2@!", "listen: {a: b}hunter2@!",
		"listen: |hunter2@!", "listen: x\n hunter2@!: y", "listen: x\nhunter2@!", "listen: x\n---\nhunter2@!", "%hunter2@!\n---\n",
		"? [hunter2@!]\n: x", "? {a: hunter2@!}\n: x", "<<: hunter2@!", "listen: x\n\thunter2@!", "listen: \"\\xhunter2@!\"",
		"listen: hunter2@!\x00", "listen: \"hunter2@!\xff\"", "&a hunter2@!: *a", "labels: {a: *hunter2@!, b: &hunter2@! x}",
	} {
		for name, fs := range map[string]files{
			"run mode": dev(content), "local": {"development.yaml": "", "local.yaml": content},
			"over": {"development.yaml": "listen: hunter2@!\nregistry: {type: ecr, session_token: hunter2@!}\n", "local.yaml": content},
		} {
			err := load(fs, e, new(service))
			require.Error(t, err, "%s: %q", name, content)
			var errs configload.Errors
			require.ErrorAs(t, err, &errs)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				require.NotContains(t, fmt.Sprintf(verb, err), marker, "%s: %q", name, content)
				for _, one := range errs {
					require.NotContains(t, fmt.Sprintf(verb, one), marker)
					require.NotContains(t, fmt.Sprintf(verb, *one), marker)
					for cause := errors.Unwrap(one); cause != nil; cause = errors.Unwrap(cause) {
						require.NotContains(t, fmt.Sprintf(verb, cause), marker)
					}
				}
			}
		}
	}
}

// FuzzLoad: whatever is in the files, Load doesn't panic, leaves the struct alone when it fails, and shows no value.
func FuzzLoad(f *testing.F) {
	for _, m := range mistakes {
		f.Add(m.files["development.yaml"], m.files["local.yaml"])
	}
	f.Add(ecrExample, ociExample)
	f.Add("server: {tls: }\nlabels: {a: }\nauth: {tokens: [{subject: }]}\n", "server:\nauth:\n  tokens:\n  -\nregistry: {type: }\n")
	f.Add("a: &a [*a]\nb: *a\n", "types: {strings: [\"${SECRET}\"], int: \"${SECRET}\"}")
	f.Fuzz(func(t *testing.T, lower, upper string) {
		lookup := func(name string) (string, bool) { return marker, strings.HasPrefix(name, "S") }
		got := filledService()
		fs := files{"development.yaml": lower, "local.yaml": upper}
		err := loadWith(fs, lookup, &got)
		if err == nil {
			out, err := configload.Marshal(&got)
			if err == nil { // strings that aren't UTF-8 can come from escapes
				require.NoError(t, loadWith(dev(string(out)), lookup, new(service)), "%q", out)
			}
			return
		}
		require.Equal(t, filledService(), got)
		var errs configload.Errors
		require.ErrorAs(t, err, &errs)
		require.NotEmpty(t, errs)
		for _, one := range errs {
			require.NotEmpty(t, one.Msg)
			message, unknownType := strings.Contains(lower+upper, ":?"), one.Key == "registry.type"
			if !message && !unknownType {
				require.NotContains(t, one.Msg, marker)
			}
		}
	})
}
