package oidc_test

import (
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// The tenants of a service, each with a rule of its own, and what others try: whoever is somebody else, by the ids, gets nothing of a tenant's, whatever is called the same.
func TestTenantsAreKeptApart(t *testing.T) {
	t.Parallel()
	onGitHub := func(owner, ownerID, repository, repositoryID string) map[string]any {
		return map[string]any{
			"repository_owner": owner, "repository_owner_id": ownerID, "repository": owner + "/" + repository, "repository_id": repositoryID,
			"sub": "repo:" + owner + "@" + ownerID + "/" + repository + "@" + repositoryID + ":ref:refs/heads/main",
		}
	}
	onGitLab := func(namespace, namespaceID, project, projectID string) map[string]any {
		return map[string]any{
			"namespace_path": namespace, "namespace_id": namespaceID, "project_path": namespace + "/" + project, "project_id": projectID,
			"job_namespace_path": namespace, "job_namespace_id": namespaceID, "job_project_path": namespace + "/" + project, "job_project_id": projectID,
		}
	}
	inNamespace := func(namespace, account, uid string) map[string]any {
		return map[string]any{
			"sub":           "system:serviceaccount:" + namespace + ":" + account,
			"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account, "uid": uid}},
		}
	}
	with := func(claims, more map[string]any) map[string]any {
		claims = maps.Clone(claims)
		maps.Copy(claims, more)
		return claims
	}
	push := func(project string, claims m) oidc.Rule {
		return oidc.Rule{Claims: claims, Projects: []string{project}, Access: provider.Push}
	}
	const path = "namespace_path"
	for issuer, test := range map[string]struct {
		rules []oidc.Rule
		who   map[string]struct {
			claims map[string]any
			want   string // the projects; "" where no rule matches
		}
	}{
		github: {
			[]oidc.Rule{
				push("shop", m{"repository_owner_id": "2020", "repository_id": "424242"}),
				push("two-{repository}", m{"repository_owner_id": "3030"}),
				push("four-{repository}", m{"repository_id": "777", "repository_owner": "four"}),
			},
			map[string]struct {
				claims map[string]any
				want   string
			}{
				"one":                            {onGitHub("octo-org", "2020", "shop", "424242"), "shop"},
				"one, renamed":                   {onGitHub("octo-new", "2020", "shop-new", "424242"), "shop"},
				"one's name, taken by others":    {onGitHub("octo-org", "6666", "shop", "900"), ""},
				"one's repository, transferred":  {onGitHub("evil", "6666", "shop", "424242"), ""},
				"one's repository, of two":       {onGitHub("two", "3030", "shop", "424242"), "two-shop"},
				"one's fork":                     {onGitHub("evil", "6666", "shop", "900"), ""},
				"two":                            {onGitHub("two", "3030", "web", "1"), "two-web"},
				"two names it as one's":          {onGitHub("two", "3030", "shop", "1"), "two-shop"},
				"two names it as two's template": {onGitHub("two", "3030", "two-web", "1"), "two-two-web"},
				"two with dots":                  {onGitHub("two", "3030", "..", "1"), "none"},
				"two with a dot":                 {onGitHub("two", "3030", "web.shop", "1"), "none"},
				"two with an empty name":         {onGitHub("two", "3030", "", "1"), "none"},
				"two ends with a hyphen":         {onGitHub("two", "3030", "web-", "1"), "none"},
				"two begins with a hyphen":       {onGitHub("two", "3030", "-shop", "1"), "none"},
				"two with a Cyrillic letter":     {onGitHub("two", "3030", "shоp", "1"), "none"},
				"two with a line's end":          {onGitHub("two", "3030", "web\n", "1"), "none"},
				"two with a NUL":                 {onGitHub("two", "3030", "web\x00", "1"), "none"},
				"two with a slash in it":         {onGitHub("two", "3030", "evil/shop", "1"), "two-shop"}, // no repository's name: what comes before is still the owner's
				"four, its name taken by others": {onGitHub("four", "6666", "web", "778"), ""},
				"four, renamed":                  {onGitHub("fourth", "4040", "web", "777"), ""},
				"id as a list":                   {with(onGitHub("evil", "6666", "shop", "424242"), map[string]any{"repository_owner_id": []any{"6666", "2020"}}), "shop"}, // GitHub would have to sign it
				"id as a number":                 {with(onGitHub("octo-org", "2020", "shop", "424242"), map[string]any{"repository_id": 424242}), "shop"},
				"id with a fraction":             {with(onGitHub("octo-org", "2020", "shop", "424242"), map[string]any{"repository_id": 424242.5}), ""},
			},
		},
		"https://gitlab.example.com": {
			[]oidc.Rule{push("one-{project_path}", m{path: "a"}), push("two-{project_path}", m{path: "a/b"}), push("shop", m{"namespace_id": "72", "project_id": "20"})},
			map[string]struct {
				claims map[string]any
				want   string
			}{
				"group's project":             {onGitLab("a", "1", "web", "10"), "one-web"},
				"subgroup's project":          {onGitLab("a/b", "2", "web", "11"), "two-web"},
				"project named as a subgroup": {onGitLab("a", "1", "b", "12"), "one-b"},
				"deeper":                      {onGitLab("a/b/c", "3", "web", "13"), ""},
				"group that begins the same":  {onGitLab("ab", "4", "web", "14"), ""},
				"group of another case":       {onGitLab("A", "5", "web", "15"), ""},
				"user of the same name":       {onGitLab("a.b", "6", "web", "16"), ""},
				"shop":                        {onGitLab("c", "72", "web", "20"), "shop"},
				"shop's fork":                 {onGitLab("evil", "99", "web", "4242"), ""},
				"a fork's code in shop": {with(onGitLab("evil", "99", "web", "4242"), map[string]any{
					"job_namespace_path": "c", "job_namespace_id": "72", "job_project_path": "c/web", "job_project_id": "20", "pipeline_source": "merge_request_event",
				}), ""},
				"shop, transferred": {onGitLab("evil", "99", "web", "20"), ""},
			},
		},
		kubernetes: {
			[]oidc.Rule{
				push("shop", m{"kubernetes.io/namespace": "shop", "kubernetes.io/serviceaccount/name": "pusher", "kubernetes.io/serviceaccount/uid": "u1"}),
				push("{kubernetes.io/namespace}", m{"kubernetes.io/namespace": "team-*"}),
				push("sub", m{"sub": "system:serviceaccount:sub:*"}),
			},
			map[string]struct {
				claims map[string]any
				want   string
			}{
				"shop":                                {inNamespace("shop", "pusher", "u1"), "shop"},
				"another account of it":               {inNamespace("shop", "default", "u2"), ""},
				"namespace, made again":               {inNamespace("shop", "pusher", "u3"), ""},
				"a tenant's namespace":                {inNamespace("evil", "pusher", "u1"), ""},
				"a tenant's namespace in the pattern": {inNamespace("team-evil", "default", "u4"), "team-evil"},
				"nothing behind the pattern":          {inNamespace("team-", "default", "u4"), ""},
				"namespace as claims beside": {with(inNamespace("evil", "pusher", "u1"), map[string]any{
					"kubernetes.io.namespace": "shop", "kubernetes": map[string]any{"io": map[string]any{"namespace": "shop"}},
				}), ""},
				"account that looks like sub": {inNamespace("evil:sub", "x", "u5"), ""},
				"account with a colon":        {map[string]any{"sub": "system:serviceaccount:sub:a:b"}, ""},
				"sub":                         {map[string]any{"sub": "system:serviceaccount:sub:a"}, "sub"},
			},
		},
	} {
		config := withKeys(t, issuer, test.rules...)
		config.Exclusive = issuer == kubernetes
		a, err := oidc.New([]oidc.Issuer{config}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		clock := newClock()
		a.SetClock(clock.now)
		for who, caller := range test.who {
			claims := claimsOf(clock, issuer, nil)
			maps.Copy(claims, realClaims()[issuer])
			maps.Copy(claims, caller.claims)
			got, err := authenticate(t.Context(), a, signed(`{"alg":"ES256","kid":"ec"}`, text(claims), keys().ec))
			switch caller.want {
			case "":
				require.Equal(t, http.StatusUnauthorized, status(err), who)
			case "none":
				require.NoError(t, err, who)
				require.Empty(t, got.Projects(), who)
			default:
				require.NoError(t, err, who)
				require.Equal(t, []string{caller.want}, got.Projects(), who)
			}
		}
	}
}

// Each start says where a valid configuration lets one tenant choose another's project.
func TestWarningsOfTenants(t *testing.T) {
	t.Parallel()
	rule := func(project string, access provider.Access, claims ...string) oidc.Rule {
		r := oidc.Rule{Claims: m{}, Projects: strings.Fields(project), Access: access}
		for i := 0; i < len(claims); i += 2 {
			r.Claims[claims[i]] = claims[i+1]
		}
		return r
	}
	const both, chooses, branch = "rules[0] and rules[1] are for different owners", "lets whoever starts a job choose the project, by its ", "lets every branch push"
	const ghe, ghes = "https://token.actions.octocorp.ghe.com", "https://github.example.com/_services/token"
	for n, test := range []struct {
		issuer string
		rules  []oidc.Rule
		want   string
	}{
		{github, []oidc.Rule{rule("{repository}", 0, "repository_owner_id", "1"), rule("{repository}", 0, "repository_owner_id", "2")}, both},
		{github, []oidc.Rule{rule("{repository}", 0, "repository_owner_id", "1"), rule("team-{repository}", 0, "repository_owner_id", "2")}, both},
		{github, []oidc.Rule{rule("{repository}-x", 0, "repository_owner_id", "1"), rule("team-{repository}", 0, "repository_owner_id", "2")}, both},
		{github, []oidc.Rule{rule("shop", 0, "repository_owner_id", "1"), rule("{repository}", 0, "repository_owner_id", "2")}, both},
		{github, []oidc.Rule{rule("base {repository}", 0, "repository_owner_id", "1"), rule("shop", 0, "repository_owner_id", "2")}, both},
		{github, []oidc.Rule{rule("{repository}", 0, "repository_id", "1"), rule("{repository}", 0, "repository_id", "2")}, both},
		{gitlab, []oidc.Rule{rule("{project_path}", 0, "namespace_id", "1"), rule("{project_path}", 0, "namespace_id", "2")}, both},
		{"https://gitlab.example.com", []oidc.Rule{rule("{project_path}", 0, "namespace_path", "a"), rule("{project_path}", 0, "namespace_path", "a/b")}, both},
		{github, []oidc.Rule{rule("one-{repository}", 0, "repository_owner_id", "1"), rule("two-{repository}", 0, "repository_owner_id", "2")}, ""},
		{github, []oidc.Rule{rule("shop", 0, "repository_owner_id", "1"), rule("two-{repository}", 0, "repository_owner_id", "2")}, ""},
		{github, []oidc.Rule{rule("two-", 0, "repository_owner_id", "1")}, "isn't a project's name"},
		{github, []oidc.Rule{rule("shop", 0, "repository_owner_id", "1", "repository_id", "5"), rule("{repository}", 0, "repository_owner_id", "1")}, ""},
		{github, []oidc.Rule{rule("shop", 0, "repository_owner_id", "1"), rule("shop", 0, "repository_owner_id", "2")}, ""}, // meant
		{kubernetes, []oidc.Rule{rule("shop", 0, "kubernetes.io/namespace", "a"), rule("{kubernetes.io/namespace}", 0, "kubernetes.io/namespace", "*")}, ""},

		{github, []oidc.Rule{rule("{environment}", 0, "repository_owner_id", "1")}, chooses + "environment"},
		{github, []oidc.Rule{rule("{environment}", 0, "repository_owner_id", "1", "environment", "prod*")}, chooses + "environment"},
		{github, []oidc.Rule{rule("{environment}", 0, "repository_owner_id", "1", "environment", "prod")}, ""},
		{gitlab, []oidc.Rule{rule("shop review-{ref}", 0, "project_id", "1")}, chooses + "ref"},
		{buildkite, []oidc.Rule{rule("{build_branch}", 0, "organization_id", "a")}, chooses + "build_branch"},
		{"https://ci.example.com", []oidc.Rule{rule("{workflow}", 0, "owner", "a")}, chooses + "workflow"},
		{kubernetes, []oidc.Rule{rule("{kubernetes.io/pod/name}", 0, "kubernetes.io/namespace", "ci")}, chooses + "kubernetes.io/pod/name"},
		{kubernetes, []oidc.Rule{rule("{kubernetes.io/serviceaccount/name}", 0, "kubernetes.io/namespace", "*")}, chooses + "kubernetes.io/serviceaccount/name"},
		{kubernetes, []oidc.Rule{rule("{kubernetes.io/serviceaccount/name}", 0, "kubernetes.io/namespace", "ci")}, ""}, // whose users are the platform
		{kubernetes, []oidc.Rule{rule("{kubernetes.io/namespace}", 0, "kubernetes.io/serviceaccount/name", "pusher")}, ""},

		{github + "/octo", []oidc.Rule{rule("shop", provider.Push, "repository_owner_id", "1")}, branch + ", pull requests from inside the repository among them: it has no ref, environment or job_workflow_ref"},
		{ghe, []oidc.Rule{rule("shop", provider.Push, "repository_owner_id", "1")}, branch},
		{ghes, []oidc.Rule{rule("shop", provider.Push, "repository_owner", "a")}, branch},
		{gitlab, []oidc.Rule{rule("shop", provider.Push, "project_id", "1", "ref", "*")}, "it has no ref, ref_path, ref_protected or environment"},
		{buildkite, []oidc.Rule{rule("shop", provider.Push, "pipeline_id", "a")}, "it has no build_branch or build_tag"},
		{gitlab, []oidc.Rule{rule("shop", provider.Push, "project_id", "1", "ref_protected", "true")}, ""},
		{ghe, []oidc.Rule{rule("shop", provider.Push, "repository_owner_id", "1", "ref", "refs/heads/main")}, ""},
		{"https://ci.example.com", []oidc.Rule{rule("shop", provider.Push, "owner", "a")}, ""},
	} {
		i := oidc.Issuer{Name: "ci", Issuer: test.issuer, Audience: audience, Rules: test.rules, Exclusive: test.issuer == kubernetes}
		if err := i.Validate(); err != nil {
			require.ErrorContains(t, err, test.want, n)
			continue
		}
		warnings := i.Warnings()
		if i.Exclusive {
			warnings = warnings[1:]
		}
		if test.want == "" {
			require.Empty(t, warnings, n)
			continue
		}
		require.Len(t, warnings, 1, n)
		require.Contains(t, warnings[0], test.want, n)
		require.True(t, strings.HasPrefix(warnings[0], "ci: rules["), n)
	}

	// However many rules meet, each is named once.
	many := oidc.Issuer{Name: "ci", Issuer: github, Audience: audience}
	for n := range 300 {
		many.Rules = append(many.Rules, rule("{repository}", 0, "repository_owner_id", strconv.Itoa(n)))
	}
	require.NoError(t, many.Validate())
	require.Len(t, many.Warnings(), 299)
}
