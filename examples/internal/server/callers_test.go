//go:build unix

package server_test

import (
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

// page is one of docs/callers: whose tokens it is about, in the form that their issuer's documentation gives them, and who gets what by the page's rules.
type page struct {
	algorithm jose.SignatureAlgorithm
	// claims are those of a token of the page's job, which may push the project shop.
	claims object
	// others are tokens that differ from it in some claims, and the statuses that they get when they ask to push and to pull shop.
	others map[string]other
}

type other struct {
	changes    object
	push, pull int
}

type object = map[string]any

// pages are those of docs/callers, by name.
func pages() map[string]page {
	const ok, absent, refused = http.StatusOK, http.StatusNotFound, http.StatusUnauthorized
	const awsClaim = "https://sts.amazonaws.com/"
	return map[string]page{
		"github-actions": {
			algorithm: jose.RS256,
			claims: object{
				"sub": "repo:octo-org@1234/shop@5678:ref:refs/heads/main", "jti": "f2a4e1f0-7b6e-4c53-9a3c-1d2f6a1b9e11", "nbf": -600, "actor": "octocat", "actor_id": "12", "base_ref": "", "head_ref": "",
				"check_run_id": "47211382571", "event_name": "push", "job_workflow_ref": "octo-org/shop/.github/workflows/push.yml@refs/heads/main",
				"job_workflow_sha": "c9ed89cf4dacf01feb527c42a26e0a8920d14c61", "ref": "refs/heads/main", "ref_protected": "true", "ref_type": "branch", "repository": "octo-org/shop",
				"repository_id": "5678", "repository_owner": "octo-org", "repository_owner_id": "1234", "repository_visibility": "private", "run_attempt": "1", "run_id": "22259804324",
				"run_number": "42", "runner_environment": "github-hosted", "sha": "c040cae0f0dc81641728557b80f09cfa23b83fe5", "workflow": "push",
				"workflow_ref": "octo-org/shop/.github/workflows/push.yml@refs/heads/main", "workflow_sha": "c040cae0f0dc81641728557b80f09cfa23b83fe5", "repo_property_team": "shop",
			},
			others: map[string]other{
				"subject without ids":          {object{"sub": "repo:octo-org/shop:ref:refs/heads/main"}, ok, ok},
				"organization, renamed":        {object{"sub": "repo:new@1234/shop@5678:ref:refs/heads/main", "repository": "new/shop", "repository_owner": "new"}, ok, ok},
				"names, registered again":      {object{"sub": "repo:octo-org/shop:ref:refs/heads/main", "repository_id": "7777", "repository_owner_id": "6666"}, refused, refused},
				"fork":                         {object{"sub": "repo:evil@6666/shop@7777:ref:refs/heads/main", "repository": "evil/shop", "repository_owner": "evil", "repository_id": "7777", "repository_owner_id": "6666"}, refused, refused},
				"repository, transferred":      {object{"repository": "evil/shop", "repository_owner": "evil", "repository_owner_id": "6666"}, refused, refused},
				"another of the organization":  {object{"repository": "octo-org/web", "repository_id": "5679"}, refused, refused},
				"repository, made again":       {object{"repository_id": "5680"}, refused, refused},
				"branch":                       {object{"ref": "refs/heads/evil"}, absent, ok},
				"branch called refs/heads":     {object{"ref": "refs/heads/refs/heads/main"}, absent, ok},
				"tag called main":              {object{"ref": "refs/tags/main", "ref_type": "tag"}, absent, ok},
				"pull request from inside":     {object{"ref": "refs/pull/1/merge", "event_name": "pull_request", "head_ref": "main", "base_ref": "main"}, absent, ok},
				"pull_request_target":          {object{"event_name": "pull_request_target", "head_ref": "main", "base_ref": "main"}, absent, ok},
				"by hand":                      {object{"event_name": "workflow_dispatch"}, absent, ok},
				"for the default audience":     {object{"aud": "https://github.com/octo-org"}, refused, refused},
				"for another service":          {object{"aud": "sts.amazonaws.com"}, refused, refused},
				"of an enterprise's issuer":    {object{"iss": "https://token.actions.githubusercontent.com/octocat-inc"}, refused, refused},
				"ended":                        {object{"iat": -400, "nbf": -400, "exp": -100}, refused, refused},
				"ids among claims of others":   {object{"repository_id": nil, "repo_property_repository_id": "5678"}, refused, refused},
				"ids that only begin the same": {object{"repository_owner_id": "12345"}, refused, refused},
			},
		},
		"gitlab-ci": {
			algorithm: jose.RS256,
			claims: object{
				"sub": "project_path:my-group/apps/shop:ref_type:branch:ref:main", "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "nbf": -5, "exp": 3600, "namespace_id": "72", "namespace_path": "my-group/apps",
				"project_id": "20", "project_path": "my-group/apps/shop", "user_id": "1", "user_login": "sample-user", "user_email": "sample-user@example.com", "user_access_level": "maintainer",
				"user_identities": []object{{"provider": "github", "extern_uid": "2435223452345"}, {"provider": "bitbucket", "extern_uid": "john.smith"}},
				"job_project_id":  "20", "job_project_path": "my-group/apps/shop", "job_namespace_id": "72", "job_namespace_path": "my-group/apps", "pipeline_id": "574", "pipeline_source": "push",
				"job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true", "groups_direct": []string{"mygroup/mysubgroup", "myothergroup/myothersubgroup"},
				"environment": "production", "environment_protected": "false", "deployment_tier": "production", "environment_action": "start", "runner_id": 1, "runner_environment": "gitlab-hosted",
				"sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "private", "ci_config_ref_uri": "gitlab.com/my-group/apps/shop//.gitlab-ci.yml@refs/heads/main",
				"ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
			},
			others: map[string]other{
				"group, renamed":             {object{"namespace_path": "new/apps", "project_path": "new/apps/shop", "sub": "project_path:new/apps/shop:ref_type:branch:ref:main"}, ok, ok},
				"paths, registered again":    {object{"namespace_id": "99", "project_id": "4242"}, refused, refused},
				"project, transferred":       {object{"namespace_id": "99", "namespace_path": "evil", "project_path": "evil/shop"}, refused, refused},
				"fork's merge request":       {object{"namespace_id": "99", "namespace_path": "evil", "project_id": "4242", "project_path": "evil/shop", "pipeline_source": "merge_request_event"}, refused, refused},
				"project of a subgroup":      {object{"namespace_id": "73", "namespace_path": "my-group/apps/team", "project_id": "21", "project_path": "my-group/apps/team/shop"}, refused, refused},
				"project of the group above": {object{"namespace_id": "71", "namespace_path": "my-group", "project_id": "22", "project_path": "my-group/shop"}, refused, refused},
				"another of the group":       {object{"project_id": "23", "project_path": "my-group/apps/web"}, refused, refused},
				"branch, not protected":      {object{"ref": "evil", "ref_path": "refs/heads/evil", "ref_protected": "false"}, absent, ok},
				"main, no longer protected":  {object{"ref_protected": "false"}, absent, ok},
				"tag called main":            {object{"ref_type": "tag", "ref_path": "refs/tags/main"}, absent, ok},
				"branch, protected":          {object{"ref": "release", "ref_path": "refs/heads/release"}, absent, ok},
				"for the default audience":   {object{"aud": "https://gitlab.com"}, refused, refused},
				"of another instance":        {object{"iss": "https://gitlab.example.com"}, refused, refused},
			},
		},
		"buildkite": {
			algorithm: jose.RS256,
			claims: object{
				"sub":               "organization:acme-inc:pipeline:shop:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:push",
				"organization_slug": "acme-inc", "organization_id": "0184990a-477b-4fa8-9968-496074483c77", "pipeline_slug": "shop", "pipeline_id": "0184990a-4782-42b5-afc1-16715b10b1a0",
				"build_number": 1, "build_branch": "main", "build_commit": "9f3182061f1e2cca4702c368cbc039b7dc9d4485", "step_key": "push", "job_id": "0184990a-477b-4fa8-9968-496074483cee",
				"agent_id": "0184990a-4782-42b5-afc1-16715b10b8ff", "build_source": "webhook", "runner_environment": "self-hosted",
			},
			others: map[string]other{
				"subject is the pipeline's id": {object{"sub": "0184990a-4782-42b5-afc1-16715b10b1a0"}, ok, ok},
				"organization, renamed":        {object{"organization_slug": "acme"}, ok, ok},
				"no key":                       {object{"step_key": jsonNull{}}, ok, ok},
				"ids, not asked for":           {object{"organization_id": nil, "pipeline_id": nil}, refused, refused},
				"slugs, registered again":      {object{"organization_id": "0184990a-0000-4fa8-9968-000000000001", "pipeline_id": "0184990a-0000-4fa8-9968-000000000002"}, refused, refused},
				"another pipeline":             {object{"pipeline_slug": "web", "pipeline_id": "0184990a-0000-4fa8-9968-000000000002"}, refused, refused},
				"ids of another case":          {object{"organization_id": "0184990A-477B-4FA8-9968-496074483C77"}, refused, refused},
				"branch":                       {object{"build_branch": "evil"}, absent, ok},
				"main of a fork, prefixed":     {object{"build_branch": "mallory:main"}, absent, ok},
				"main by hand":                 {object{"build_source": "ui"}, absent, ok},
				"main by another pipeline":     {object{"build_source": "trigger_job"}, absent, ok},
				"tag called main":              {object{"build_tag": "main"}, ok, ok}, // as the page says: nothing tells it from the branch
				"for the default audience":     {object{"aud": "https://buildkite.com/acme-inc"}, refused, refused},
			},
		},
		"kubernetes": {
			algorithm: jose.RS256,
			claims: object{
				"aud": []string{"https://rise.example.com"}, "sub": "system:serviceaccount:shop:pusher", "jti": "e51f1fbc-4733-4b85-a59f-ba80c0523874",
				"kubernetes.io": object{
					"namespace": "shop", "node": object{"name": "worker", "uid": "517eb86e-b863-451b-bf70-86cb61439a3a"},
					"pod":            object{"name": "push", "uid": "0d8b260e-ef0e-45fb-be8e-ff44f97722e8"},
					"serviceaccount": object{"name": "pusher", "uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d"},
				},
			},
			others: map[string]other{
				"no node":                     {object{"kubernetes.io": object{"node": nil}}, ok, ok},
				"audience as a text":          {object{"aud": "https://rise.example.com"}, ok, ok},
				"another service account":     {object{"sub": "system:serviceaccount:shop:default", "kubernetes.io": object{"serviceaccount": object{"name": "default", "uid": "1"}}}, absent, ok},
				"service account, made again": {object{"kubernetes.io": object{"serviceaccount": object{"uid": "e6a8680e-0000-4cce-80ea-03acbbeacf7d"}}}, absent, ok},
				"namespace of a tenant":       {object{"sub": "system:serviceaccount:evil:pusher", "kubernetes.io": object{"namespace": "evil"}}, absent, absent},
				"namespace called shop-x":     {object{"sub": "system:serviceaccount:shop-x:pusher", "kubernetes.io": object{"namespace": "shop-x"}}, absent, absent},
				"namespace beside the object": {object{"kubernetes.io": object{"namespace": "evil"}, "kubernetes.io.namespace": "shop", "namespace": "shop"}, absent, absent},
				"namespace that is a path":    {object{"kubernetes.io": object{"namespace": "evil/shop"}}, absent, absent},
				"another cluster's":           {object{"iss": "https://kubernetes.default.svc"}, refused, refused},
				"for the API server":          {object{"aud": []string{"https://kubernetes.default.svc.cluster.local"}}, refused, refused},
				"for both":                    {object{"aud": []string{"https://rise.example.com", "https://kubernetes.default.svc.cluster.local"}}, refused, refused},
				"for a year":                  {object{"exp": 365 * 24 * 3600}, refused, refused},
				"of a Secret": {object{
					"iss": "kubernetes/serviceaccount", "aud": nil, "exp": nil, "iat": nil, "nbf": nil, "kubernetes.io": nil, "kubernetes.io/serviceaccount/namespace": "shop",
					"kubernetes.io/serviceaccount/service-account.name": "pusher", "kubernetes.io/serviceaccount/service-account.uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d",
				}, refused, refused},
			},
		},
		"aws": {
			algorithm: jose.ES384,
			claims: object{
				"sub": "arn:aws:iam::123456789012:role/shop-ci", "jti": "xyz123-def456-ghi789-jkl012", "nbf": nil,
				awsClaim: object{
					"aws_account": "123456789012", "source_region": "us-east-1", "org_id": "o-abc1234567", "ou_path": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/",
					"principal_tags":             object{"environment": "production", "team": "data-engineering", "cost-center": "engineering"},
					"lambda_source_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:process-data",
					"request_tags":               object{"job-id": "job-2024-001", "priority": "high", "data-classification": "sensitive"},
				},
			},
			others: map[string]other{
				"on EC2":                   {object{awsClaim: object{"lambda_source_function_arn": nil, "ec2_source_instance_arn": "arn:aws:ec2:us-east-1:123456789012:instance/i-abc123"}}, ok, ok},
				"another role":             {object{"sub": "arn:aws:iam::123456789012:role/other"}, refused, refused},
				"another role, tagged":     {object{"sub": "arn:aws:iam::123456789012:role/other", awsClaim: object{"principal_tags": object{"team": "shop"}}}, absent, ok},
				"tag that the caller adds": {object{"sub": "arn:aws:iam::123456789012:role/other", awsClaim: object{"request_tags": object{"team": "shop", "principal_tags/team": "shop"}}}, refused, refused},
				"role of the same name":    {object{"sub": "arn:aws:iam::666666666666:role/shop-ci", awsClaim: object{"aws_account": "666666666666", "principal_tags": object{"team": "shop"}}}, refused, refused},
				"role with a path":         {object{"sub": "arn:aws:iam::123456789012:role/evil/shop-ci"}, refused, refused},
				"user of the same name":    {object{"sub": "arn:aws:iam::123456789012:user/shop-ci"}, refused, refused},
				"another account's issuer": {object{"iss": "https://zzz123-def456-ghi789-jkl012.tokens.sts.global.api.aws"}, refused, refused},
				"for several":              {object{"aud": []string{"https://rise.example.com", "https://api.example.com"}}, refused, refused},
				"for AWS":                  {object{"aud": "sts.amazonaws.com"}, refused, refused},
			},
		},
	}
}

// jsonNull is a claim that is there, and null.
type jsonNull struct{}

func (jsonNull) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// changed is base with changes: objects are changed inside, nil removes.
func changed(base, changes object) object {
	all := maps.Clone(base)
	for key, value := range changes {
		inner, isObject := value.(object)
		old, wasObject := all[key].(object)
		switch {
		case value == nil:
			delete(all, key)
		case isObject && wasObject:
			all[key] = changed(old, inner)
		default:
			all[key] = value
		}
	}
	return all
}

// servedPage is a page's service, with its configuration as the page has it, but for addresses, and with what signs the tokens of its issuer.
type servedPage struct {
	*running
	page
	name     string
	here     *strings.Replacer // puts this test's addresses in the place of the page's
	registry string
	audience string
	dir      string // for what jobs need
	issuer   signer
	changes  atomic.Pointer[object] // to what the platform says of the job
	runs     atomic.Int32           // of its scripts
}

var issuerLine = regexp.MustCompile(`(?m)^( *)issuer: (\S+).*$`)

// serve starts the page's service.
//
// Of the page's configuration only addresses and paths are replaced, and the issuer's keys come from a file, so that its rules are checked as those of the real issuer are. A cluster's keys come
// from where the page says.
func (p page) serve(t *testing.T, name string) *servedPage {
	t.Helper()
	s := &servedPage{page: p, name: name, dir: t.TempDir(), registry: realtest.FreeAddress(t)}
	listen := realtest.FreeAddress(t)
	s.audience = "http://" + listen
	config := s.blocks(t, "yaml", "auth:\n")[0]
	asItStands, found := config, issuerLine.FindStringSubmatch(config)
	require.NotNil(t, found, name)
	s.issuer = newSigner(t, found[2], p.algorithm)
	replaced := []string{"https://rise.example.com", s.audience, "registry.example.com", s.registry}
	if name == "kubernetes" {
		replaced = append(replaced, s.cluster(t)...)
	} else {
		keys := filepath.Join(s.dir, "jwks.json")
		require.NoError(t, os.WriteFile(keys, s.issuer.keySet(t), 0o600))
		config = issuerLine.ReplaceAllString(config, "$0\n${1}jwks_file: "+keys)
	}
	s.here = strings.NewReplacer(replaced...)
	var alone struct {
		Auth struct {
			OIDC []oidc.Issuer `yaml:"oidc"`
		} `yaml:"auth"`
	}
	require.NoError(t, files(t, map[string]string{"development.yaml": asItStands}).Load(&alone))
	_, err := oidc.New(alone.Auth.OIDC, slog.New(slog.DiscardHandler))
	require.NoError(t, err, "as it stands")
	s.running = start(t, files(t, map[string]string{
		"development.yaml": fmt.Sprintf("server: {listen: %q}\nembedded_registry: {listen: %q}\nregistry: {type: oci-token-issuer, registry_url: %q}\n", listen, s.registry, s.registry),
		"local.yaml":       s.here.Replace(config),
	}))
	return s
}

// cluster is an API server that gives its keys to its own service accounts alone. It returns what stands for it in the page.
func (s *servedPage) cluster(t *testing.T) (replaced []string) {
	t.Helper()
	const own = "the-service's-own-service-account"
	account := filepath.Join(s.dir, "serviceaccount")
	api, ca := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openid/v1/jwks" || r.Header.Get("Authorization") != "Bearer "+own {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write(s.issuer.keySet(t))
	})
	require.NoError(t, os.Mkdir(account, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(account, "ca.crt"), ca, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(account, "token"), []byte(own), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "rise"), 0o700))
	return []string{
		"https://kubernetes.default.svc/", api + "/", "/var/run/secrets/kubernetes.io/serviceaccount", account, "/var/run/secrets/rise", filepath.Join(s.dir, "rise"),
	}
}

