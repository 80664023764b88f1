package program_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/program"
)

func run(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program.Run(t.Context(), program.Process{Args: args, Stdout: &out, Stderr: &errs, LookupEnv: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}})
	return code, out.String(), errs.String()
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, help := range []string{"--help", "-h"} {
		code, out, errs := run(t, map[string]string{"RISE_URL": "https://from.example.com"}, help)
		require.Zero(t, code)
		require.Empty(t, errs)
		require.Contains(t, out, "examples:")
		require.Contains(t, out, "exit codes: 0")
		require.Contains(t, out, "(default https://from.example.com)")
	}
	code, out, errs := run(t, nil, "--version")
	require.Zero(t, code)
	require.Empty(t, errs)
	require.Regexp(t, `^pull-secrets \S+\n$`, out)
}

// Every mistake is said at once, on stderr.
func TestMistakes(t *testing.T) {
	t.Parallel()
	code, out, errs := run(t, nil, "--lease-duration", "1500ms", "--concurrency", "0", "--timeout", "1ms", "--secret-name", "A_B", "--lease", "", "--log-format", "xml", "--exclude", "[",
		"--mapping-label", "--mapping-file", "x", "--installation", "a b")
	require.Equal(t, 2, code)
	require.Empty(t, out)
	for _, problem := range []string{
		"--endpoint is missing", "--token-file is missing", "give one of --mapping-file and --mapping-label", "--installation is missing or no label's value", `--secret-name "A_B" is no name`,
		`--lease "" is no name`, "--lease-duration 1.5s has to be whole seconds", "--timeout 1ms has to be", "--concurrency 0 has to be", `--log-format "xml"`, `"[" is no pattern`, "--namespace is missing",
		"See pull-secrets --help.",
	} {
		require.Contains(t, errs, problem)
	}
	for problem, args := range map[string][]string{
		`"shop" is no flag`: {"shop"},
		"-token":            {"--token", "s3cr3t"}, // tokens are in files
		"invalid value":     {"--concurrency", "many"},
	} {
		code, _, errs = run(t, nil, args...)
		require.Equal(t, 2, code)
		require.Contains(t, errs, problem)
		require.NotContains(t, errs, "s3cr3t")
	}
}

// Files that the command line names.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := func(more ...string) []string {
		return append([]string{"--endpoint", "https://deploy.example.com", "--token-file", file("token", "s3cr3t"), "--installation", "test", "--namespace", "default", "--mapping-label"}, more...)
	}
	kubeconfig := file("kubeconfig", "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n")
	for problem, args := range map[string][]string{
		"the Kubernetes API server isn't known":  good(),
		"no such file":                           good("--kubeconfig", filepath.Join(dir, "none")),
		"the CA file can't be read":              good("--ca-file", filepath.Join(dir, "none")),
		"has no certificate in PEM":              good("--ca-file", file("ca", "x")),
		"is no host":                             good("--registry", "a/b"),
		"the endpoint's URL":                     good("--endpoint", "http://deploy.example.com"),
		`"x" is no line`:                         good("--mapping-label=false", "--mapping-file", file("mapping", "x")),
		"none: no such file":                     good("--mapping-label=false", "--mapping-file", filepath.Join(dir, "none")),
		"--namespace is missing, and this isn't": good("--namespace", ""),
	} {
		code, out, errs := run(t, nil, args...)
		require.Equal(t, 2, code, problem)
		require.Empty(t, out)
		require.Contains(t, errs, problem)
		require.NotContains(t, errs, "s3cr3t")
	}
	code, _, errs := run(t, nil, good("--kubeconfig", kubeconfig, "--listen", "127.0.0.1:99999")...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "99999")

	// It ends well by a signal, even where nobody answers.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	code = program.Run(ctx, program.Process{Args: good("--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0"), Stdout: &log, Stderr: &log, LookupEnv: os.LookupEnv})
	require.Zero(t, code)
}

// README names every flag that has to be given, every metric and every variable.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, help, _ := run(t, nil, "--help")
	for _, name := range regexp.MustCompile(`\((RISE_[A-Z_]+|POD_NAMESPACE)\)`).FindAllStringSubmatch(help, -1) {
		require.Contains(t, string(text), "`"+name[1]+"`")
	}
	for _, flag := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(string(text), -1) {
		require.True(t, strings.Contains(help, "  "+flag[1]+" ") || strings.Contains(help, "  "+flag[1]+"\n"), flag[1])
	}
}
