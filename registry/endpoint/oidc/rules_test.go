package oidc_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// The claims are those of the issuers' documentation.
const (
	github     = "https://token.actions.githubusercontent.com"
	gitlab     = "https://gitlab.com"
	kubernetes = "https://kubernetes.default.svc"
	aws        = "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws"
	buildkite  = "https://agent.buildkite.com"
	terraform  = "https://app.terraform.io"
	google     = "https://accounts.google.com"
)

func realClaims() map[string]map[string]any {
	return map[string]map[string]any{
		github: {
			"sub": "repo:octo-org@2020/octo-repo@424242:ref:refs/heads/main", "jti": "example-id", "actor": "octocat", "actor_id": "12", "base_ref": "", "head_ref": "",
			"event_name": "workflow_dispatch", "job_workflow_ref": "octo-org/shared/.github/workflows/reusable.yml@refs/heads/main", "job_workflow_sha": "c9ed89cf4dacf01feb527c42a26e0a8920d14c61",
			"ref": "refs/heads/main", "ref_protected": "true", "ref_type": "branch", "repository": "octo-org/octo-repo", "repository_id": "424242", "repository_owner": "octo-org",
			"repository_owner_id": "2020", "repository_visibility": "private", "run_attempt": "1", "run_id": "22259804324", "run_number": "42", "runner_environment": "github-hosted",
			"sha": "c040cae0f0dc81641728557b80f09cfa23b83fe5", "workflow": "CI", "workflow_ref": "octo-org/octo-repo/.github/workflows/ci.yml@refs/heads/main",
			"workflow_sha": "c040cae0f0dc81641728557b80f09cfa23b83fe5", "check_run_id": "47211382571", "repo_property_team": "shop",
		},
		gitlab: {
			"sub": "project_path:my-group/apps/my-project:ref_type:branch:ref:feature-branch-1", "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "namespace_id": "72", "namespace_path": "my-group/apps",
			"project_id": "20", "project_path": "my-group/apps/my-project", "user_id": "1", "user_login": "sample-user", "user_email": "sample-user@example.com", "user_access_level": "developer",
			"pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "feature-branch-1", "ref_type": "branch", "ref_path": "refs/heads/feature-branch-1", "ref_protected": "false",
			"groups_direct": []string{"mygroup/mysubgroup", "myothergroup/myothersubgroup"}, "environment": "test-environment2", "environment_protected": "false", "deployment_tier": "testing",
			"environment_action": "start", "runner_id": 1, "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "public",
			"ci_config_ref_uri": "gitlab.com/my-group/apps/my-project//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
			"job_project_id": "20", "job_project_path": "my-group/apps/my-project", "job_namespace_id": "72", "job_namespace_path": "my-group/apps",
			"user_identities": []map[string]any{{"provider": "github", "extern_uid": "2435223452345"}, {"provider": "bitbucket", "extern_uid": "john.smith"}},
		},
		kubernetes: {
			"aud": []string{audience}, "sub": "system:serviceaccount:shop:default", "jti": "e51f1fbc-4733-4b85-a59f-ba80c0523874",
			"kubernetes.io": map[string]any{
				"namespace": "shop", "node": map[string]any{"name": "worker", "uid": "517eb86e-b863-451b-bf70-86cb61439a3a"},
				"pod":            map[string]any{"name": "shop-0", "uid": "0d8b260e-ef0e-45fb-be8e-ff44f97722e8"},
				"serviceaccount": map[string]any{"name": "default", "uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d"},
			},
		},
		aws: {
			"sub": "arn:aws:iam::123456789012:role/DataProcessingRole", "jti": "xyz123-def456-ghi789-jkl012",
			"https://sts.amazonaws.com/": map[string]any{
				"aws_account": "123456789012", "source_region": "us-east-1", "org_id": "o-abc1234567", "ou_path": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/",
				"principal_tags":             map[string]any{"environment": "production", "team": "data-engineering", "cost-center": "engineering"},
				"lambda_source_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:process-data",
				"request_tags":               map[string]any{"job-id": "job-2024-001", "team": "shop"},
			},
		},
		buildkite: {
			"sub": "organization:acme-inc:pipeline:super-duper-app:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:build", "organization_slug": "acme-inc",
			"organization_id": "0184990a-477b-4fa8-9968-000000000001", "pipeline_id": "0184990a-477b-4fa8-9968-000000000002", "pipeline_slug": "super-duper-app", "build_number": 1, "build_branch": "main",
			"build_tag": nil, "build_commit": "9f3182061f1e2cca4702c368cbc039b7dc9d4485", "step_key": "build", "job_id": "0184990a-477b-4fa8-9968-496074483cee",
			"agent_id": "0184990a-4782-42b5-afc1-16715b10b8ff", "build_source": "ui", "runner_environment": "buildkite-hosted",
		},
		terraform: {
			"sub": "organization:my-org:project:Default Project:workspace:my-workspace:run_phase:apply", "terraform_organization_id": "org-GRNbCjYNpBB6NEBi", "terraform_organization_name": "my-org",
			"terraform_project_id": "prj-vegSA59s1XPwMr2t", "terraform_project_name": "Default Project", "terraform_workspace_id": "ws-mbsd5E3Ktt5Rg2Xm", "terraform_workspace_name": "my-workspace",
			"terraform_full_workspace": "organization:my-org:project:Default Project:workspace:my-workspace", "terraform_run_id": "run-X3n1AUXNGWbfECsJ", "terraform_run_phase": "apply",
		},
		google: {"sub": "113171359947474921431", "azp": "113171359947474921431", "email": "ci@project.iam.gserviceaccount.com", "email_verified": true},
	}
}