// blocks are the page's blocks in a language whose text begins so.
func (s *servedPage) blocks(t *testing.T, language, begins string) (texts []string) {
	t.Helper()
	for _, b := range blocksOf(t, "../../../docs/callers/"+s.name+".md") {
		if b.language == language && strings.HasPrefix(b.text, begins) {
			texts = append(texts, b.text)
		}
	}
	require.NotEmpty(t, texts, "%s: %s", s.name, begins)
	return texts
}

// token is one of the job's, but for changes. Times are in seconds from now.
func (s *servedPage) token(t *testing.T, changes object) string {
	t.Helper()
	now := time.Now().Unix()
	claims := changed(changed(object{"iss": s.issuer.url, "aud": "https://rise.example.com", "iat": 0, "nbf": 0, "exp": 300}, s.claims), changes)
	for _, key := range []string{"iat", "nbf", "exp"} {
		if at, ok := claims[key].(int); ok {
			claims[key] = now + int64(at)
		}
	}
	switch aud := claims["aud"].(type) {
	case string:
		claims["aud"] = s.here.Replace(aud)
	case []string:
		texts := make([]string, len(aud))
		for i := range aud {
			texts[i] = s.here.Replace(aud[i])
		}
		claims["aud"] = texts
	}
	return s.issuer.sign(t, claims)
}

