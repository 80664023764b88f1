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
	for id, size := range map[string]int{"0b5f8c9e-8a34-4f0b-9d8e-2f6d1c7a5b3e": 1219, strings.Repeat("i", 128): 1311} {
		policy, err := p.SessionPolicy(provider.Request{Project: longest, ProjectID: id, Access: provider.Push})
		require.NoError(t, err)
		require.Len(t, policy, size)
	}
	c := validConfig()
	c.Region, c.PushRoleARN = "us-gov-west-1", "arn:aws-us-gov:iam::123456789012:role/rise-backend-ecr-push"
	c.RepoPrefix = strings.Repeat("a", 192) + "/"
	p, err = ecr.New(t.Context(), c, hermetic())
	require.NoError(t, err)
	policy, err := p.SessionPolicy(provider.Request{Project: longest, ProjectID: strings.Repeat("i", 128), Access: provider.Push})
	require.NoError(t, err)
	require.LessOrEqual(t, len(policy), 2048, "STS's limit, with the longest prefix and id")
}

// With project_ids, what is about one project names its id. The registry-wide pull isn't.
func TestSessionPolicyDemandsIDs(t *testing.T) {
	t.Parallel()
	c := validConfig()
	c.ProjectIDs, c.PullRoleARN = true, "arn:aws:iam::123456789012:role/rise-backend-ecr-pull"
	p, err := ecr.New(t.Context(), c, hermetic())
	require.NoError(t, err)
	for name, ask := range map[string]func(provider.Request) error{
		"credentials": func(r provider.Request) error {
			if r.AllProjects || r.ProjectID != "" {
				return nil // would call AWS
			}
			_, err := p.Credentials(t.Context(), r)
			return err
		},
		"policy":       func(r provider.Request) error { _, err := p.SessionPolicy(r); return err },
		"name":         func(r provider.Request) error { _, err := p.SessionName(r); return err },
		"their policy": func(r provider.Request) error { _, err := ecr.SessionPolicy(c, r); return err },
	} {
		err := ask(push)
		require.ErrorIs(t, err, provider.ErrInvalidRequest, name)
		require.ErrorIs(t, err, provider.ErrNoProjectID, name)
		require.ErrorContains(t, err, "project_ids", name)
		require.NoError(t, ask(provider.Request{Project: "hello", ProjectID: "p-1", Access: provider.Push}), name)
		require.NoError(t, ask(all), name)
	}
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
		Effect                       string
		Action, NotAction            stringOrList
		Resource, NotResource        stringOrList
		Principal, NotPrincipal, Sid json.RawMessage
		Condition                    map[string]map[string]string
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
		f.Add(seed, true, "", "")
		f.Add(seed, false, "ci@example.com", "p-1")
		f.Add("hello", true, "", seed)
	}
	p, err := ecr.New(f.Context(), validConfig(), hermetic())
	require.NoError(f, err)
	pullActions := []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
	pushActions := []string{"ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"}
	f.Fuzz(func(t *testing.T, project string, pushing bool, caller, id string) {
		r := provider.Request{Project: project, ProjectID: id, Access: provider.Pull, Caller: caller}
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
		repository := stringOrList{"arn:aws:ecr:eu-west-1:123456789012:repository/rise/" + project}
		token, everything := stringOrList{"ecr:GetAuthorizationToken"}, stringOrList{"*"}
		type statement struct {
			effect                                   string
			action, notAction, resource, notResource stringOrList
			condition                                map[string]map[string]string
		}
		statements := []statement{
			{effect: "Allow", action: token, resource: everything},
			{effect: "Allow", action: actions, resource: repository},
			{effect: "Deny", notAction: token, notResource: repository},
			{effect: "Deny", notAction: append(slices.Clone(token), actions...), resource: everything},
		}
		if id != "" {
			statements = append(statements, statement{effect: "Deny", notAction: token, resource: repository, condition: map[string]map[string]string{
				"Null": {"aws:ResourceTag/rise:project-id": "false"}, "StringNotEquals": {"aws:ResourceTag/rise:project-id": id},
			}})
		}
		require.Len(t, d.Statement, len(statements))
		for i, want := range statements {
			s := d.Statement[i]
			require.Equal(t, want.effect, s.Effect)
			require.ElementsMatch(t, want.action, s.Action)
			require.ElementsMatch(t, want.notAction, s.NotAction)
			require.Equal(t, want.resource, s.Resource)
			require.Equal(t, want.notResource, s.NotResource)
			require.Equal(t, want.condition, s.Condition)
			require.Nil(t, s.Principal)
		}
		name, err := p.SessionName(r)
		require.NoError(t, err)
		require.Regexp(t, sessionName, name)
	})
}
