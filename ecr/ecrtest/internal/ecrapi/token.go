package ecrapi

import (
	"encoding/base64"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/cloud"
)

func getAuthorizationToken(c *call) (any, *awserr.Error) {
	var in struct {
		RegistryIDs []string `json:"registryIds"`
	}
	if err := c.input(&in); err != nil {
		return nil, err
	}
	if err := c.authorize("ecr:GetAuthorizationToken", "*", nil, nil); err != nil {
		return nil, err
	}
	accounts := in.RegistryIDs
	if len(accounts) == 0 {
		accounts = []string{c.who.Account()}
	}
	if len(accounts) > 10 {
		return nil, awserr.InvalidParameter("registryIds", "must have length less than or equal to 10")
	}
	type data struct {
		Token         string    `json:"authorizationToken"`
		ExpiresAt     timestamp `json:"expiresAt"`
		ProxyEndpoint string    `json:"proxyEndpoint"`
	}
	var out struct {
		Data []data `json:"authorizationData"`
	}
	for _, account := range accounts {
		if !cloud.IsAccount(account) {
			return nil, awserr.InvalidParameter("registryIds", "must satisfy regular expression '[0-9]{12}'")
		}
		t := c.cloud.Tokens.Issue(c.who, c.record.AccessKeyID, c.record.Region)
		out.Data = append(out.Data, data{
			Token:         base64.StdEncoding.EncodeToString([]byte("AWS:" + t.Password)),
			ExpiresAt:     timestamp(t.Expires),
			ProxyEndpoint: c.proxyEndpoint(account),
		})
	}
	return out, nil
}
