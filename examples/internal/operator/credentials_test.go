package operator_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// double is an account with the configuration in text, for commands that call AWS.
func double(t *testing.T) (*ecrtest.Server, ecrtest.Deployment, func(text string, args ...string) (int, string, string)) {
	t.Helper()
	aws := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(aws.Close)
	d := aws.Setup(ecrtest.SetupOptions{})
	t.Setenv("AWS_ENDPOINT_URL", aws.URL) // which the SDK reads; hence not parallel
	variables := map[string]string{"PUSH_ROLE": d.PushRoleARN, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	return aws, d, func(text string, args ...string) (int, string, string) {
		return operator(t, map[string]string{"development.yaml": managedConfig + text}, variables, args...)
	}
}

// namedID is the id that the session's policy of the only session names.
func namedID(t *testing.T, aws *ecrtest.Server) string {
	t.Helper()
	for _, c := range aws.Calls() {
		if c.Name() == "sts:AssumeRole" {
			_, id, _ := strings.Cut(c.Form.Get("Policy"), `"StringNotEquals":{"aws:ResourceTag/rise:project-id":"`)
			id, _, _ = strings.Cut(id, `"`)
			return id
		}
	}
	t.Fatal("no session")
	return ""
}

// A credential that is worth nothing is printed all the same, as the endpoint would; what it lacks is said beside it.
func TestCredentialsStanding(t *testing.T) {
	const otherwise = "note: the endpoint answers the same, unless it makes repositories (server.ensure_repositories, endpoint.WithRepositories): then "
	aws, d, run := double(t)
	for name, tt := range map[string]struct {
		tags map[string]string // nil: there is no repository
		args []string
		id   string
		says []string
	}{
		"missing":             {nil, nil, "", []string{"there is no repository of project hello: the credential works once there is", otherwise + "it may make the repository before it answers"}},
		"missing, with an id": {nil, []string{"--id", "p-1"}, "p-1", []string{"there is no repository of project hello"}},
		"alive":               {map[string]string{}, nil, "", nil},
		"of an id":            {map[string]string{"rise:project-id": "p-1"}, nil, "p-1", nil},
		"of that id":          {map[string]string{"rise:project-id": "p-1"}, []string{"--id", "p-1", "--access", "pull"}, "p-1", nil},
		"of no id":            {map[string]string{}, []string{"--id", "p-1"}, "p-1", nil},
		"of another id": {map[string]string{"rise:project-id": "p-1"}, []string{"--id", "p-2"}, "p-2",
			[]string{"the repository of project hello is another id's: the credential doesn't work with it", otherwise + "it answers 409 (conflict)"}},
		"of what is no id":     {map[string]string{"rise:project-id": "p 1"}, nil, "", nil},
		"suspended":            {map[string]string{"rise:suspended": "true"}, nil, "", []string{"is suspended: no credential works with it", otherwise + "it answers 409 (conflict)"}},
		"orphaned":             {map[string]string{"rise:orphaned": "true"}, nil, "", []string{"is orphaned: it was released, and no credential works with it", otherwise + "it answers 409 (conflict)"}},
		"orphaned, with an id": {map[string]string{"rise:orphaned": "true", "rise:project-id": "p-1"}, nil, "p-1", []string{"is orphaned", otherwise + "it restores the repository, for the id that released it alone, and else answers 409 (conflict)"}},
		"another's":            {map[string]string{"rise:installation": "staging"}, nil, "", []string{"isn't ours (its tag rise:installation names another installation): the credential may not work with it", otherwise + "it answers 409 (conflict)"}},
	} {
		if _, ok := aws.Repository("rise/hello"); ok {
			aws.DeleteRepository("rise/hello")
		}
		if tt.tags != nil {
			r := d.Repository("hello")
			maps.Copy(r.Tags, tt.tags)
			aws.CreateRepository(r)
		}
		aws.ResetCalls()
		code, stdout, stderr := run("", append([]string{"credentials", "hello"}, tt.args...)...)
		require.Zero(t, code, "%s: %s", name, stderr)
		require.Contains(t, stdout, `"auth_method":"login_credentials"},"repository":"hello"}`, name)
		require.Equal(t, 1, strings.Count(stdout, "\n"), name)
		require.Equal(t, tt.id, namedID(t, aws), name)
		for _, text := range tt.says {
			require.Contains(t, stderr, text, name)
		}
		if tt.says == nil {
			require.Empty(t, stderr, name)
		}
	}

	aws.Inject(ecrtest.Fault{Action: "ecr:ListTagsForResource", Error: "AccessDeniedException"})
	code, stdout, stderr := run("", "credentials", "hello")
	require.Zero(t, code, stderr)
	require.NotEmpty(t, stdout)
	require.Contains(t, stderr, "note: whether the repository of project hello can be used isn't known: ")
	require.NotContains(t, stderr, d.ControllerUser.Secret)
}

// With project_ids, the id comes from the flag or the repository's tag, or there is no credential.
func TestCredentialsOfIDs(t *testing.T) {
	const ids = "  project_ids: true\n"
	aws, _, run := double(t)
	code, stdout, stderr := run(ids, "credentials", "hello")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "the project's id is missing")
	require.Contains(t, stderr, "--id")
	code, _, stderr = run(ids, "credentials", "hello", "--id", "p *")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "a project id is at most 128 characters")
	code, _, stderr = run(ids, "credentials", "hello", "--id", "p-1")
	require.Zero(t, code, stderr)

	code, _, stderr = run(ids, "repo", "ensure", "hello")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "the project's id is missing")
	code, _, stderr = run(ids, "repo", "ensure", "hello", "--id", "p-1")
	require.Zero(t, code, stderr)
	aws.ResetCalls()
	code, _, stderr = run(ids, "credentials", "hello")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	require.Equal(t, "p-1", namedID(t, aws))

	code, stdout, stderr = run(ids, "policies", "session")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"aws:ResourceTag/rise:project-id": "hello-id"`)

	registry := "  registry_host: " + aws.RegistryHost + "\n"
	for _, args := range [][]string{{"hello"}, {"hello", "--id", "p-1"}} {
		aws.ResetCalls()
		code, stdout, stderr = run(ids+registry, append([]string{"diagnose"}, args...)...)
		require.Zero(t, code, stdout+stderr)
		require.Contains(t, stdout, "✓ repository ")
		require.Contains(t, stdout, "✓ repository_access ")
		require.Equal(t, "p-1", namedID(t, aws), "the session is one for the id")
	}
	code, stdout, stderr = run(ids+registry, "diagnose", "hello", "--id", "p-2")
	require.Equal(t, 1, code)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "\n1 failed: repository")
	require.Contains(t, stdout, "of a project of the same name with another id")
	code, _, stderr = run(ids+registry, "diagnose", "--id", "p-2")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "an id need a project")

	aws.UpdateUser("rise-backend", func(u *ecrtest.User) { u.Policies = nil }) // the id can't be read: the diagnosis says why
	code, stdout, stderr = run(ids+registry, "diagnose", "hello")
	require.Equal(t, 1, code)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "\n1 failed: repository")
	require.Contains(t, stdout, "✓ push_role ")
	require.NotContains(t, stdout, "id is missing")
}

func TestCheckConfigWarns(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"PUSH_ROLE": "arn:aws:iam::123456789012:role/push", "KEY_ID": "AKIAEXAMPLE", "KEY": "hunter2-key"}
	check := func(text string) (int, string, string) {
		return operator(t, map[string]string{"development.yaml": managedConfig + text}, variables, "check-config")
	}
	code, stdout, stderr := check("  remove_after: 0s\n")
	require.Zero(t, code)
	require.Contains(t, stdout, "  remove_after: 0s\n")
	require.Contains(t, stderr, "warning: registry.remove_after: with 0s, whoever still holds a former project's token can, for up to 12h, write into")
	require.True(t, strings.HasSuffix(stderr, "\nok: the configuration is valid, of type ecr, with 1 warning\n"), stderr)
	for _, text := range []string{"", "  remove_after: 12h\n", "  remove_after: 0s\n  project_ids: true\n", "  remove_after: 1h\n  project_ids: true\n"} {
		code, _, stderr = check(text)
		require.Zero(t, code, stderr)
		require.Equal(t, "ok: the configuration is valid, of type ecr\n", stderr)
	}
	code, stdout, stderr = check("  remove_after: 1h\n")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "registry.remove_after: must be at least 12h without project_ids: tokens live that long")
}