type m = map[string]string

// Who gets what: a rule, the changes to a real token, and the projects; "" where no rule matches.
func TestRulesAndTokens(t *testing.T) {
	t.Parallel()
	sts := func(key string) string { return "https://sts.amazonaws.com//" + key }
	for n, test := range []struct {
		issuer   string
		claims   m
		projects string
		changes  map[string]any
		want     string
	}{
		{github, m{"repository_id": "424242", "ref": "refs/heads/main"}, "shop", nil, "shop"},
		{github, m{"repository_id": "424242", "ref": "refs/heads/main"}, "shop", map[string]any{"ref": "refs/heads/evil"}, ""},
		{github, m{"repository_id": "424242", "ref": "refs/heads/main"}, "shop", map[string]any{"ref": "refs/heads/main2"}, ""},
		{github, m{"repository_id": "424242", "ref": "refs/heads/*"}, "shop", map[string]any{"ref": "refs/heads/release-1"}, "shop"},
		{github, m{"repository_id": "424242", "ref": "refs/heads/*"}, "shop", map[string]any{"ref": "refs/heads/a/b"}, ""},
		{github, m{"repository_id": "424242", "ref": "refs/heads/*"}, "shop", map[string]any{"ref": "refs/tags/v1"}, ""},
		{github, m{"repository_id": "424242", "ref": "refs/heads/*"}, "shop", map[string]any{"ref": "refs/heads/"}, ""},
		{github, m{"repository_id": "424242", "ref": "refs/*/v*.*.*"}, "shop", map[string]any{"ref": "refs/tags/v1.22.333"}, "shop"},
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": 424242}, "shop"}, // by its text
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": "424243"}, ""},
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": " 424242"}, ""},
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": nil}, ""},
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": []any{"424242"}}, "shop"},
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": []any{[]any{"424242"}}}, ""},
		{github, m{"repository_id": "424242"}, "shop", map[string]any{"repository_id": map[string]any{"424242": "424242"}}, ""},
		{github, m{"repository_owner_id": "2020"}, "{repository}", nil, "octo-repo"},
		{github, m{"repository_owner_id": "2020"}, "team-{repository}-x", nil, "team-octo-repo-x"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": "octo-org/Shop"}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": "octo-org/a--b"}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": "octo-org/a_b"}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": "octo-org/" + strings.Repeat("a", 64)}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": "octo-org/"}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": []any{"octo-org/shop"}}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository": nil}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{repository} base", nil, "octo-repo base"},
		{github, m{"repository_owner_id": "2020"}, "{repository}", map[string]any{"repository_owner_id": "666", "repository_owner": "octo-org"}, ""}, // the name, registered again
		{github, m{"repository_owner_id": "2020"}, "{sub}", map[string]any{"sub": "repo:octo-org/octo-repo:ref:refs/heads/shop"}, "none"},
		{github, m{"repository_owner_id": "2020"}, "{job_workflow_ref}", map[string]any{"job_workflow_ref": "evil/shop"}, "none"},
		{github, m{"repository_owner_id": "2020", "environment": "*"}, "shop", nil, ""},
		{github, m{"repository_owner_id": "2020", "environment": "*"}, "shop", map[string]any{"environment": "prod/eu:1"}, "shop"},
		{github, m{"repository_owner_id": "2020", "head_ref": "*"}, "shop", nil, ""}, // empty isn't there
		{github, m{"enterprise_id": "7"}, "shop", map[string]any{"enterprise_id": "7"}, "shop"},
		{github, m{"enterprise_id": "7"}, "shop", nil, ""},
		{github, m{"repository_owner_id": "2020", "job_workflow_ref": "octo-org/shared/.github/workflows/*.yml@refs/heads/main"}, "shop", nil, "shop"},
		{github, m{"repository_owner_id": "2020", "job_workflow_ref": "octo-org/shared/.github/workflows/*.yml@refs/heads/main"}, "shop", map[string]any{"job_workflow_ref": "octo-org/shared/.github/workflows/a/b.yml@refs/heads/main"}, ""},
		{gitlab, m{"project_id": "20", "ref_protected": "true"}, "shop", nil, ""},
		{gitlab, m{"project_id": "20", "ref_protected": "true"}, "shop", map[string]any{"ref_protected": "true"}, "shop"},
		{gitlab, m{"project_id": "20", "ref_protected": "true"}, "shop", map[string]any{"ref_protected": true}, "shop"},
		{gitlab, m{"project_id": "20", "runner_id": "1"}, "shop", nil, "shop"},
		{gitlab, m{"project_id": "20", "runner_id": "1"}, "shop", map[string]any{"runner_id": 1.5}, ""},
		{gitlab, m{"namespace_id": "72"}, "{project_path}", nil, "my-project"},
		{gitlab, m{"namespace_id": "72"}, "{project_path}", map[string]any{"namespace_id": "73"}, ""},
		{gitlab, m{"namespace_id": "72", "groups_direct": "mygroup/*"}, "shop", nil, "shop"},
		{gitlab, m{"namespace_id": "72", "user_identities": "*"}, "shop", nil, ""}, // a list of objects has no text
		{gitlab, m{"namespace_id": "72"}, "{job_project_path}", nil, "none"},       // my-group/apps/ is demanded by no claim of the rule
		{gitlab, m{"namespace_id": "72", "job_namespace_path": "my-group/apps"}, "{job_project_path}", nil, "my-project"},
		{gitlab, m{"namespace_id": "72", "ref_path": "refs/heads/*", "ref_protected": "false"}, "shop", nil, "shop"},
		{gitlab, m{"namespace_id": "72", "groups_direct": "mygroup"}, "shop", nil, ""},
		{gitlab, m{"namespace_id": "72"}, "{groups_direct}", map[string]any{"groups_direct": []string{"shop"}}, "none"},
		{gitlab, m{"namespace_id": "72"}, "{namespace_path}", nil, "none"}, // my-group/ isn't fixed by anything
		{"https://gitlab.example.com", m{"namespace_path": "my-group/apps"}, "{project_path}", map[string]any{"namespace_path": "my-group/apps", "project_path": "my-group/apps/shop"}, "shop"},
		{"https://gitlab.example.com", m{"project_path": "my-group/*"}, "{project_path}", map[string]any{"project_path": "my-group/shop"}, ""}, // refused at load
		{"https://ci.example.com", m{"org": "acme"}, "{repo}", map[string]any{"org": "acme", "repo": "acme/shop"}, "shop"},
		{"https://ci.example.com", m{"org": "acme"}, "{repo}", map[string]any{"org": "acme", "repo": "evil/shop"}, "none"},
		{"https://ci.example.com", m{"org": "acme"}, "{repo}", map[string]any{"org": "acme", "repo": "acme/evil/shop"}, "none"},
		{"https://ci.example.com", m{"org": "acme"}, "{repo}", map[string]any{"org": "acme", "repo": "shop"}, "shop"},
		{"https://ci.example.com", m{"org": "acme", "ref": "evil"}, "{repo}", map[string]any{"org": "acme", "ref": "evil", "repo": "evil/shop"}, "none"},
		{kubernetes, m{"kubernetes.io/namespace": "*"}, "{kubernetes.io/namespace}", nil, "shop"},
		{kubernetes, m{"kubernetes.io/namespace": "shop"}, "shop", nil, "shop"},
		{kubernetes, m{"kubernetes.io/serviceaccount/name": "default", "kubernetes.io/namespace": "*"}, "{kubernetes.io/namespace}", nil, "shop"},
		{kubernetes, m{"kubernetes.io/serviceaccount/name": "other"}, "shop", nil, ""},
		{kubernetes, m{"kubernetes.io/serviceaccount": "*"}, "shop", nil, "shop"},
		{kubernetes, m{"kubernetes.io/serviceaccount": "default"}, "shop", nil, ""},
		{kubernetes, m{"kubernetes.io/namespace/x": "*"}, "shop", nil, ""},
		{kubernetes, m{"sub": "system:serviceaccount:shop:*"}, "shop", nil, "shop"},
		{kubernetes, m{"sub": "system:serviceaccount:*"}, "shop", nil, ""},
		{kubernetes, m{"kubernetes.io/namespace": "shop"}, "shop", map[string]any{"kubernetes.io/namespace": "evil"}, ""}, // the longest claim
		{kubernetes, m{"kubernetes.io/serviceaccount/name": "default"}, "shop", map[string]any{"kubernetes.io/serviceaccount": "x"}, ""},
		{aws, m{sts("aws_account"): "123456789012", sts("principal_tags/team"): "data-engineering"}, "shop", nil, "shop"},
		{aws, m{sts("aws_account"): "123456789013"}, "shop", nil, ""},
		{aws, m{sts("aws_account"): "123456789012"}, "{" + sts("principal_tags/team") + "}", nil, "data-engineering"},
		{aws, m{"sub": "arn:aws:iam::123456789012:role/*"}, "shop", nil, ""}, // no exact claim: refused at load
		{aws, m{"sub": "arn:aws:iam::123456789012:role/DataProcessingRole"}, "shop", nil, "shop"},
		{buildkite, m{"organization_id": "0184990a-477b-4fa8-9968-000000000001", "build_branch": "main"}, "{pipeline_slug}", nil, "super-duper-app"},
		{buildkite, m{"organization_id": "0184990a-477b-4fa8-9968-000000000001", "build_tag": "*"}, "shop", nil, ""},
		{terraform, m{"terraform_workspace_id": "ws-mbsd5E3Ktt5Rg2Xm", "terraform_run_phase": "apply"}, "shop", nil, "shop"},
		{terraform, m{"terraform_organization_id": "org-GRNbCjYNpBB6NEBi"}, "{terraform_project_name}", nil, "none"},
		{google, m{"sub": "113171359947474921431"}, "shop", nil, "shop"},
		{google, m{"sub": "113171359947474921431", "email_verified": "true"}, "shop", nil, "shop"},
		{google, m{"sub": "113171359947474921432"}, "shop", nil, ""},
	} {
		name := fmt.Sprintf("%d: %v %v %v", n, test.claims, test.projects, test.changes)
		clock := newClock()
		config := withKeys(t, test.issuer, oidc.Rule{Claims: test.claims, Projects: strings.Fields(test.projects), Access: provider.Push})
		config.Exclusive = test.issuer == kubernetes
		a, err := oidc.New([]oidc.Issuer{config}, slog.New(slog.DiscardHandler))
		if err != nil {
			require.Empty(t, test.want, name)
			require.ErrorContains(t, err, "need one without *", name)
			continue
		}
		a.SetClock(clock.now)
		claims := claimsOf(clock, test.issuer, nil)
		maps.Copy(claims, realClaims()[test.issuer])
		maps.Copy(claims, test.changes)
		caller, err := authenticate(t.Context(), a, signed(`{"alg":"ES256","kid":"ec"}`, text(claims), keys().ec))
		switch test.want {
		case "":
			require.ErrorIs(t, err, endpoint.ErrUnauthenticated, name)
			require.ErrorContains(t, err, "rules[0] came closest, but for ", name)
		case "none":
			require.NoError(t, err, name)
			require.Empty(t, caller.Projects(), name)
			require.ErrorIs(t, a.Authorize(t.Context(), caller, provider.Request{Project: "shop", Access: provider.Pull}), provider.ErrNotFound, name)
		default:
			require.NoError(t, err, name)
			require.Equal(t, strings.Fields(test.want), caller.Projects(), name)
			require.NoError(t, a.Authorize(t.Context(), caller, provider.Request{Project: caller.Projects()[0], Access: provider.Push}), name)
			require.ErrorIs(t, a.Authorize(t.Context(), caller, provider.Request{Project: "evil", Access: provider.Pull}), provider.ErrNotFound, name)
		}
	}
}

