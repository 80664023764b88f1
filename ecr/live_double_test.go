package ecr_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

// The live tests' code, done to the double: the answers must follow its modes.
func TestLiveCodeOnDouble(t *testing.T) {
	t.Parallel()
	t.Run("conformance", func(t *testing.T) {
		t.Parallel()
		providertest.Run(t, func(t *testing.T) providertest.Harness {
			t.Helper()
			d := newLiveDouble(t, ecrtest.Config{}, false)
			d.site.config.PullRoleARN = d.roleARN("pull")
			d.site.poll = 0 // there is nothing to wait for
			return d.site.harness(t)
		})
	})
	for name, test := range map[string]struct {
		question string
		config   ecrtest.Config
		tags     bool // session tags
		change   func(*liveDouble)
		answer   string
		broken   []string
		skipped  string
	}{
		"tokens outlive sessions": {question: "token-outlives-session", answer: `^yes: .* 6m0s after`},
		"tokens die with sessions": {
			question: "token-outlives-session", config: ecrtest.Config{TokenDiesWithSession: true}, answer: `^no: .* refused 0s after`,
		},
		"tokens die before ExpiresAt": {
			question: "token-outlives-session", config: ecrtest.Config{TokenDiesWithSession: true, TokenLifetime: 10 * time.Minute},
			change: func(d *liveDouble) {
				late := fmt.Appendf(nil, `"expiresAt":%d`, time.Now().Add(20*time.Minute).Unix())
				d.Inject(ecrtest.Fault{Action: token, Mutate: func(body []byte) []byte { return regexp.MustCompile(`"expiresAt":[0-9.e+]+`).ReplaceAll(body, late) }})
			},
			answer: `^no: `, broken: []string{"refused a minute before its ExpiresAt"},
		},
		"rights fixed when a token is issued": {
			question: "token-survives-revocation", config: ecrtest.Config{TokenRights: ecrtest.FixedAtIssue}, answer: `^yes: .* 2m0s after`,
		},
		"rights of the moment": {question: "token-survives-revocation", answer: `^no: .* refused 0s after`},
		"no right to revoke": {
			question: "token-survives-revocation", change: func(d *liveDouble) { d.refuse("iam:PutRolePolicy") }, skipped: "needs iam:PutRolePolicy",
		},
		"grants to everybody pass":                {question: "grants-to-everybody", answer: `^yes: `},
		"grants to everybody pass, session tags":  {question: "grants-to-everybody", tags: true, answer: `^yes: `},
		"grants to everybody are cut":             {question: "grants-to-everybody", config: ecrtest.Config{SessionPoliciesLimitGrants: true}, answer: `^no: `},
		"grants to the session pass":              {question: "grants-to-session", answer: `^yes: `},
		"grants to the session are cut":           {question: "grants-to-session", config: ecrtest.Config{SessionPoliciesLimitGrants: true}, answer: `^no: `},
		"grants pass the library":                 {question: "grants-to-everybody", change: mutant(withoutDenies), answer: `^yes: `, broken: []string{"to a push credential", "to a pull credential"}},
		"grants to the session pass the library":  {question: "grants-to-session", change: mutant(withoutDenies), answer: `^yes: `, broken: []string{"to a push credential"}},
		"grants that never take effect":           {question: "grants-to-everybody", change: deaf("SetRepositoryPolicy"), answer: `^unknown: .* within 2m0s`},
		"mounts need from":                        {question: "mount-without-from", answer: `^no: .* with from works \(BLOB_MOUNTING is ENABLED\)`},
		"mounts without from":                     {question: "mount-without-from", config: ecrtest.Config{MountWithoutFrom: true}, answer: `^yes: .*BLOB_MOUNTING is ENABLED`},
		"mounts without from, session tags":       {question: "mount-without-from", config: ecrtest.Config{MountWithoutFrom: true}, tags: true, answer: `^yes: `},
		"mounts with the library, without from":   {question: "mount-without-from", config: ecrtest.Config{MountWithoutFrom: true}, change: mutant(nil), answer: `^unknown: `, broken: []string{`mounts another project's layer (from: "")`}},
		"mounts with the library, with from":      {question: "mount-without-from", change: mutant(nil), answer: `^unknown: `, broken: []string{`mounts another project's layer (from: "other-`}},
		"no mounts at all":                        {question: "mount-without-from", change: withoutMounts, answer: `^no: .* and so does one with from`},
		"tags count at once":                      {question: "tag-delay", answer: `^a new repository is open after 0s, suspended after 0s, open again after 0s \(looked every 1s\)$`},
		"tags count after a while":                {question: "tag-delay", config: ecrtest.Config{TagDelay: 7 * time.Second}, tags: true, answer: `is open after 7s, suspended after 7s, open again after 7s`},
		"tags count too late":                     {question: "tag-delay", config: ecrtest.Config{TagDelay: time.Hour}, answer: `is not open within 2m0s`},
		"deletion is enough":                      {question: "forced-deletion", answer: `^yes: `},
		"deletion of images is needed":            {question: "forced-deletion", config: ecrtest.Config{ForceDeleteNeedsBatchDelete: true}, answer: `^no: `},
		"a push needs the right to create":        {question: "create-on-push", answer: `^with the push role nothing; with a role without conditions on tags nothing$`},
		"a push creates":                          {question: "create-on-push", config: ecrtest.Config{CreateOnPushUnchecked: true}, answer: `^with the push role nothing; with a role without conditions on tags its own project's repository`},
		"a push creates, session tags":            {question: "create-on-push", config: ecrtest.Config{CreateOnPushUnchecked: true}, tags: true, answer: `^with the push role nothing; .* its own project's repository`},
		"no plain role":                           {question: "create-on-push", change: func(d *liveDouble) { d.site.plainRole = "" }, answer: `^with the push role nothing; .* unknown \(RISE_LIVE_PLAIN_ROLE_ARN isn't set\)`},
		"no right to make templates":              {question: "create-on-push", change: func(d *liveDouble) { d.refuse("ecr:CreateRepositoryCreationTemplate") }, skipped: "needs ecr:CreateRepositoryCreationTemplate"},
		"templates without effect":                {question: "create-on-push", change: func(d *liveDouble) { d.dead = true }, answer: `^unknown: .* within 2m0s`},
		"a push creates what isn't its project's": {question: "create-on-push", config: ecrtest.Config{CreateOnPushUnchecked: true}, change: mutant(nil), answer: `its own project's repository`, broken: []string{"with a role without conditions on tags, a push credential creates another project's repository"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newLiveDouble(t, test.config, test.tags)
				if test.change != nil {
					test.change(d)
				}
				removed, err := d.site.sweep(t.Context())
				require.NoError(t, err)
				require.Empty(t, removed)
				l, err := d.site.newLab(t.Context())
				require.NoError(t, err)
				i := slices.IndexFunc(questions(), func(q question) bool { return q.name == test.question })
				f, err := questions()[i].ask(l, t.Context())
				if test.skipped != "" {
					var skipped *skip
					require.ErrorAs(t, err, &skipped)
					require.ErrorContains(t, err, test.skipped)
				} else {
					require.NoError(t, err)
					require.Regexp(t, test.answer, f.answer)
				}
				require.Len(t, f.broken, len(test.broken), "%v", f.broken)
				for i, want := range test.broken {
					require.Contains(t, f.broken[i], want)
				}
				require.NoError(t, l.close(t.Context()))
				d.requireClean(t)
			})
		})
	}
}

