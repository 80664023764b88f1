package ecr_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Whatever a repository's policy says, nobody but the account's own principals is let in without force.
func FuzzAdopt(f *testing.F) {
	for _, principal := range []string{"*", "123456789012", "arn:aws:iam::123456789012:role/ci", "arn:aws:iam::999999999999:root", "arn:aws:iam::123456789012:*",
		"arn:aws:s3::123456789012:x", "", " 123456789012"} {
		f.Add(principal, "AWS", "")
	}
	f.Add("lambda.amazonaws.com", "Service", "")
	f.Add("", "", `{"Statement":[{"Effect":"Allow"}]}`)
	f.Add("", "", `{"Statement":{"Effect":"Allow","Principal":{"AWS":[1]}}}`)
	f.Add("", "", `null`)
	server := ecrtest.NewServer(ecrtest.Config{})
	f.Cleanup(server.Close)
	d := server.Setup(ecrtest.SetupOptions{})
	c := validConfig()
	c.PushRoleARN, c.Installation = d.PushRoleARN, "prod"
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(d.ControllerUser.ID), provider.NewSecret(d.ControllerUser.Secret)
	p, err := ecr.New(f.Context(), c, hermetic(), ecr.WithLoadOptions(config.WithBaseEndpoint(server.URL)))
	require.NoError(f, err)
	server.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	f.Fuzz(func(t *testing.T, principal, kind, raw string) {
		policy := raw
		if policy == "" {
			text, err := json.Marshal(map[string]any{"Statement": map[string]any{"Effect": "Allow", "Action": "ecr:*", "Principal": map[string]string{kind: principal}}})
			require.NoError(t, err)
			policy = string(text)
		}
		answer, err := json.Marshal(map[string]string{"policyText": policy})
		require.NoError(t, err)
		server.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
			r.Tags, r.Policy = nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:PutImage"}]}`
		})
		defer server.Inject(ecrtest.Fault{Action: "ecr:GetRepositoryPolicy", Mutate: func([]byte) []byte { return answer }})()
		change, err := p.AdoptRepository(t.Context(), hello, false)
		own := kind == "AWS" && (principal == "123456789012" || strings.HasPrefix(principal, "arn:aws:iam::123456789012:") || strings.HasPrefix(principal, "arn:aws:sts::123456789012:"))
		switch {
		case raw == "" && !own:
			require.Error(t, err)
		case raw != "" && !strings.Contains(raw, "123456789012") && !strings.Contains(raw, "Deny") && strings.Contains(raw, `"Effect"`):
			require.Error(t, err)
		}
		require.Equal(t, err == nil, change.Changed())
	})
}