// withKeys is an issuer by its real name, whose keys are ours.
func withKeys(t *testing.T, issuer string, rules ...oidc.Rule) oidc.Issuer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(file, []byte(keySet(jwk("ec", keys().ec.Public()))), 0o600))
	return oidc.Issuer{Name: "it", Issuer: issuer, Audience: audience, JWKSFile: file, Rules: rules}
}

// The first rule that matches decides, and the log says which came closest.
func TestFirstRuleDecides(t *testing.T) {
	t.Parallel()
	clock := newClock()
	a := newAuthenticator(t, clock, withKeys(t, github,
		oidc.Rule{Claims: m{"repository_owner_id": "2020", "repository_id": "424242", "ref": "refs/heads/main"}, Projects: []string{"shop"}, Access: provider.Push},
		oidc.Rule{Claims: m{"repository_owner_id": "2020", "actor": "octocat"}, Projects: []string{"{repository}"}},
	))
	ask := func(changes map[string]any) (oidc.Caller, error) {
		claims := claimsOf(clock, github, nil)
		maps.Copy(claims, realClaims()[github])
		maps.Copy(claims, changes)
		return authenticate(t.Context(), a, signed(`{"alg":"ES256","kid":"ec"}`, text(claims), keys().ec))
	}
	caller, err := ask(nil)
	require.NoError(t, err)
	require.Equal(t, provider.Push, caller.Access())
	require.Equal(t, []string{"shop"}, caller.Projects())
	require.Equal(t, []slog.Attr{
		slog.String("issuer", "it"), slog.Int("rule", 0),
		slog.GroupAttrs("claims", slog.String("ref", "refs/heads/main"), slog.String("repository_id", "424242"), slog.String("repository_owner_id", "2020")),
	}, caller.Details())
	caller, err = ask(map[string]any{"ref": "refs/heads/other"})
	require.NoError(t, err)
	require.Equal(t, provider.Pull, caller.Access())
	require.Equal(t, []string{"octo-repo"}, caller.Projects())
	require.Contains(t, fmt.Sprint(caller.Details()), "repository=octo-org/octo-repo")
	err = a.Authorize(t.Context(), caller, provider.Request{Project: "octo-repo", Access: provider.Push})
	require.ErrorIs(t, err, provider.ErrNotFound)
	require.ErrorContains(t, err, "rules[1], which decided, allows pull only")
	_, err = ask(map[string]any{"ref": "refs/heads/other", "actor": "mallory", "repository_id": "1"})
	require.ErrorContains(t, err, "rules[1] came closest, but for actor")
	_, err = ask(map[string]any{"ref": "refs/heads/other", "actor": "mallory"})
	require.ErrorContains(t, err, "rules[0] came closest, but for ref")
	_, err = ask(map[string]any{"repository_owner_id": "3", "actor": "mallory", "repository_id": "1"})
	require.ErrorContains(t, err, "rules[0] came closest, but for repository_id, repository_owner_id")
	require.NotContains(t, err.Error(), "mallory")
	require.ErrorIs(t, a.Authorize(t.Context(), oidc.Caller{}, provider.Request{Project: "", Access: provider.Pull}), provider.ErrNotFound)
}

