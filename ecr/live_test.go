package ecr_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

// The live tests run against AWS, for whoever has an account to spare: docs/live-test.md has the variables, the policies, and
// what it leaves behind and costs. Everything that they do is also done to the double, by TestLiveCodeOnDouble.

const (
	// conformanceNeeds and slowNeeds are how much time must be left until go test's own -timeout, which would end the
	// process without cleaning up.
	conformanceNeeds = 40 * time.Minute
	slowNeeds        = 35 * time.Minute
	// cleanUpNeeds is how long before that the questions stop, to leave time for cleaning up.
	cleanUpNeeds = 5 * time.Minute
)

// The conformance suite at ECR itself.
func TestLiveConformance(t *testing.T) { //nolint:paralleltest // AWS limits the rates of an account
	s := live(t)
	needTime(t, conformanceNeeds)
	providertest.Run(t, s.harness)
}

// What AWS doesn't document, asked of AWS: see docs/live-test.md. Any answer is a good one. A promise of the
// library that turns out to be broken isn't.
func TestLiveQuestions(t *testing.T) { //nolint:paralleltest // AWS limits the rates of an account
	s := live(t)
	for _, q := range questions() {
		t.Run(q.name, func(t *testing.T) { //nolint:paralleltest // as above
			if q.slow {
				if !s.slow {
					t.Skip("takes half an hour: set RISE_LIVE_SLOW=1, and -timeout 2h")
				}
				needTime(t, slowNeeds)
			}
			ctx := t.Context()
			if end, ok := t.Deadline(); ok {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, end.Add(-cleanUpNeeds))
				defer cancel()
			}
			f, err := q.ask(s.open(t), ctx)
			var skipped *skip
			if errors.As(err, &skipped) {
				t.Skipf("SKIPPED %s: %v", q.name, printable(skipped))
			}
			require.NoError(t, printable(err))
			t.Logf("ANSWER %s: %s", q.name, f.answer)
			for _, broken := range f.broken {
				t.Errorf("BROKEN PROMISE, asking %s: %s", q.name, broken)
			}
		})
	}
}

// needTime fails at once rather than being killed in the middle.
func needTime(t *testing.T, d time.Duration) {
	t.Helper()
	if end, ok := t.Deadline(); ok && time.Until(end) < d {
		t.Fatalf("%v are left, and this may take %v: run go test with -timeout 2h", time.Until(end).Round(time.Second), d)
	}
}

// live is AWS, as the variables describe it. It skips the test where they don't.
func live(t *testing.T) *site {
	t.Helper()
	s, err := siteFrom(os.Getenv)
	var skipped *skip
	if errors.As(err, &skipped) {
		t.Skip(skipped)
	}
	require.NoError(t, err)
	ctx := t.Context()
	s.api, err = config.LoadDefaultConfig(ctx, config.WithRegion(s.config.Region), config.WithLogger(logging.Nop{}))
	require.NoError(t, err)
	who, err := awssts.NewFromConfig(s.api).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	require.NoError(t, printable(err), "the tests run as whom the SDK finds in the environment")
	require.Equal(t, s.config.AccountID, awssdk.ToString(who.Account), "RISE_LIVE_ACCOUNT_ID and the account of %s", awssdk.ToString(who.Arn))
	removed, err := s.sweep(ctx)
	require.NoError(t, printable(err))
	for _, repository := range removed {
		t.Logf("removed %s, which an earlier run left behind", repository)
	}
	return s
}

// siteFrom reads the variables.
func siteFrom(env func(string) string) (*site, error) {
	if env("RISE_LIVE_ECR") != "1" {
		return nil, &skip{"runs against AWS: set RISE_LIVE_ECR=1, RISE_LIVE_REGION, RISE_LIVE_ACCOUNT_ID and " +
			"RISE_LIVE_PUSH_ROLE_ARN as docs/live-test.md says"}
	}
	or := func(name, otherwise string) string {
		if value := env(name); value != "" {
			return value
		}
		return otherwise
	}
	var wrong []string
	on := func(name string) bool {
		value := or(name, "0")
		if value != "0" && value != "1" {
			wrong = append(wrong, name+" must be 1 or 0")
		}
		return value == "1"
	}
	for _, name := range []string{"RISE_LIVE_REGION", "RISE_LIVE_ACCOUNT_ID", "RISE_LIVE_PUSH_ROLE_ARN"} {
		if env(name) == "" {
			wrong = append(wrong, name+" must be set")
		}
	}
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN = env("RISE_LIVE_REGION"), env("RISE_LIVE_ACCOUNT_ID"), env("RISE_LIVE_PUSH_ROLE_ARN")
	c.PullRoleARN, c.ExternalID = env("RISE_LIVE_PULL_ROLE_ARN"), env("RISE_LIVE_EXTERNAL_ID")
	c.RepoPrefix = or("RISE_LIVE_PREFIX", "rise-live-test/")
	c.Installation = or("RISE_LIVE_INSTALLATION", "live-test")
	c.SessionTags = on("RISE_LIVE_SESSION_TAGS")
	s := &site{
		config: c, plainRole: env("RISE_LIVE_PLAIN_ROLE_ARN"), slow: on("RISE_LIVE_SLOW"),
		transport: remote.DefaultTransport, poll: time.Second, patience: 2 * time.Minute,
	}
	if !strings.HasSuffix(c.RepoPrefix, "/") || c.RepoPrefix == "/" {
		wrong = append(wrong, "RISE_LIVE_PREFIX must be a name of its own that ends in a slash")
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "; ") + ": see docs/live-test.md")
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("the RISE_LIVE_ variables make a configuration that isn't valid: %w", err)
	}
	return s, nil
}

