package server_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
)

const monitoring = "../../../docs/monitoring"

// scrape returns what the server exports.
func (s *running) scrape(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.url, server.CredentialsPath)+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read
	require.Equal(t, http.StatusOK, resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// busy is a server that has answered all kinds of requests, and the passwords that it handed out.
func busy(t *testing.T) (*running, []string) {
	t.Helper()
	s := startECRLocal(t)
	var passwords []string
	for _, query := range []string{"project=hello", "project=hello", "project=hello&access=pull", "project=brand-new"} {
		status, body, c := s.ask(t, "rise-dev-token", query)
		require.Equal(t, http.StatusOK, status, body)
		passwords = append(passwords, c.Password)
	}
	s.ask(t, "rise-dev-token", "project=--")
	s.ask(t, "guess", "project=hello")
	return s, passwords
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s, passwords := busy(t)
	text := s.scrape(t)
	for _, line := range []string{
		`rise_registry_requests_total{access="push",code="",consumer="client",outcome="issued",provider="ecr"} 3`,
		`rise_registry_requests_total{access="pull",code="",consumer="client",outcome="issued",provider="ecr"} 1`,
		`rise_registry_requests_total{access="",code="invalid_request",consumer="",outcome="refused",provider="ecr"} 1`,
		`rise_registry_requests_total{access="",code="unauthenticated",consumer="",outcome="refused",provider="ecr"} 1`,
		`rise_registry_requests_total{access="push",code="upstream_denied",consumer="client",outcome="failed",provider="ecr"} 0`,
		`rise_registry_request_duration_seconds_count{outcome="issued"} 4`,
		`rise_registry_upstream_attempts_total{code="ok",operation="AssumeRole",service="STS"} 3`,
		`rise_registry_upstream_attempts_total{code="ok",operation="GetAuthorizationToken",service="ECR"} 3`,
		`rise_registry_upstream_attempts_total{code="ok",operation="CreateRepository",service="ECR"} 1`,
		`rise_registry_upstream_attempts_total{code="RepositoryNotFoundException",operation="DescribeRepositories",service="ECR"} 1`,
		`rise_registry_upstream_attempt_duration_seconds_count{operation="AssumeRole",service="STS"} 3`,
		`rise_registry_cache_requests_total{result="hit"} 1`,
		`rise_registry_cache_requests_total{result="miss"} 3`,
		"rise_registry_cache_entries 3",
		"rise_registry_cache_failures_total 0",
	} {
		require.Contains(t, text, line+"\n")
	}
	require.Regexp(t, `(?m)^rise_registry_build_info\{goversion="go1\.[^"]+",revision="[^"]+",version="[^"]+"\} 1$`, text)
	require.Regexp(t, `(?m)^rise_registry_cache_earliest_expiry_seconds 3[0-9.e+]+$`, text)
	require.NotContains(t, s.output.String(), "names another image registry", "a newcomer has nothing to worry about")
	require.Regexp(t, `(?m)^go_goroutines \d`, text)
	for _, secret := range append(passwords, "rise-dev-token", "guess") {
		require.NotContains(t, text, secret)
	}
	for _, name := range []string{"hello", "brand-new", "developer", "rise/"} {
		require.NotContains(t, text, name, "no project and no caller is a label")
	}
}

// A service that has no cache and no AWS exports the rest.
func TestMetricsOfOCI(t *testing.T) {
	t.Parallel()
	s := start(t, files(t, map[string]string{"development.yaml": ociConfig("127.0.0.1:5000") + "\n"}))
	s.issue(t, "ci-token-of-hello")
	require.Contains(t, s.scrape(t), `rise_registry_requests_total{access="push",code="",consumer="client",outcome="issued",provider="oci-client-auth"} 1`)
}

var metricName = regexp.MustCompile(`\brise_registry_[a-z_]+`)

// Dashboard and rules name metrics that there are.
func TestMonitoringNames(t *testing.T) {
	t.Parallel()
	s, _ := busy(t)
	issuer, _ := startDevelopment(t)
	issuer.exchange(t, "guess")
	text := s.scrape(t) + issuer.scrape(t) + scrapeOverTLS(t)
	for _, file := range []string{"grafana-dashboard.json", "alerts.yaml", "../performance.md", "../operators-guide.md"} {
		content, err := os.ReadFile(filepath.Join(monitoring, file))
		require.NoError(t, err)
		names := metricName.FindAllString(string(content), -1)
		if strings.HasSuffix(file, ".json") {
			require.True(t, json.Valid(content))
		}
		require.NotEmpty(t, names, file)
		for _, name := range names {
			require.True(t, regexp.MustCompile(`(?m)^`+name+`(_count)?[{ ]`).MatchString(text), "%s names %s", file, name)
		}
	}
}

// scrapeOverTLS is what a server with a certificate exports.
func scrapeOverTLS(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	pool := certificate(t, dir)
	s := start(t, files(t, map[string]string{"development.yaml": withTLS(dir)}))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	status, text := get(t, client, strings.TrimSuffix(s.url, server.CredentialsPath)+"/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Regexp(t, `(?m)^rise_registry_tls_certificate_expiry_seconds 3[0-9.e+]+$`, text)
	require.Contains(t, text, "\nrise_registry_tls_certificate_problem 0\n")
	return text
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool := realtest.Program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		args[2] = filepath.Join(monitoring, args[2])
		realtest.Must(t, os.Environ(), promtool, args...)
	}
	s, _ := busy(t)
	file := filepath.Join(t.TempDir(), "metrics.txt")
	require.NoError(t, os.WriteFile(file, []byte(s.scrape(t)), 0o600))
	realtest.Must(t, os.Environ(), realtest.Program(t, "sh"), "-c", `"$0" check metrics < "$1"`, promtool, file)
}

// matches is EventBridge's matching, as far as our patterns use it (EventBridge User Guide, "Amazon EventBridge event
// pattern syntax").
func matches(t *testing.T, pattern, event any) bool {
	t.Helper()
	switch p := pattern.(type) {
	case map[string]any:
		e, ok := event.(map[string]any)
		for key, inner := range p {
			if alternatives, or := inner.([]any); or && key == "$or" {
				if !slices.ContainsFunc(alternatives, func(one any) bool { return matches(t, one, event) }) {
					return false
				}
			} else if !matches(t, inner, e[key]) { // what isn't there has no fields either
				return false
			}
		}
		return ok
	case []any:
		text, ok := event.(string)
		return slices.ContainsFunc(p, func(one any) bool {
			if operator, is := one.(map[string]any); is && operator["exists"] == false {
				return event == nil
			}
			return ok && matchesOne(t, one, text)
		})
	}
	require.Fail(t, "a pattern's leaf is a list")
	return false
}

func matchesOne(t *testing.T, pattern any, text string) bool {
	t.Helper()
	if plain, ok := pattern.(string); ok {
		return plain == text
	}
	operator, ok := pattern.(map[string]any)
	require.True(t, ok)
	require.Len(t, operator, 1)
	for name, operand := range operator {
		switch name {
		case "prefix":
			return strings.HasPrefix(text, operand.(string))
		case "wildcard":
			ok, err := path.Match(strings.ReplaceAll(operand.(string), "/", "\x00"), strings.ReplaceAll(text, "/", "\x00"))
			require.NoError(t, err)
			return ok
		case "anything-but":
			return !matchesOne(t, operand, text)
		}
	}
	require.Fail(t, "an operator that this test doesn't know")
	return false
}

func TestDetectionRules(t *testing.T) {
	t.Parallel()
	call := func(service, name, who, code string, parameters map[string]any) map[string]any {
		detail := map[string]any{"eventSource": service + ".amazonaws.com", "eventName": name, "requestParameters": parameters,
			"userIdentity": map[string]any{"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/" + who}}
		if code != "" {
			detail["errorCode"] = code
		}
		return map[string]any{"source": "aws." + service, "detail-type": "AWS API Call via CloudTrail", "detail": detail}
	}
	image := func(action, repository string) map[string]any {
		return map[string]any{"source": "aws.ecr", "detail-type": "ECR Image Action",
			"detail": map[string]any{"result": "SUCCESS", "action-type": action, "repository-name": repository, "image-tag": "v1"}}
	}
	changed := func(event map[string]any, change func(detail map[string]any)) map[string]any {
		change(event["detail"].(map[string]any))
		return event
	}
	stranger := func(detail map[string]any) { // as it shows in the role's account
		detail["userIdentity"] = map[string]any{"type": "AWSAccount", "principalId": "AROAEXAMPLE:mallory", "accountId": "999999999999"}
	}
	pushRole := map[string]any{"roleArn": "arn:aws:iam::123456789012:role/rise-backend-ecr-push"}
	user := func(detail map[string]any) {
		detail["userIdentity"] = map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/rise-backend", "accountId": "123456789012"}
	}
	hello := map[string]any{"repositoryName": "rise/hello"}
	tagged := func(repository string) map[string]any {
		return map[string]any{"resourceArn": "arn:aws:ecr:eu-west-1:123456789012:repository/" + repository}
	}
	const session, controller = "rise-backend-ecr-push/rise-push-hello@ci", "rise-backend/rise-controller"
	tests := map[string]struct{ hit, miss []map[string]any }{
		"denied-calls": {
			hit: []map[string]any{call("ecr", "InitiateLayerUpload", session, "AccessDenied", nil), call("ecr", "BatchGetImage", "rise-backend-ecr-pull/rise-pull-@all", "AccessDeniedException", nil)},
			miss: []map[string]any{call("ecr", "InitiateLayerUpload", session, "", nil), call("ecr", "InitiateLayerUpload", "somebody/else", "AccessDenied", nil),
				call("ecr", "BatchGetImage", session, "ImageNotFoundException", nil)},
		},
		"push-role-assumed-by-others": {
			hit: []map[string]any{call("sts", "AssumeRole", "admin/alice", "", pushRole), call("sts", "AssumeRole", "rise-backend-2/x", "", pushRole),
				changed(call("sts", "AssumeRole", "", "", pushRole), stranger), changed(call("sts", "AssumeRoleWithWebIdentity", "", "", pushRole), stranger)},
			miss: []map[string]any{call("sts", "AssumeRole", controller, "", pushRole),
				call("sts", "AssumeRole", "admin/alice", "", map[string]any{"roleArn": "arn:aws:iam::123456789012:role/other"})},
		},
		"registry-changes": {
			hit: []map[string]any{call("ecr", "SetRepositoryPolicy", "admin/alice", "", nil), call("ecr", "CreateRepositoryCreationTemplate", "admin/alice", "", nil),
				call("ecr", "PutAccountSetting", "admin/alice", "", map[string]any{"name": "REGISTRY_POLICY_SCOPE", "value": "V2"})},
			miss: []map[string]any{call("ecr", "PutImage", session, "", nil)},
		},
		"repository-changes-by-others": {
			hit: []map[string]any{call("ecr", "PutLifecyclePolicy", "admin/alice", "", hello), call("ecr", "DeleteLifecyclePolicy", "admin/alice", "", hello),
				call("ecr", "PutImageTagMutability", "admin/alice", "", hello), call("ecr", "DeleteRepository", "admin/alice", "", hello),
				call("ecr", "BatchDeleteImage", "admin/alice", "", hello), call("ecr", "DeleteRepository", "rise-backend-2/rise-controller", "", hello),
				call("ecr", "DeleteRepository", session, "AccessDenied", hello), changed(call("ecr", "DeleteRepository", "", "", hello), stranger),
				changed(call("ecr", "BatchDeleteImage", "", "", hello), user), call("ecr", "TagResource", "admin/alice", "", tagged("rise/hello")),
				call("ecr", "UntagResource", "admin/alice", "", tagged("rise/hello"))},
			miss: []map[string]any{call("ecr", "PutLifecyclePolicy", controller, "", hello), call("ecr", "DeleteRepository", controller, "", hello),
				call("ecr", "TagResource", controller, "", tagged("rise/hello")), call("ecr", "DeleteRepository", "admin/alice", "", map[string]any{"repositoryName": "risen/hello"}),
				call("ecr", "TagResource", "admin/alice", "", tagged("risen/hello")), call("ecr", "TagResource", "admin/alice", "", tagged("team/rise/hello")),
				call("ecr", "PutImage", session, "", hello), call("ecr", "ListTagsForResource", "admin/alice", "", tagged("rise/hello"))},
		},
		"role-changes": {
			hit: []map[string]any{call("iam", "TagRole", "admin/alice", "", map[string]any{"roleName": "rise-backend-ecr-push"}), call("iam", "UpdateAssumeRolePolicy", "admin/alice", "", map[string]any{"roleName": "rise-backend-ecr-push"}), call("iam", "CreateAccessKey", "admin/alice", "", map[string]any{"userName": "rise-backend"}),
				call("iam", "UpdateAccessKey", "admin/alice", "", map[string]any{"userName": "rise-backend", "status": "Active"}),
				call("iam", "CreateLoginProfile", "admin/alice", "", map[string]any{"userName": "rise-backend"}),
				call("iam", "DeleteUserPermissionsBoundary", "admin/alice", "", map[string]any{"userName": "rise-backend"})},
			miss: []map[string]any{call("iam", "UpdateAssumeRolePolicy", "admin/alice", "", map[string]any{"roleName": "other"}), call("iam", "GetRole", "admin/alice", "", map[string]any{"roleName": "rise-backend"}),
				call("iam", "CreateAccessKey", "admin/alice", "", map[string]any{"userName": "alice"}), call("iam", "CreateAccessKey", "admin/alice", "", nil)},
		},
		"image-push": {
			hit:  []map[string]any{image("PUSH", "rise/hello")},
			miss: []map[string]any{image("PUSH", "risen/hello"), image("DELETE", "rise/hello")},
		},
	}
	patterns, err := filepath.Glob(filepath.Join(monitoring, "eventbridge-*.json"))
	require.NoError(t, err)
	require.Len(t, patterns, len(tests), "each has its test")
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		text, err := os.ReadFile(filepath.Join(monitoring, "eventbridge-"+name+".json"))
		require.NoError(t, err)
		var pattern map[string]any
		require.NoError(t, json.Unmarshal(text, &pattern), name)
		for _, event := range tests[name].hit {
			require.True(t, matches(t, pattern, event), "%s: %v", name, event)
		}
		for _, event := range tests[name].miss {
			require.False(t, matches(t, pattern, event), "%s: %v", name, event)
		}
	}
}