// mutant is a library that sends other session policies than it should.
func mutant(change func(string) string) func(*liveDouble) {
	return func(d *liveDouble) { d.site.options = append(d.site.options, changePolicy(change)) }
}

// deaf is an AWS that takes a call and does nothing.
func deaf(operation string) func(*liveDouble) {
	return func(d *liveDouble) { d.ignored = operation }
}

// withoutMounts is a registry that knows no mounts.
func withoutMounts(d *liveDouble) {
	inner := d.site.transport
	d.site.transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("mount") {
			r = r.Clone(r.Context())
			r.URL.RawQuery = ""
		}
		return inner.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever goes wrong, nothing stays but what isn't ours.
func TestLiveCleansUp(t *testing.T) {
	t.Parallel()
	for _, q := range questions() {
		for _, action := range []string{
			"sts:AssumeRole", "ecr:CreateRepository", "ecr:SetRepositoryPolicy", "ecr:BatchDeleteImage", "ecr:DeleteRepository", "ecr:UntagResource",
			"ecr:GetAuthorizationToken", "registry:BatchGetImage", "registry:InitiateLayerUpload", "registry:PutImage", "registry:ListImages",
		} {
			t.Run(q.name+" without "+action, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := newLiveDouble(t, ecrtest.Config{CreateOnPushUnchecked: true}, false)
					l, err := d.site.newLab(t.Context())
					require.NoError(t, err)
					// The call is carried out, and nobody learns of it.
					stop := d.Inject(ecrtest.Fault{Action: action, Lost: true, Skip: 2})
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					_, _ = q.ask(l, ctx)
					stop()
					require.NoError(t, l.close(context.WithoutCancel(ctx)))
					d.requireClean(t)
				})
			})
		}
	}
}

func TestLiveTouchesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newLiveDouble(t, ecrtest.Config{}, false)
		l, err := d.site.newLab(t.Context())
		require.NoError(t, err)
		own, taken := l.project("own"), l.project("taken")
		require.NoError(t, l.create(t.Context(), own))
		require.NoError(t, l.create(t.Context(), taken))

		// Somebody else's by now.
		d.UpdateRepository(l.repository(taken), func(r *ecrtest.Repository) { delete(r.Tags, liveTag) })
		require.ErrorContains(t, l.close(t.Context()), "isn't this test's")
		_, there := d.Repository(l.repository(own))
		require.False(t, there, "one failure doesn't keep the rest from being undone")
		_, there = d.Repository(l.repository(taken))
		require.True(t, there)
		_, err = d.site.sweep(t.Context())
		require.ErrorContains(t, err, "RISE_LIVE_PREFIX")
		require.ErrorContains(t, err, l.repository(taken))
		d.DeleteRepository(l.repository(taken))

		// Another run's, going on or not; and what is beside the prefix.
		d.CreateRepository(ecrtest.Repository{Name: "rise-live-test/going/on", Tags: map[string]string{liveTag: time.Now().Add(-5*time.Hour).UTC().Format(time.RFC3339) + "/going"}})
		d.CreateRepository(ecrtest.Repository{Name: "rise-live-test/left/behind", Tags: map[string]string{liveTag: time.Now().Add(-7*time.Hour).UTC().Format(time.RFC3339) + "/left"}})
		d.CreateRepository(ecrtest.Repository{Name: "rise-live-test/not/a-time", Tags: map[string]string{liveTag: "long ago"}})
		d.CreateRepository(ecrtest.Repository{Name: "rise-live-test-2/other", Tags: map[string]string{liveTag: "2000-01-01T00:00:00Z/other"}})
		d.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
		removed, err := d.site.sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"rise-live-test/left/behind"}, removed)
		require.Len(t, d.Repositories(), 4)
	})
}

func TestLiveWaitsUntilItIsSteady(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seen    string // y or n at each look; the last goes on
		took    time.Duration
		settled bool
	}{
		"at once":  {"y", 0, true},
		"later":    {"nnny", 3 * time.Second, true},
		"unsteady": {"nyyyynyyny", 9 * time.Second, true},
		"never":    {"n", 2 * time.Minute, false},
		"not long": {"yyyyn", 2 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &lab{site: &site{poll: time.Second, patience: 2 * time.Minute}}
				look := -1
				took, settled, err := l.settles(t.Context(), func() (bool, error) {
					look = min(look+1, len(test.seen)-1)
					return test.seen[look] == 'y', nil
				})
				require.NoError(t, err)
				require.Equal(t, test.settled, settled)
				require.Equal(t, test.took, took)
			})
		})
	}
}

func TestLiveUnderstandsTheRegistry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		code   string
		may    bool
		wrong  bool
	}{
		"found":            {status: http.StatusOK, may: true},
		"no such image":    {status: http.StatusNotFound, code: "MANIFEST_UNKNOWN", may: true},
		"not there yet":    {status: http.StatusNotFound, code: "NAME_UNKNOWN"},
		"refused":          {status: http.StatusForbidden, code: "DENIED"},
		"not logged in":    {status: http.StatusUnauthorized},
		"session ended":    {status: http.StatusBadRequest, code: "UNKNOWN"},
		"throttled always": {status: http.StatusTooManyRequests, code: "TOOMANYREQUESTS", wrong: true},
		"failing":          {status: http.StatusServiceUnavailable, wrong: true},
		"sent elsewhere":   {status: http.StatusTemporaryRedirect, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newLiveDouble(t, ecrtest.Config{}, false)
				d.site.transport = roundTripper(func(r *http.Request) (*http.Response, error) {
					body := `{"errors":[{"code":"` + test.code + `","message":"as asked"}]}`
					return &http.Response{StatusCode: test.status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
				})
				l, err := d.site.newLab(t.Context())
				require.NoError(t, err)
				may, err := l.mayRead(t.Context(), provider.Credentials{Username: "AWS"}, "rise-live-test/any")
				require.Equal(t, test.wrong, err != nil, "%v", err)
				require.Equal(t, test.may, may)
			})
		})
	}
}