// What the pages' rules give whom: the job, and tokens that look like its.
func TestCallersTokens(t *testing.T) {
	t.Parallel()
	var all []string
	for name := range pages() {
		all = append(all, name+".md")
	}
	written, err := fs.Glob(os.DirFS("../../../docs/callers"), "*.md")
	require.NoError(t, err)
	require.ElementsMatch(t, append(all, "README.md"), written)
	for name, p := range pages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := p.serve(t, name)
			ask := func(who, token string, push, pull int) {
				t.Helper()
				for query, want := range map[string]int{"project=shop": push, "project=shop&access=pull": pull} {
					status, _, _ := s.ask(t, token, query) // the body may be a credential
					require.Equal(t, want, status, "%s, %s", who, query)
				}
				for _, query := range []string{"project=other", "project=other&access=pull"} {
					status, _, _ := s.ask(t, token, query)
					require.NotEqual(t, http.StatusOK, status, "%s, %s", who, query)
				}
			}
			job := s.token(t, nil)
			ask("the job", job, http.StatusOK, http.StatusOK)
			for who, o := range s.others {
				ask(who, s.token(t, o.changes), o.push, o.pull)
			}
			s.issuer.key = newSigner(t, s.issuer.url, s.algorithm).key
			ask("signed by a stranger", s.token(t, nil), http.StatusUnauthorized, http.StatusUnauthorized)
			require.NotContains(t, s.output.String(), job[strings.LastIndex(job, "."):])
		})
	}
}
