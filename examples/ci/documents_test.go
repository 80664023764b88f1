package ci_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4" //nolint:depguard // two files of others' formats, in a test

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// action is action.yml.
type action struct {
	Inputs map[string]struct {
		Description string
		Required    bool
		Default     string
	}
	Runs struct {
		Using string
		Steps []step
	}
}

type step struct {
	Name, Shell, Run string
	Env              map[string]string
}

// template is template.yml.
type template map[string]struct {
	IDTokens     map[string]struct{ Aud string } `yaml:"id_tokens"`
	Variables    map[string]string
	BeforeScript []string `yaml:"before_script"`
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	require.NoError(t, decoder.Decode(into), file)
}

func readAction(t *testing.T) (a action) {
	t.Helper()
	read(t, "action.yml", &a)
	require.Equal(t, "composite", a.Runs.Using)
	require.NotEmpty(t, a.Runs.Steps)
	return a
}

const templated = ".registry-credentials"

func readTemplate(t *testing.T) (before string, audience string) {
	t.Helper()
	var all template
	read(t, "template.yml", &all)
	require.Len(t, all, 1)
	job := all[templated]
	require.Equal(t, "RISE_ID_TOKEN", job.Variables["RISE_TOKEN_VARIABLE"])
	require.Len(t, job.IDTokens, 1)
	return strings.Join(job.BeforeScript, "\n"), job.IDTokens["RISE_ID_TOKEN"].Aud
}

// What GitHub puts in place of an expression, a shell would read as its own, so none stands in a script.
func TestNoExpressionsInScripts(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	a := readAction(t)
	for _, s := range a.Runs.Steps {
		require.Equal(t, "bash", s.Shell)
		require.NotContains(t, s.Run, "${{")
		for _, value := range s.Env {
			for _, input := range regexp.MustCompile(`inputs\.([a-z0-9-]+)`).FindAllStringSubmatch(value, -1) {
				used[input[1]] = true
			}
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(a.Inputs)), slices.Collect(maps.Keys(used)))
	for name, input := range a.Inputs {
		require.NotEmpty(t, input.Description, name)
	}
	before, _ := readTemplate(t)
	require.NotContains(t, before, "$[[")
}

// Both files get the helper in the same way.
func TestSameHelper(t *testing.T) {
	t.Parallel()
	function := regexp.MustCompile(`(?s)\nhelper\(\) \(\n.*?\n\)\n`)
	before, _ := readTemplate(t)
	var actions string
	for _, s := range readAction(t).Runs.Steps {
		actions += "\n" + s.Run
	}
	require.NotEmpty(t, function.FindString(actions))
	require.Equal(t, function.FindString(actions), function.FindString("\n"+before))
}

func TestShellcheck(t *testing.T) {
	t.Parallel()
	shellcheck := realtest.Program(t, "shellcheck")
	before, _ := readTemplate(t)
	scripts := map[string]string{"sh": before} // as images for CI have it, without bash
	for _, s := range readAction(t).Runs.Steps {
		scripts[s.Shell] += s.Run
	}
	for shell, script := range scripts {
		file := filepath.Join(t.TempDir(), "script")
		write(t, file, script)
		out, err := exec.CommandContext(t.Context(), shellcheck, "--shell="+shell, "--enable=quote-safe-variables,deprecate-which", file).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// README's examples name inputs and variables that there are, and all that are required.
func TestReadme(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	templateFile, err := os.ReadFile("template.yml")
	require.NoError(t, err)
	inputs := readAction(t).Inputs
	seen := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		var pipeline map[string]yaml.Node
		require.NoError(t, yaml.Unmarshal([]byte(block[1]), &pipeline), block[1])
		var workflow struct {
			Jobs map[string]struct {
				Permissions map[string]string
				Steps       []struct {
					Uses string
					With map[string]string
				}
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(block[1]), &workflow))
		for _, job := range workflow.Jobs {
			require.Equal(t, "write", job.Permissions["id-token"])
			for _, s := range job.Steps {
				if !strings.HasPrefix(s.Uses, "rise-deploy/rise-registry-go/examples/ci@") {
					continue
				}
				seen++
				for name := range s.With {
					require.Contains(t, inputs, name)
				}
				for name, input := range inputs {
					if input.Required {
						require.Contains(t, s.With, name)
					}
				}
			}
		}
		for _, node := range pipeline {
			var job struct {
				Extends   string
				Variables map[string]string
			}
			if node.Kind != yaml.MappingNode || node.Decode(&job) != nil || job.Extends == "" {
				continue
			}
			require.Equal(t, templated, job.Extends)
			seen++
			for name := range job.Variables {
				documented := regexp.MustCompile(`(?m)^# .*\b` + name + `\b`).Match(templateFile)
				require.True(t, documented || !strings.HasPrefix(name, "RISE_"), name)
			}
		}
	}
	require.Equal(t, 3, seen)
	for name := range inputs {
		require.Contains(t, string(content), "`"+name+"`")
	}
}