// Every mistake in a configuration is refused when it is loaded, with a sentence at its key.
func TestRefusedConfiguration(t *testing.T) {
	t.Parallel()
	rule := func(change func(*oidc.Rule)) func(*oidc.Issuer) { return func(i *oidc.Issuer) { change(&i.Rules[0]) } }
	claims := func(issuer string, c m) func(*oidc.Issuer) {
		return func(i *oidc.Issuer) { i.Issuer, i.Rules[0].Claims = issuer, c }
	}
	second := func(issuer string, first, second m) func(*oidc.Issuer) {
		return func(i *oidc.Issuer) {
			i.Issuer = issuer
			i.Rules = []oidc.Rule{{Claims: first, Projects: []string{"a"}}, {Claims: second, Projects: []string{"b"}}}
		}
	}
	project := func(issuer string, c m, project string) func(*oidc.Issuer) {
		return func(i *oidc.Issuer) { i.Issuer, i.Rules[0].Claims, i.Rules[0].Projects = issuer, c, []string{project} }
	}
	aud := func(audience string) func(*oidc.Issuer) { return func(i *oidc.Issuer) { i.Audience = audience } }
	iss := func(issuer string) func(*oidc.Issuer) { return func(i *oidc.Issuer) { i.Issuer = issuer } }
	const shared = "strangers share this issuer, and a name can become somebody else's"
	for _, test := range []struct {
		change func(*oidc.Issuer)
		want   string // "" where it is fine
	}{
		{func(*oidc.Issuer) {}, ""},
		{func(i *oidc.Issuer) { i.Name = "" }, "name: must be 1 to 63 letters"},
		{func(i *oidc.Issuer) { i.Name = "a:b" }, "name: must be"},
		{func(i *oidc.Issuer) { i.Name = strings.Repeat("a", 64) }, "name: must be"},
		{iss(""), "issuer: is required"},
		{iss("ci.example.com"), "issuer: must be a URL"},
		{iss("https://"), "issuer: must be a URL"},
		{iss("ftp://ci.example.com"), "issuer: must be a URL"},
		{iss("http://ci.example.com"), "issuer: must be https"},
		{iss("http://localhost.example.com"), "issuer: must be https"},
		{iss("http://127.0.0.1:8080"), ""},
		{iss("http://localhost:8080"), ""},
		{iss("http://[::1]:8080"), ""},
		{iss("https://CI.example.com"), "issuer: must be a URL like"},
		{iss("HTTPS://ci.example.com"), "issuer: must be a URL like"},
		{iss("https://ci.example.com:443"), "issuer: has the default port"},
		{iss("https://ci.example.com."), "issuer: must be a URL like"},
		{iss("https://u:p@ci.example.com"), "issuer: must be a URL like"},
		{iss("https://ci.example.com?a=b"), "issuer: must be a URL like"},
		{iss("https://ci.example.com#a"), "issuer: must be a URL like"},
		{iss("https://ci.example.com/a/../b"), "issuer: must be a URL like"},
		{iss("https://ci.example.com/%61"), "issuer: must be a URL like"},
		{iss("https://ci.example.com/\n"), "issuer: must be a URL like"},
		{iss("https://ci.example.com/tenant/"), ""},
		{iss("https://oauth2.sigstore.dev/auth"), "issuer: is sigstore's"},
		{iss("https://login.microsoftonline.com/common/v2.0"), "issuer: is Microsoft's for every tenant"},
		{iss("https://login.microsoftonline.com/Organizations/v2.0"), "issuer: is Microsoft's for every tenant"},
		{iss("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"), "issuer: is Microsoft's for every tenant"},
		{iss("https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/v2.0"), ""},
		{aud(""), "audience: is required"},
		{aud("https://ci.example.com"), "audience: is the issuer itself"},
		{aud("https://ci.example.com/"), "audience: is the issuer itself"},
		{aud("https://github.com/octo-org"), "audience: is what tokens for other services name"},
		{aud("https://GitHub.com/octo-org"), "audience: is what tokens for other services name"},
		{aud("https://kubernetes.default.svc"), "audience: is what tokens for other services name"},
		{aud("https://kubernetes.default.svc.cluster.local"), "audience: is what tokens for other services name"},
		{aud("kubernetes.default.svc"), "audience: is what tokens for other services name"},
		{aud("sts.amazonaws.com"), "audience: is what tokens for other services name"},
		{aud("sts.eu-west-1.amazonaws.com"), "audience: is what tokens for other services name"},
		{aud("sigstore"), "audience: is what tokens for other services name"},
		{aud("api://AzureADTokenExchange"), "audience: is what tokens for other services name"},
		{aud("https://vault.example.com"), "audience: is what tokens for other services name"},
		{aud("https://vault:8200"), "audience: is what tokens for other services name"},
		{aud("https://buildkite.com/acme-inc"), "audience: is what tokens for other services name"},
		{aud("aws.workload.identity"), "audience: is what tokens for other services name"},
		{aud("//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"), "audience: is what tokens for other services name"},
		{aud("rise"), "audience: must be this service's own address"},
		{aud("rise."), "audience: must be this service's own address"},
		{aud("urn:rise.example"), "audience: must be this service's own address"},
		{aud("ftp://rise.example.com"), "audience: must be this service's own address"},
		{aud("https://rise.example.com/*"), "audience: must be this service's own address"},
		{aud("https://rise.example.com#x"), "audience: must be this service's own address"},
		{aud("rise example.com"), "audience: must be this service's own address"},
		{aud("rise.example.com"), ""},
		{aud("http://localhost:3000"), ""},
		{func(i *oidc.Issuer) { i.JWKSURL = "http://keys.example.com" }, "jwks_url: must be https"},
		{func(i *oidc.Issuer) { i.JWKSURL = "keys" }, "jwks_url: must be a URL"},
		{func(i *oidc.Issuer) { i.JWKSURL = "https://10.0.0.1:6443/openid/v1/jwks" }, ""},
		{func(i *oidc.Issuer) { i.JWKSFile, i.JWKSURL = "a", "https://keys.example.com" }, "jwks_url: does nothing beside jwks_file"},
		{func(i *oidc.Issuer) { i.JWKSFile, i.CAFile = "a", "b" }, "ca_file: does nothing beside jwks_file"},
		{func(i *oidc.Issuer) { i.JWKSFile, i.BearerTokenFile = "a", "b" }, "bearer_token_file: does nothing beside jwks_file"},
		{func(i *oidc.Issuer) { i.Issuer, i.BearerTokenFile = "http://localhost:1", "b" }, "bearer_token_file: is sent over TLS only"},
		{func(i *oidc.Issuer) { i.Rules = nil }, "rules: are required"},
		{rule(func(r *oidc.Rule) { r.Claims = nil }), "rules[0].claims: are required"},
		{rule(func(r *oidc.Rule) { r.Projects = nil }), "rules[0].projects: are required"},
		{rule(func(r *oidc.Rule) { r.Access = 9 }), "rules[0].access: must be pull or push"},
		{claims(github, m{"repository_owner": "octo-org"}), "rules[0].claims: need repository_owner_id or repository_id or enterprise_id, without *: " + shared},
		{claims(github, m{"repository": "octo-org/octo-repo", "sub": "repo:octo-org/octo-repo:ref:refs/heads/main"}), shared},
		{claims(github, m{"repository_owner_id": "*"}), shared},
		{claims(github, m{"repository_owner_id": "20*"}), shared},
		{claims(github+"/my-enterprise", m{"repository_owner": "octo-org"}), shared},
		{claims(github+"/", m{"repository_owner": "octo-org"}), shared},
		{claims(gitlab, m{"project_path": "my-group/apps/my-project"}), "rules[0].claims: need namespace_id or project_id, without *"},
		{claims(google, m{"email": "ci@example.com"}), "rules[0].claims: need sub, without *"},
		{claims(buildkite, m{"organization_slug": "acme-inc"}), "rules[0].claims: need organization_id or pipeline_id, without *"},
		{claims("https://app.eu.terraform.io", m{"terraform_organization_name": "my-org"}), "need terraform_organization_id or"},
		{claims("https://app.eu.terraform.io", m{"terraform_organization_id": "org-GRNbCjYNpBB6NEBi"}), ""},
		{claims(terraform, m{"terraform_organization_name": "my-org"}), "need terraform_organization_id or terraform_project_id or terraform_workspace_id, without *"},
		{claims(gitlab, m{"project_id": "20"}), ""},
		{claims(github, m{"repository_owner_id": "octo-org"}), "rules[0].claims: have no number as repository_owner_id, which is one at this issuer, and no name"},
		{claims(gitlab, m{"project_id": "20", "namespace_id": "my-group"}), "rules[0].claims: have no number as namespace_id"},
		{claims(google, m{"sub": "ci@project.iam.gserviceaccount.com"}), "rules[0].claims: have no number as sub"},
		{claims(github, m{"repository_owner_id": "1234 "}), "rules[0].claims: have no number as repository_owner_id"},
		{claims(github, m{"repository_owner_id": "1234", "repository_id": "56*"}), ""},
		{func(i *oidc.Issuer) { i.Issuer, i.Exclusive, i.Rules[0].Claims = github, true, m{"repository_id": "1"} }, "exclusive: isn't so"},
		{claims("https://ci.example.com", m{"ref": "main", "environment": "prod"}), "rules[0].claims: need one without * beside ref and environment"},
		{claims("https://ci.example.com", m{"owner": "*"}), "rules[0].claims: need one without * beside ref and environment"},
		{func(i *oidc.Issuer) { i.Exclusive, i.Rules[0].Claims = true, m{"owner": "*"} }, ""},
		{func(i *oidc.Issuer) { i.Exclusive, i.Rules[0].Claims = true, m{} }, "rules[0].claims: are required"},
		{rule(func(r *oidc.Rule) { r.Claims["x"] = "" }), `rules[0].claims: "x" has no value`},
		{rule(func(r *oidc.Rule) { r.Claims["x"] = "a**" }), `rules[0].claims: "x" has two * in a row`},
		{rule(func(r *oidc.Rule) { r.Claims["x"] = "*a*b*c*d*" }), `rules[0].claims: "x" has more than four *`},
		{rule(func(r *oidc.Rule) { r.Claims["x"] = strings.Repeat("a", 1025) }), `rules[0].claims: "x" must be at most 1024 bytes`},
		{rule(func(r *oidc.Rule) { r.Claims["x"] = "\xff" }), `rules[0].claims: "x" must be at most 1024 bytes of UTF-8`},
		{rule(func(r *oidc.Rule) { r.Claims[""] = "a" }), `rules[0].claims: "" must name a claim`},
		{rule(func(r *oidc.Rule) { r.Claims["aud"] = "a" }), `rules[0].claims: "aud" is a claim that is checked for every token`},
		{rule(func(r *oidc.Rule) { r.Claims["iss"] = "a" }), `rules[0].claims: "iss" is a claim that is checked for every token`},
		{rule(func(r *oidc.Rule) { r.Claims["https://sts.amazonaws.com//request_tags/team"] = "a" }), "is below AWS's request_tags, which the caller writes"},
		{rule(func(r *oidc.Rule) { r.Claims["https://sts.amazonaws.com//request_tags"] = "*" }), "is below AWS's request_tags"},
		{rule(func(r *oidc.Rule) { r.Claims["https://sts.amazonaws.com//request_tags2"] = "*" }), ""},
		{project("https://ci.example.com", m{"owner": "a"}, "Shop"), "rules[0].projects[0]: isn't a project's name"},
		{project("https://ci.example.com", m{"owner": "a"}, "*"), "rules[0].projects[0]: isn't a project's name"},
		{project("https://ci.example.com", m{"owner": "a"}, ""), "rules[0].projects[0]: isn't a project's name"},
		{project("https://ci.example.com", m{"owner": "a"}, "{a}{b}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "{a}-{b}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "a/{b}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "-{b}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "a--{b}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "{b"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "{}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "{{b}}"), "rules[0].projects[0]: must be a project's name in which one part"},
		{project("https://ci.example.com", m{"owner": "a"}, "{aud}"), "rules[0].projects[0]: is a claim that is checked"},
		{project("https://ci.example.com", m{"owner": "a"}, "{https://sts.amazonaws.com//request_tags/team}"), "is below AWS's request_tags"},
		{project("https://ci.example.com", m{"owner": "a"}, "team-{b}"), ""},
		{project(github, m{"enterprise_id": "7"}, "{repository}"), "rules[0].projects[0]: takes the part after the last / of a claim whose other part no claim of the rule fixes"},
		{project(github, m{"enterprise_id": "7", "repository_owner": "octo-*"}, "{repository}"), "whose other part no claim of the rule fixes"},
		{project(github, m{"enterprise_id": "7", "repository": "*/shop"}, "{repository}"), "whose other part no claim of the rule fixes"},
		{project(github, m{"enterprise_id": "7", "repository": "octo-org/*"}, "{repository}"), ""},
		{project(github, m{"enterprise_id": "7", "repository_owner": "octo-org"}, "{repository}"), ""},
		{project(github, m{"repository_owner_id": "7"}, "{repository}"), ""},
		{project(gitlab, m{"namespace_id": "7"}, "{project_path}"), ""},
		{project("https://gitlab.example.com", m{"user_login": "a"}, "{project_path}"), "add namespace_id or namespace_path or project_id without *"},
		{second("https://ci.example.com", m{"a": "1"}, m{"a": "1"}), "rules[1].claims: can't be reached: rules[0] takes every token that it would"},
		{second("https://ci.example.com", m{"a": "1"}, m{"a": "1", "b": "2"}), "rules[1].claims: can't be reached"},
		{second("https://ci.example.com", m{"a": "1", "b": "x*"}, m{"a": "1", "b": "xy"}), "rules[1].claims: can't be reached"},
		{second("https://ci.example.com", m{"a": "1", "b": "x*"}, m{"a": "1", "b": "xy*"}), "rules[1].claims: can't be reached"},
		{second("https://ci.example.com", m{"a": "1", "b": "*"}, m{"a": "1", "b": "a/b"}), "rules[1].claims: can't be reached"},
		{second("https://ci.example.com", m{"a": "1", "b": "x*"}, m{"a": "1", "b": "x/y"}), ""},
		{second("https://ci.example.com", m{"a": "1", "b": "x*"}, m{"a": "1", "b": "*"}), ""},
		{second("https://ci.example.com", m{"a": "1", "b": "2"}, m{"a": "1"}), ""},
		{second("https://ci.example.com", m{"a": "1"}, m{"a": "2"}), ""},
	} {
		i := oidc.Issuer{Name: "ci", Issuer: "https://ci.example.com", Audience: audience, Rules: []oidc.Rule{{Claims: m{"owner": "acme"}, Projects: []string{"shop"}}}}
		test.change(&i)
		err := i.Validate()
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, test.want)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		var config *provider.ConfigError
		require.True(t, errors.As(err, &config))
		_, err = oidc.New([]oidc.Issuer{i}, nil)
		require.ErrorContains(t, err, "oidc[0].")
		require.ErrorContains(t, err, strings.TrimPrefix(test.want, ""))
	}
}