func TestLiveVariables(t *testing.T) {
	t.Parallel()
	complete := map[string]string{
		"RISE_LIVE_ECR": "1", "RISE_LIVE_REGION": "eu-west-1", "RISE_LIVE_ACCOUNT_ID": "123456789012",
		"RISE_LIVE_PUSH_ROLE_ARN": "arn:aws:iam::123456789012:role/rise-live-test-push",
	}
	for name, test := range map[string]struct {
		set  map[string]string
		want []string // of the error
		skip bool
	}{
		"complete":        {set: nil},
		"not opted in":    {set: map[string]string{"RISE_LIVE_ECR": ""}, skip: true, want: []string{"RISE_LIVE_ECR=1", "RISE_LIVE_REGION", "RISE_LIVE_ACCOUNT_ID", "RISE_LIVE_PUSH_ROLE_ARN", "docs/live-test.md"}},
		"some missing":    {set: map[string]string{"RISE_LIVE_REGION": "", "RISE_LIVE_PUSH_ROLE_ARN": ""}, want: []string{"RISE_LIVE_REGION must be set", "RISE_LIVE_PUSH_ROLE_ARN must be set"}},
		"wrong switch":    {set: map[string]string{"RISE_LIVE_SLOW": "yes"}, want: []string{"RISE_LIVE_SLOW must be 1 or 0"}},
		"open prefix":     {set: map[string]string{"RISE_LIVE_PREFIX": "rise"}, want: []string{"RISE_LIVE_PREFIX"}},
		"everything":      {set: map[string]string{"RISE_LIVE_PREFIX": "/"}, want: []string{"RISE_LIVE_PREFIX"}},
		"wrong account":   {set: map[string]string{"RISE_LIVE_ACCOUNT_ID": "12"}, want: []string{"account_id"}},
		"all of optional": {set: map[string]string{"RISE_LIVE_SLOW": "1", "RISE_LIVE_SESSION_TAGS": "1", "RISE_LIVE_PREFIX": "mine/", "RISE_LIVE_INSTALLATION": "i", "RISE_LIVE_EXTERNAL_ID": "e-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := siteFrom(func(variable string) string {
				if value, ok := test.set[variable]; ok {
					return value
				}
				return complete[variable]
			})
			var skipped *skip
			require.Equal(t, test.skip, errors.As(err, &skipped))
			if len(test.want) == 0 {
				require.NoError(t, err)
				require.Equal(t, test.set["RISE_LIVE_SLOW"] == "1", s.slow)
				require.Equal(t, test.set["RISE_LIVE_SESSION_TAGS"] == "1", s.config.SessionTags)
				return
			}
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	documented, err := os.ReadFile("../docs/live-test.md")
	require.NoError(t, err)
	for _, q := range questions() {
		require.Contains(t, string(documented), "`"+q.name+"`")
	}
	require.True(t, slices.IsSortedFunc(questions(), func(a, b question) int { // the quick ones first
		switch {
		case a.slow == b.slow:
			return 0
		case a.slow:
			return 1
		}
		return -1
	}))
}

// Whom the environment says, and where, is found as the SDK does.
func TestLiveEnvironment(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{Prefix: "rise-live-test/", Installation: "live-test"})
	clearAWS(t)
	for _, name := range []string{
		"RISE_LIVE_EXTERNAL_ID", "RISE_LIVE_PULL_ROLE_ARN", "RISE_LIVE_PLAIN_ROLE_ARN", "RISE_LIVE_PREFIX", "RISE_LIVE_INSTALLATION",
		"RISE_LIVE_SESSION_TAGS", "RISE_LIVE_SLOW",
	} {
		t.Setenv(name, "")
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": aws.URL, "AWS_ACCESS_KEY_ID": aws.deployment.ControllerUser.ID, "AWS_SECRET_ACCESS_KEY": aws.deployment.ControllerUser.Secret,
		"RISE_LIVE_ECR": "1", "RISE_LIVE_REGION": "eu-west-1", "RISE_LIVE_ACCOUNT_ID": "123456789012", "RISE_LIVE_PUSH_ROLE_ARN": aws.deployment.PushRoleARN,
	} {
		t.Setenv(name, value)
	}
	s := live(t)
	require.Equal(t, []string{"sts:GetCallerIdentity", "ecr:DescribeRepositories"}, aws.names())
	l := s.open(t)
	_, err := l.issue(t.Context(), "hello", provider.Push)
	require.NoError(t, err)
	require.Equal(t, "rise-live-test/"+l.id+"/hello", l.repository("hello"))
}