func TestLivePrintsNoSessionToken(t *testing.T) {
	t.Parallel()
	const message = "The request signature doesn't match.\n\nThe Canonical String should have been\n'POST\n/\n\nhost:iam.amazonaws.com\nX-Amz-Security-Token:%s\n'"
	err := printable(fmt.Errorf(message, "the-session-token"))
	require.ErrorContains(t, err, "signature doesn't match")
	require.NotContains(t, err.Error(), "the-session-token")
	require.NoError(t, printable(nil))
}

// liveDouble is the double with the roles of docs/live-test.md, and what the double lacks: IAM, and the calls that make
// templates.
type liveDouble struct {
	*ecrtest.Server
	site      *site
	policies  map[string]string // of the documentation, by name
	caller    awssdk.Credentials
	templates map[string]func() // what removes them
	dead      bool              // templates have no effect
	ignored   string            // an operation of ECR's that does nothing
}

func newLiveDouble(t *testing.T, c ecrtest.Config, tags bool) *liveDouble {
	t.Helper()
	c.InMemory = true
	d := &liveDouble{Server: ecrtest.NewServer(c), policies: documentedPolicies(t), templates: map[string]func(){}}
	t.Cleanup(d.Close)
	const account, caller = "123456789012", "arn:aws:iam::123456789012:role/rise-live-test"
	push := d.policies["push"]
	if tags {
		const before, more = `"aws:ResourceTag/rise:managed": "true",`, `"aws:ResourceTag/rise:project": "${aws:PrincipalTag/rise:project}",`
		require.Equal(t, 1, strings.Count(push, before))
		push = strings.Replace(push, before, before+more, 1)
	}
	user := d.AddUser(ecrtest.User{Name: "operator", Policies: []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + caller + `"}]}`,
	}})
	d.AddRole(ecrtest.Role{Name: caller, Policies: []string{d.policies["caller"]}, Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + account + `:user/operator"}}]}`})
	for name, policy := range map[string]string{"push": push, "plain": d.policies["plain"], "pull": d.policies["pull"]} {
		d.AddRole(ecrtest.Role{Name: d.roleARN(name), Policies: []string{policy}, Trust: d.policies["trust"]})
	}
	api := awssdk.Config{
		Region: "eu-west-1", HTTPClient: &http.Client{Transport: d}, Credentials: credentials.NewStaticCredentialsProvider(user.ID, user.Secret, ""),
	}
	out, err := awssts.NewFromConfig(api).AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: awssdk.String(caller), RoleSessionName: awssdk.String("operator")})
	require.NoError(t, err)
	d.caller = awssdk.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken}
	api.Credentials = credentials.StaticCredentialsProvider{Value: d.caller}

	d.site, err = siteFrom(func(variable string) string {
		switch variable {
		case "RISE_LIVE_ECR":
			return "1"
		case "RISE_LIVE_REGION":
			return api.Region
		case "RISE_LIVE_ACCOUNT_ID":
			return account
		case "RISE_LIVE_PUSH_ROLE_ARN":
			return d.roleARN("push")
		case "RISE_LIVE_PLAIN_ROLE_ARN":
			return d.roleARN("plain")
		case "RISE_LIVE_SESSION_TAGS":
			if tags {
				return "1"
			}
		}
		return ""
	})
	require.NoError(t, err)
	d.site.api, d.site.transport = api, d.Transport()
	d.site.options = []ecr.Option{hermetic(), inMemory(d.Server), ecr.WithLoadOptions(config.WithRetryMaxAttempts(3))}
	d.site.config.AccessKeyID = provider.NewSecret(d.caller.AccessKeyID)
	d.site.config.SecretAccessKey = provider.NewSecret(d.caller.SecretAccessKey)
	d.site.config.SessionToken = provider.NewSecret(d.caller.SessionToken)
	return d
}

func (*liveDouble) roleARN(name string) string {
	return "arn:aws:iam::123456789012:role/rise-live-test-" + name
}

