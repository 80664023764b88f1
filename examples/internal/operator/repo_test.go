package operator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

const managedConfig = `
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: "${PUSH_ROLE}"
  access_key_id: "${KEY_ID}"
  secret_access_key: "${KEY}"
  installation: prod
  auto_remove: true
`

func TestRepo(t *testing.T) {
	server := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(server.Close)
	d := server.Setup(ecrtest.SetupOptions{AutoRemove: true})
	t.Setenv("AWS_ENDPOINT_URL", server.URL) // which the SDK reads; hence not parallel
	files := map[string]string{"development.yaml": managedConfig}
	variables := map[string]string{"PUSH_ROLE": d.PushRoleARN, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	succeeds := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := operator(t, files, variables, append([]string{"repo"}, args...)...)
		require.Zero(t, code, stderr)
		require.Empty(t, stderr)
		require.Equal(t, want, stdout)
	}
	fails := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := operator(t, files, variables, append([]string{"repo"}, args...)...)
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, want)
	}
	succeeds("rise/hello: create\n", "ensure", "hello", "--id", "p-1", "--dry-run")
	succeeds("rise/hello: create\n", "ensure", "hello", "--id", "p-1")
	succeeds("rise/hello: nothing to do\n", "ensure", "hello")
	succeeds("rise/hello: suspend\n", "suspend", "hello")
	_, listed, _ := operator(t, files, variables, "repo", "list", "--owners")
	require.Regexp(t, `^hello\trise/hello\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\tas configured\tsuspended\n$`, listed)
	succeeds("rise/hello: unsuspend\n", "suspend", "hello", "--lift")
	fails("belongs to a project of the same name with another id", "release", "hello", "--id", "p-2")
	succeeds("rise/hello: release\n", "release", "hello", "--id", "p-1")
	fails("ensure repository for project hello: orphaned: repository rise/hello was released, by a project that isn't known to be this one",
		"ensure", "hello", "--id", "p-2")
	succeeds("rise/hello: restore\n", "restore", "hello")
	succeeds("rise/hello: release\n", "release", "hello")
	succeeds("", "purge", "--older-than", "24h")
	fails("the age must be at least that for which released repositories are kept, 24h0m0s", "purge", "--older-than", "1h")
	long := time.Now().Add(-800 * time.Hour)
	server.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
		r.CreatedAt, r.Tags["rise:orphaned-at"] = long, long.UTC().Format(time.RFC3339)
	})
	succeeds("rise/hello: remove\n", "purge", "--older-than", "720h")
	succeeds("", "list")
	server.CreateRepository(ecrtest.Repository{Name: "rise/old", Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`})
	fails("not ours: repository rise/old isn't ours: it isn't tagged rise:managed=true", "ensure", "old")
	fails("lets in *", "adopt", "old")
	succeeds("rise/old: adopt\n", "adopt", "old", "--force")
	fails("for project none: not found", "adopt", "none")

	files["development.yaml"] = strings.Replace(managedConfig, "installation: prod", "installation: ''", 1)
	fails("installation isn't configured", "purge", "--older-than", "720h")
}

// With a clock that is off, what takes nothing away works, and the rest says why not.
func TestRepoClockOff(t *testing.T) {
	const ahead = 26 * time.Hour
	server := ecrtest.NewServer(ecrtest.Config{ClockOffset: -ahead})
	t.Cleanup(server.Close)
	d := server.Setup(ecrtest.SetupOptions{AutoRemove: true})
	t.Setenv("AWS_ENDPOINT_URL", server.URL) // which the SDK reads; hence not parallel
	variables := map[string]string{"PUSH_ROLE": d.PushRoleARN, "KEY_ID": d.ControllerUser.ID, "KEY": d.ControllerUser.Secret}
	run := func(args ...string) (int, string, string) {
		return operator(t, map[string]string{"development.yaml": managedConfig}, variables, args...)
	}
	code, stdout, stderr := run("repo", "ensure", "hello")
	require.Zero(t, code, stderr)
	require.Equal(t, "rise/hello: create\n", stdout)
	code, stdout, stderr = run("credentials", "hello")
	require.Zero(t, code, stderr)
	require.Regexp(t, `"expires_in": ?(3600|359[0-9])`, stdout)
	server.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { // by AWS's clock; by this machine's 27 hours
		r.CreatedAt = time.Now().Add(-800 * time.Hour)
		r.Tags["rise:orphaned"], r.Tags["rise:orphaned-at"] = "true", time.Now().Add(-ahead-time.Hour).UTC().Format(time.RFC3339)
	})
	for _, args := range [][]string{{"purge", "--older-than", "24h"}, {"release", "hello"}} {
		code, stdout, stderr = run(append([]string{"repo"}, args...)...)
		require.Equal(t, 1, code)
		require.Empty(t, stdout)
		require.Regexp(t, `this machine's clock is off: (26h0m[0-9]s|25h59m5[0-9]s) ahead of AWS's`, stderr)
	}
	_, ok := server.Repository("rise/hello")
	require.True(t, ok)
}

func TestRepoOnPush(t *testing.T) {
	t.Parallel()
	code, _, stderr := operator(t, nil, nil, "repo", "ensure", "hello")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "its repositories appear when an image is pushed to them")
}
