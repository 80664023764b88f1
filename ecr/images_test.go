package ecr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A tenant gets no other project's image by another name of the same registry.
func TestCheckImage(t *testing.T) {
	t.Parallel()
	const account, another = "123456789012", "210987654321"
	build := func(change func(*ecr.Config)) provider.Provider {
		c := ecr.Config{Region: "eu-west-1", AccountID: account, PushRoleARN: "arn:aws:iam::123456789012:role/p", SharedRepositories: []string{"base", "mirror/*"}}
		change(&c)
		p, err := ecr.New(t.Context(), c)
		require.NoError(t, err)
		return p
	}
	for name, p := range map[string]provider.Provider{
		"plain":       build(func(*ecr.Config) {}),
		"FIPS":        build(func(c *ecr.Config) { c.UseFIPS = true }),
		"dual stack":  build(func(c *ecr.Config) { c.UseDualStack = true }),
		"PrivateLink": build(func(c *ecr.Config) { c.RegistryHost = "vpce-0123-abcd.dkr.ecr.eu-west-1.vpce.amazonaws.com" }),
		"own name":    build(func(c *ecr.Config) { c.RegistryHost = "registry.example.com:8443" }),
	} {
		own, err := p.Repository("hello", provider.Client)
		require.NoError(t, err)
		require.NoError(t, provider.CheckImage(p, "hello", own.String()+":v1"), name)
		for _, host := range []string{
			own.RegistryStr(), // and all names of the same registry, or a copy
			account + ".dkr.ecr.eu-west-1.amazonaws.com", account + ".DKR.ECR.eu-west-1.AmazonAWS.com", account + ".dkr.ecr.eu-west-1.amazonaws.com:443",
			account + ".dkr.ecr-fips.eu-west-1.amazonaws.com", account + ".dkr-ecr.eu-west-1.on.aws", account + ".dkr-ecr-fips.eu-west-1.on.aws",
			account + ".dkr.ecr.us-east-1.amazonaws.com", account + ".dkr-ecr.us-east-1.on.aws", account + ".dkr.ecr.cn-north-1.amazonaws.com.cn",
			"vpce-0123-abcd.dkr.ecr.eu-west-1.vpce.amazonaws.com", "vpce-0123-abcd-eu-west-1a.dkr.ecr.eu-west-1.vpce.amazonaws.com:443",
			"vpce-9.dkr.ecr-fips.us-east-1.vpce.amazonaws.com", account + ".dkr.ecr.eu-west-1.vpce.amazonaws.com", "dkr.ecr.eu-west-1.vpce.amazonaws.com",
		} {
			for image, want := range map[string]provider.Kind{
				"/rise/hello": "", "/base": "", "/mirror/library/nginx": "",
				"/rise/other": provider.ErrNotFound, "/rise/hello/web": provider.ErrNotFound, "/base/x": provider.ErrNotFound, "/mirror": provider.ErrNotFound, "/billing": provider.ErrNotFound,
			} {
				err := provider.CheckImage(p, "hello", host+image)
				require.Equal(t, want, provider.KindOf(err), "%s: %s%s: %v", name, host, image, err)
			}
		}
		for _, host := range []string{
			another + ".dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws", account + ".dkr.ecr.eu-west-1.amazonaws.com.evil.com",
			account + ".dkr.ecr.eu-west-1.evil.com", "x" + account + ".dkr.ecr.eu-west-1.amazonaws.com", "x." + account + ".dkr.ecr.eu-west-1.amazonaws.com",
			account + ".dkr.ecr.amazonaws.com", account + ".dkr.ecr.eu-west-1.vpce.amazonaws.com.evil.com", "vpce-0123.evil-dkr.ecr.eu-west-1.vpce.amazonaws.com", "docker.io",
		} {
			require.NoError(t, provider.CheckImage(p, "hello", host+"/rise/other"), "%s: %s", name, host)
		}
	}
}