// documentedPolicies reads the policies of docs/live-test.md.
func documentedPolicies(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/live-test.md")
	require.NoError(t, err)
	policies := map[string]string{}
	for _, match := range regexp.MustCompile("(?s)<!-- policy: ([a-z]+) -->\n```json\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		require.True(t, json.Valid([]byte(match[2])), "the policy %s is no JSON", match[1])
		policies[match[1]] = match[2]
	}
	require.Len(t, policies, 5)
	return policies
}

// refuse takes an action away from the caller.
func (d *liveDouble) refuse(action string) {
	d.policies["caller"] = strings.ReplaceAll(d.policies["caller"], `"`+action+`"`, `"none:None"`)
}

// callerMay stands in for the policy engine, which is the double's own.
func (d *liveDouble) callerMay(action string) bool {
	return strings.Contains(d.policies["caller"], `"`+action+`"`)
}

// requireClean checks that nothing is left of what the tests made.
func (d *liveDouble) requireClean(t *testing.T) {
	t.Helper()
	require.Empty(t, d.Repositories())
	require.Empty(t, d.templates)
	d.UpdateRole(d.roleARN("push"), func(r *ecrtest.Role) { require.Len(t, r.Policies, 1) })
}

// RoundTrip carries out what the double lacks, and hands it the rest.
func (d *liveDouble) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation != "" && operation == d.ignored {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}
	if r.URL.Host != "iam.amazonaws.com" && !strings.HasSuffix(operation, "RepositoryCreationTemplate") {
		return d.Transport().RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	status, answer := d.iam(r, body)
	if operation != "" {
		status, answer = d.template(operation, body)
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)),
	}, nil
}

// template is ECR's CreateRepositoryCreationTemplate and DeleteRepositoryCreationTemplate.
func (d *liveDouble) template(operation string, body []byte) (status int, answer string) {
	var in struct {
		Prefix     string   `json:"prefix"`
		AppliedFor []string `json:"appliedFor"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return http.StatusBadRequest, `{"__type":"SerializationException"}`
	}
	if !d.callerMay("ecr:" + operation) {
		return http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"User is not authorized to perform: ecr:` + operation + `"}`
	}
	remove, there := d.templates[in.Prefix]
	switch {
	case operation == "CreateRepositoryCreationTemplate" && d.dead:
		d.templates[in.Prefix] = func() {}
	case operation == "CreateRepositoryCreationTemplate":
		d.templates[in.Prefix] = d.AddCreationTemplate(ecrtest.CreationTemplate{Prefix: in.Prefix, AppliedFor: in.AppliedFor})
	case !there:
		return http.StatusBadRequest, `{"__type":"TemplateNotFoundException"}`
	default:
		remove()
		delete(d.templates, in.Prefix)
	}
	return http.StatusOK, `{}`
}

// iam is IAM's PutRolePolicy and DeleteRolePolicy. The signature is made again and compared.
func (d *liveDouble) iam(r *http.Request, body []byte) (status int, answer string) {
	fail := func(code string) (int, string) {
		return http.StatusForbidden, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>` + code +
			`</Code><Message>refused</Message></Error><RequestId>1</RequestId></ErrorResponse>`
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || d.verify(r, body) != nil || form.Get("Version") != "2010-05-08" {
		return fail("SignatureDoesNotMatch")
	}
	if !d.callerMay("iam:" + form.Get("Action")) {
		return fail("AccessDenied")
	}
	document, found := form.Get("PolicyDocument"), true
	d.UpdateRole("arn:aws:iam::123456789012:role/"+form.Get("RoleName"), func(role *ecrtest.Role) {
		switch form.Get("Action") {
		case "PutRolePolicy":
			role.Policies = append(slices.Clone(role.Policies), document)
		case "DeleteRolePolicy":
			if found = len(role.Policies) > 1; found { // the tests add one at most
				role.Policies = role.Policies[:1]
			}
		}
	})
	if !found {
		return fail("NoSuchEntity")
	}
	return http.StatusOK, ""
}

func (d *liveDouble) verify(r *http.Request, body []byte) error {
	signedAt, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	again.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), d.caller, again, hex.EncodeToString(sum[:]), "iam", "us-east-1", signedAt); err != nil {
		return err
	}
	if again.Header.Get("Authorization") != r.Header.Get("Authorization") || r.Header.Get("X-Amz-Security-Token") != d.caller.SessionToken {
		return errors.New("another signature")
	}
	return nil
}
