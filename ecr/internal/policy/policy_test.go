package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
)

func setup(t *testing.T) policy.Setup {
	t.Helper()
	s, err := policy.Setup{
		Region: "eu-west-1", AccountID: "123456789012", RepoPrefix: "rise/", Installation: "prod", SessionTags: true,
		PushRoleARN: "arn:aws:iam::123456789012:role/push", RoleARN: "arn:aws:iam::123456789012:role/a/backend",
	}.Resolved()
	require.NoError(t, err)
	return s
}

// What a remedy has an operator paste is a statement of the policy that iampolicy prints, conditions and all.
func TestPushStatementIsThePushRoles(t *testing.T) {
	t.Parallel()
	type document struct{ Statement []map[string]any }
	var whole, part document
	text, err := setup(t).PushRole().JSON()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(text), &whole))
	require.NoError(t, json.Unmarshal([]byte(setup(t).PushStatement().Pasteable()), &part))
	require.Len(t, part.Statement, 1)
	found := 0
	for _, s := range whole.Statement {
		if s["Sid"] == "OneProject" {
			delete(s, "Sid")
			require.Equal(t, s, part.Statement[0])
			found++
		}
	}
	require.Equal(t, 1, found)
}

func TestPasteable(t *testing.T) {
	t.Parallel()
	require.Equal(t, `{"Statement":[{"Action":["a:B"],"Effect":"Allow","Resource":"<&>"}],"Version":"2012-10-17"}`, policy.Allow("<&>", "a:B").Pasteable())
	trust := setup(t).ControllerTrust(policy.Trusted{Principals: []string{"arn:aws:iam::123456789012:user/a"}})
	require.Equal(t, `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/a"}}],"Version":"2012-10-17"}`,
		trust.Pasteable())
	require.Equal(t, "Assume", trust.Statement[0].Sid, "it is a copy that loses its names")
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	const everybody = "everybody but some (NotPrincipal)"
	for _, test := range []struct {
		policy         string
		anywhere, here []string
		fails          bool
	}{
		{policy: ``, fails: true},
		{policy: `null`, fails: true},
		{policy: `{}`, fails: true},
		{policy: `{"Statement":5}`, fails: true},
		{policy: `{"Statement":[5]}`, fails: true},
		{policy: `{"Statement":{"Effect":"Allow","Principal":5}}`, fails: true},
		{policy: `{"Statement":{"Effect":"Allow","Principal":{"AWS":[5]}}}`, fails: true},
		{policy: `{"Statement":{"Effect":"Allow","Principal":"*","Resource":5}}`, fails: true},
		{policy: `{"Statement":[]}`},
		{policy: `{"Statement":null}`, anywhere: []string{everybody}, here: []string{everybody}},
		{policy: `{"Statement":[null]}`, anywhere: []string{everybody}, here: []string{everybody}},
		{policy: `{"Statement":{"Effect":"Deny","Principal":"*"}}`},
		{policy: `{"Statement":{"Effect":"Allow"}}`, anywhere: []string{everybody}, here: []string{everybody}},
		{policy: `{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"x"}}}`, anywhere: []string{everybody}, here: []string{everybody}},
		{policy: `{"Statement":{"Effect":"Allow","Principal":"*"}}`, anywhere: []string{"*"}, here: []string{"*"}},
		{policy: `{"Statement":{"Effect":"Allow","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:role/a","arn:aws:sts::123456789012:assumed-role/a/b"]}}}`},
		{
			policy:   `{"Statement":{"Effect":"Allow","Principal":{"AWS":["arn:aws-cn:iam::123456789012:role/a","arn:aws:iam::123456789012:*","999999999999"],"Service":"x.amazonaws.com"}}}`,
			anywhere: []string{"999999999999", "Service:x.amazonaws.com", "arn:aws-cn:iam::123456789012:role/a", "arn:aws:iam::123456789012:*"},
			here:     []string{"999999999999", "Service:x.amazonaws.com", "arn:aws-cn:iam::123456789012:role/a", "arn:aws:iam::123456789012:*"},
		},
		{
			policy: `{"Statement":[{"Effect":"Allow","Principal":"*","Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/other/*"},` +
				`{"Effect":"Allow","Principal":"999999999999","Resource":["x","arn:aws:ecr:*:*:repository/rise/*"]}]}`,
			anywhere: []string{"*", "999999999999"}, here: []string{"999999999999"},
		},
	} {
		t.Run(test.policy, func(t *testing.T) {
			t.Parallel()
			anywhere, err := setup(t).Strangers(test.policy)
			require.Equal(t, test.fails, err != nil)
			require.ElementsMatch(t, test.anywhere, anywhere)
			here, err := setup(t).StrangersHere(test.policy)
			require.Equal(t, test.fails, err != nil)
			require.ElementsMatch(t, test.here, here)
		})
	}
}

func TestPrincipalOf(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for caller, want := range map[string]string{
		"arn:aws:iam::123456789012:user/a":                    "arn:aws:iam::123456789012:user/a",
		"arn:aws:sts::123456789012:assumed-role/backend/pod":  s.RoleARN,
		"arn:aws:sts::999999999999:assumed-role/backend/pod":  "arn:aws:iam::999999999999:role/backend",
		"arn:aws:sts::123456789012:assumed-role/instance/i-1": "arn:aws:iam::123456789012:role/instance",
	} {
		require.Equal(t, want, s.PrincipalOf(caller))
	}
}
