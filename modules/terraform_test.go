package modules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

// terraform returns a function that runs Terraform in a folder, asking no registry and leaving nothing there.
func terraform(t *testing.T) func(dir string, args ...string) realtest.Output {
	t.Helper()
	program := realtest.Program(t, "terraform")
	env := []string{"TF_DATA_DIR=" + t.TempDir(), "TF_CLI_CONFIG_FILE=" + os.DevNull, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	return func(dir string, args ...string) realtest.Output {
		t.Helper()
		return realtest.Run(t, env, program, append([]string{"-chdir=" + dir}, args...)...)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	out := terraform(t)(".", "fmt", "-check", "-diff", "-recursive", "-no-color")
	require.NoError(t, out.Err, out.Text)
}

// Terraform's own tests of the part without a provider: the policies are those of testdata/policies.
func TestPolicies(t *testing.T) {
	t.Parallel()
	require.NoError(t, filepath.WalkDir(policies, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			_, err = os.ReadFile(path) // so that go test knows what its cached result depends on
		}
		return err
	}))
	run := terraform(t)
	for _, args := range [][]string{{"init", "-backend=false"}, {"validate"}} {
		out := run(policies, append(args, "-no-color")...)
		require.NoError(t, out.Err, out.Text)
	}
	out := run(policies, "test", "-no-color")
	require.NoError(t, out.Err, out.Text)
	cases, err := os.ReadDir("../testdata/policies")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, c := range cases {
		require.Contains(t, out.Text, fmt.Sprintf("run %q... pass", c.Name()), "each case is one of the tests'")
	}
	left, err := filepath.Glob(policies + "/.terraform*")
	require.NoError(t, err)
	require.Empty(t, left)
}

// The module itself needs the provider's plugin. What it hands to the policies, and what it checks, is tried without: with
// what it asks AWS for written in, and without what it makes.
func TestModule(t *testing.T) {
	t.Parallel()
	run := terraform(t)
	dir := t.TempDir()
	var text strings.Builder
	for _, b := range module(t, root) {
		switch b.Type {
		case "variable", "locals", "module":
			text.Write(b.Range().SliceBytes(b.source))
			text.WriteByte('\n')
		}
	}
	for _, b := range named(module(t, policies), "output") {
		fmt.Fprintf(&text, "output %q {\n  value = module.policies.%s\n}\n", b.name(), b.name())
	}
	main := text.String()
	for reference, value := range map[string]string{
		"data.aws_partition.current.partition": "aws", "data.aws_partition.current.dns_suffix": "amazonaws.com",
		"data.aws_region.current.id": "eu-west-1", "data.aws_caller_identity.current.account_id": "123456789012",
	} {
		require.Contains(t, main, reference)
		main = strings.ReplaceAll(main, reference, fmt.Sprintf("%q", value))
	}
	require.NotRegexp(t, regexp.MustCompile(`\bdata\.`), main)
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	write("main.tf", main)
	write("module.tftest.hcl", moduleTests(t))
	parts, err := filepath.Glob(policies + "/*.tf")
	require.NoError(t, err)
	for _, path := range parts {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		write(filepath.Join("policies", filepath.Base(path)), string(content))
	}
	out := run(dir, "init", "-backend=false", "-no-color")
	require.NoError(t, out.Err, out.Text)
	out = run(dir, "test", "-no-color")
	require.NoError(t, out.Err, out.Text)
	require.Contains(t, out.Text, fmt.Sprintf("Success! %d passed, 0 failed.", len(accepted)+len(refused)))
}

const irsaVariable = `irsa = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE", namespace = "rise-system", service_account = "rise-backend" }`

