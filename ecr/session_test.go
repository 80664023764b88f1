package ecr_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestPolicySize(t *testing.T) {
	t.Parallel()
	p, err := ecr.New(t.Context(), validConfig(), hermetic())
	require.NoError(t, err)
	longest := strings.Repeat("a", 63)
	for access, size := range map[provider.Access]int{provider.Push: 875, provider.Pull: 697} {
		policy, err := p.SessionPolicy(provider.Request{Project: longest, Access: access})
		require.NoError(t, err)
		require.Len(t, policy, size)
	}
	c := validConfig()
	c.RepoPrefix = strings.Repeat("a", 192) + "/"
	p, err = ecr.New(t.Context(), c, hermetic())
	require.NoError(t, err)
	policy, err := p.SessionPolicy(provider.Request{Project: longest, Access: provider.Push})
	require.NoError(t, err)
	require.LessOrEqual(t, len(policy), 2048, "STS's limit, with the longest prefix")
}

func TestSessionNames(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{PullRole: true})
	p := aws.provider(t)
	prefix := strings.Repeat("a", 54)
	seen := map[string]provider.Request{}
	for _, r := range []provider.Request{
		push, pull, all, {Project: "all", Access: provider.Pull},
		{Project: prefix, Access: provider.Push}, {Project: prefix + "a", Access: provider.Push}, {Project: prefix + "b", Access: provider.Push},
		{Project: prefix + strings.Repeat("b", 9), Access: provider.Push}, {Project: prefix + strings.Repeat("b", 8) + "c", Access: provider.Push},
		{Project: prefix + strings.Repeat("b", 9), Access: provider.Pull},
		{Project: "hello", Access: provider.Push, Caller: "ci"}, {Project: "hello", Access: provider.Push, Caller: "ci2"}, {Project: "hello", Access: provider.Pull, Caller: "ci"},
		{Project: "hello", Access: provider.Push, Caller: "a.b"}, {Project: "hello", Access: provider.Push, Caller: "a_b"}, {Project: "hello", Access: provider.Push, Caller: "a b"},
		{Project: "hello", Access: provider.Push, Caller: "repo:org/app:é"}, {Project: "hello", Access: provider.Push, Caller: strings.Repeat("x", 1024)},
		{Project: "hello", Access: provider.Push, Caller: strings.Repeat("x", 1023)}, {Project: prefix, Access: provider.Push, Caller: "ci"},
	} {
		aws.ResetCalls()
		_, err := p.Credentials(t.Context(), r)
		require.NoError(t, err)
		session := aws.Calls()[0].Form.Get("RoleSessionName")
		require.Regexp(t, `^[\w+=,.@-]{2,64}$`, session)
		require.True(t, strings.HasPrefix(session, "rise-"+r.Access.String()+"-"), session)
		require.NotContains(t, seen, session)
		seen[session] = r
	}
	require.Equal(t, provider.Request{Project: prefix, Access: provider.Push}, seen["rise-push-"+prefix], "64 characters fit as they are")
	require.Contains(t, seen, "rise-push-hello@ci")
}

type document struct {
	Version   string
	Statement []struct {
		Effect                                  string
		Action, NotAction                       stringOrList
		Resource, NotResource                   stringOrList
		Principal, NotPrincipal, Condition, Sid json.RawMessage
	}
}

type stringOrList []string

func (l *stringOrList) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*l = []string{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// FuzzSessionPolicy: whatever name is accepted, its policy is about its own repository and nothing else.
func FuzzSessionPolicy(f *testing.F) {
	for _, seed := range []string{"hello", "a", "a-b", strings.Repeat("a", 63), "*", "a/b", "${aws:username}", `a","Resource":"*`} {
		f.Add(seed, true, "")
		f.Add(seed, false, "ci@example.com")
	}
	p, err := ecr.New(f.Context(), validConfig(), hermetic())
	require.NoError(f, err)
	pullActions := []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
	pushActions := []string{"ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"}
	f.Fuzz(func(t *testing.T, project string, pushing bool, caller string) {
		r := provider.Request{Project: project, Access: provider.Pull, Caller: caller}
		actions := pullActions
		if pushing {
			r.Access, actions = provider.Push, slices.Concat(pullActions, pushActions)
		}
		policy, err := p.SessionPolicy(r)
		if r.Validate() != nil {
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
			require.Empty(t, policy)
			return
		}
		require.NoError(t, err)
		require.LessOrEqual(t, len(policy), 2048)
		var d document
		decoder := json.NewDecoder(strings.NewReader(policy))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&d))
		require.Equal(t, "2012-10-17", d.Version)
		require.Len(t, d.Statement, 4)
		repository := stringOrList{"arn:aws:ecr:eu-west-1:123456789012:repository/rise/" + project}
		token, everything := stringOrList{"ecr:GetAuthorizationToken"}, stringOrList{"*"}
		for i, want := range []struct {
			effect                                   string
			action, notAction, resource, notResource stringOrList
		}{
			{effect: "Allow", action: token, resource: everything},
			{effect: "Allow", action: actions, resource: repository},
			{effect: "Deny", notAction: token, notResource: repository},
			{effect: "Deny", notAction: append(slices.Clone(token), actions...), resource: everything},
		} {
			s := d.Statement[i]
			require.Equal(t, want.effect, s.Effect)
			require.ElementsMatch(t, want.action, s.Action)
			require.ElementsMatch(t, want.notAction, s.NotAction)
			require.Equal(t, want.resource, s.Resource)
			require.Equal(t, want.notResource, s.NotResource)
			require.Nil(t, s.Condition)
			require.Nil(t, s.Principal)
		}
		name, err := p.SessionName(r)
		require.NoError(t, err)
		require.Regexp(t, sessionName, name)
	})
}