// Names and issuers differ.
func TestIssuersBesideEachOther(t *testing.T) {
	t.Parallel()
	a := withKeys(t, "https://a.example.com", oidc.Rule{Claims: m{"owner": "acme"}, Projects: []string{"shop"}})
	b := a
	b.Issuer = "https://b.example.com"
	err := oidc.Validate("auth", []oidc.Issuer{a, b})
	require.EqualError(t, err, "auth[1].name: is that of auth[0]")
	b = a
	b.Name = "b"
	err = oidc.Validate("oidc", []oidc.Issuer{a, b})
	require.EqualError(t, err, "oidc[1].issuer: is that of oidc[0]: put the rules together")
	b.Issuer = "https://b.example.com"
	require.NoError(t, oidc.Validate("oidc", []oidc.Issuer{a, b}))
	_, err = oidc.New([]oidc.Issuer{a, a}, nil)
	require.ErrorContains(t, err, "oidc[1].name: is that of oidc[0]")
}

// What is allowed and may not be meant is said at each start, and rules can be read as sentences.
func TestWarningsAndSentences(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	cluster := withKeys(t, kubernetes, oidc.Rule{Claims: m{"kubernetes.io/namespace": "*"}, Projects: []string{"{kubernetes.io/namespace}"}})
	cluster.Name, cluster.Exclusive = "cluster", true
	ci := withKeys(t, github,
		oidc.Rule{Claims: m{"repository_id": "1", "ref": "refs/heads/main"}, Projects: []string{"shop"}, Access: provider.Push},
		oidc.Rule{Claims: m{"repository_id": "2", "ref": "*"}, Projects: []string{"shop", "base"}, Access: provider.Push},
		oidc.Rule{Claims: m{"repository_id": "3"}, Projects: []string{"shop"}, Access: provider.Push},
		oidc.Rule{Claims: m{"repository_id": "4"}, Projects: []string{"shop"}},
	)
	_, err := oidc.New([]oidc.Issuer{cluster, ci}, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(log.String(), "level=WARN"), log.String())
	require.Contains(t, log.String(), "cluster is exclusive")
	require.Contains(t, log.String(), "rules[1] lets every branch push")
	require.Contains(t, log.String(), "rules[2] lets every branch push")
	require.Equal(t, `tokens that say "refs/heads/main" as ref and say "1" as repository_id may push shop`, ci.Rules[0].String())
	require.Equal(t, `tokens that have ref and say "2" as repository_id may push shop, base`, ci.Rules[1].String())
	require.Equal(t, `tokens that have kubernetes.io/namespace may pull {kubernetes.io/namespace}`, cluster.Rules[0].String())
}