// accepted are variables, and conditions on what comes out.
var accepted = []struct {
	name, variables string
	conditions      []string
}{
	{"irsa", irsaVariable, []string{
		`output.registry == {
      type = "ecr", region = "eu-west-1", account_id = "123456789012", push_role_arn = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
      repo_prefix = "rise/", session_tags = true, session_duration = "1h", project_ids = false, installation = "rise-backend", auto_remove = false
      remove_after = "24h", image_tag_mutability = "MUTABLE", scan_on_push = true, max_image_count = 0, untagged_expire_days = 0
    }`,
		`jsondecode(output.controller_trust).Statement[*].Sid == ["IRSA"]`,
		`jsondecode(output.push_trust).Statement[0].Principal.AWS == "arn:aws:iam::123456789012:role/rise-backend"`,
	}},
	{"pod_identity", `pod_identity = { cluster_name = "main", namespace = "rise-system", service_account = "rise-backend" }
    name = "ci"`, []string{
		`!can(output.registry.role_arn)`,
		`output.registry.installation == "ci"`,
		`jsondecode(output.controller_trust).Statement[*].Sid == ["PodIdentity"]`,
		`jsondecode(output.controller_trust).Statement[0].Condition.StringEquals["aws:RequestTag/eks-cluster-arn"] == "arn:aws:eks:eu-west-1:123456789012:cluster/main"`,
	}},
	{"services", `services = ["ecs-tasks", "ec2", "lambda"]`, []string{
		`!can(output.registry.role_arn)`,
		`jsondecode(output.controller_trust).Statement[*].Principal.Service == ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com"]`,
		`jsondecode(output.controller_trust).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" } }`,
		`jsondecode(output.controller_trust).Statement[1].Condition == { StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" } }`,
	}},
	{"user", `create_user = true
    role_external_id = "controller-id"`, []string{
		`output.registry.role_arn == "arn:aws:iam::123456789012:role/rise-backend"`,
		`output.registry.role_external_id == "controller-id"`,
		`jsondecode(output.controller_trust).Statement[0].Principal.AWS == "arn:aws:iam::123456789012:user/rise-backend"`,
	}},
	{"principals", `principals = ["arn:aws:iam::999999999999:role/backend"]`, []string{
		`output.registry.role_arn == "arn:aws:iam::123456789012:role/rise-backend"`,
		`jsondecode(output.controller_trust).Statement[0].Principal.AWS == "arn:aws:iam::999999999999:role/backend"`,
	}},
	{"no_installation", irsaVariable + `
    installation = ""`, []string{`!can(output.registry.installation)`}},
	{"removed_at_once", irsaVariable + `
    remove_after = "0s"`, []string{`output.registry.remove_after == "0s"`}},
	{"half_a_day", irsaVariable + `
    remove_after = "11h60m"`, []string{`output.registry.remove_after == "11h60m"`}},
	{"ids", irsaVariable + `
    project_ids = true
    remove_after = "90m"`, []string{`output.registry.project_ids && output.registry.remove_after == "90m"`}},
	{"everything", irsaVariable + `
    create_pull_role = true
    auto_remove = true
    remove_after = "48h"
    session_duration = "15m"
    image_tag_mutability = "IMMUTABLE_WITH_EXCLUSION"
    image_tag_mutability_exclusions = ["latest", "dev-*"]
    scan_on_push = false
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    max_image_count = 10
    untagged_expire_days = 7
    repository_tags = { Owner = "Platform" }
    shared_repositories = ["base", "mirror/*"]
    external_id = "push-id"`, []string{
		`output.registry.shared_repositories == tolist(["base", "mirror/*"])`,
		`contains(jsondecode(output.pull).Statement[*].Sid, "SharedReadOnly")`,
		`output.registry.pull_role_arn == "arn:aws:iam::123456789012:role/rise-backend-ecr-pull"`,
		`output.registry.image_tag_mutability_exclusions == tolist(["latest", "dev-*"])`,
		`output.registry.tags == tomap({ Owner = "Platform" })`,
		`output.registry.external_id == "push-id" && output.registry.auto_remove && output.registry.remove_after == "48h" && output.registry.session_duration == "15m"`,
		`!output.registry.scan_on_push && output.registry.max_image_count == 10 && output.registry.untagged_expire_days == 7`,
		`output.registry.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"`,
	}},
}

// refused are values that the named variable doesn't take.
var refused = []struct{ variable, value string }{
	{"principals", `["arn:aws:iam::123456789012:root"]`},
	{"principals", `["123456789012"]`},
	{"principals", `["*"]`},
	{"principals", `["arn:aws:iam::123456789012:role/*"]`},
	{"name", `"rise backend"`},
	{"name", `"` + strings.Repeat("a", 56) + `"`},
	{"installation", `"*"`},
	{"repo_prefix", `"Rise/"`},
	{"repo_prefix", `"rise//"`},
	{"irsa", `{ oidc_provider_arn = "*", namespace = "rise-system", service_account = "rise-backend" }`},
	{"irsa", `{ oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/example.com", namespace = "*", service_account = "rise-backend" }`},
	{"pod_identity", `{ cluster_name = "*", namespace = "rise-system", service_account = "rise-backend" }`},
	{"pod_identity", `{ cluster_name = "main", namespace = "rise-system", service_account = "*" }`},
	{"services", `["*"]`},
	{"services", `["ecs"]`},
	{"services", `["ec2", "ec2"]`},
	{"external_id", `"*"`},
	{"role_external_id", `"nobody-needs-it"`},
	{"permissions_boundary_arn", `"PowerUserAccess"`},
	{"max_session_duration", `900`},
	{"max_session_duration", `43201`},
	{"session_duration", `"14m59s"`},
	{"session_duration", `"1h1s"`},
	{"session_duration", `"3600"`},
	{"session_duration", `""`},
	{"remove_after", `"1d"`},
	{"remove_after", `"11h59m59s"`},
	{"remove_after", `"1s"`},
	{"remove_after", `""`},
	{"image_tag_mutability", `"mutable"`},
	{"image_tag_mutability_exclusions", `["latest"]`},
	{"kms_key_arn", `"arn:aws:kms:eu-west-1:123456789012:alias/x"`},
	{"max_image_count", `-1`},
	{"untagged_expire_days", `1.5`},
	{"repository_tags", `{ "rise:managed" = "true" }`},
	{"repository_tags", `{ "AWS:x" = "true" }`},
	{"tags", `{ "rise:project" = "hello" }`},
	{"shared_repositories", `["*"]`},
	{"shared_repositories", `["base*"]`},
	{"shared_repositories", `["*/x"]`},
	{"shared_repositories", `["a/../rise/hello"]`},
	{"shared_repositories", `["Base"]`},
	{"shared_repositories", `["ba--se"]`},
	{"shared_repositories", `["base", ""]`},
	{"shared_repositories", `["rise/hello"]`},
	{"shared_repositories", `["rise/*"]`},
}

func moduleTests(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, test := range accepted {
		fmt.Fprintf(&text, "run %q {\n  command = plan\n  variables {\n    %s\n  }\n", test.name, test.variables)
		for i, condition := range test.conditions {
			fmt.Fprintf(&text, "  assert {\n    condition = %s\n    error_message = \"condition %d\"\n  }\n", condition, i)
		}
		text.WriteString("}\n")
	}
	for i, test := range refused {
		fmt.Fprintf(&text, "run \"refused_%d\" {\n  command = plan\n  variables {\n", i)
		if test.variable != "irsa" {
			fmt.Fprintf(&text, "    %s\n", irsaVariable)
		}
		fmt.Fprintf(&text, "    %s = %s\n  }\n  expect_failures = [var.%s]\n}\n", test.variable, test.value, test.variable)
	}
	return text.String()
}
