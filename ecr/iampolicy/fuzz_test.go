package iampolicy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Whatever is accepted makes policies that parse, that name nobody at large, and that reach nothing outside the prefix.
func FuzzPolicies(f *testing.F) {
	add := func(region, account, prefix, installation, push, pull, controller, external, key, tag, principal, oidc, cluster, namespace, serviceAccount string) {
		for _, shared := range []string{"", "base", "mirror/*", prefix + "*", "*", "rise*", "../rise/x"} {
			f.Add(region, account, prefix, installation, push, pull, controller, external, key, tag, principal, oidc, cluster, namespace, serviceAccount, shared, true, true)
		}
	}
	o := everyone()
	add("eu-west-1", "123456789012", "rise/", "prod", pushARN, pullARN, controllerARN, "id", keyARN, "cost-center", userARN,
		o.IRSA.ProviderARN, clusterARN, "rise-system", "rise-backend")
	add("eu-west-1", "123456789012", "", "", pushARN, "", controllerARN, "", "", "", "", "", "", "", "")
	add("cn-north-1", "123456789012", "a/b-", "p", "arn:aws-cn:iam::123456789012:role/p", "", "arn:aws-cn:iam::123456789012:user/c/d", "", "",
		"Team name", "arn:aws-cn:iam::999999999999:role/x", "", "", "", "")
	add("eu-west-1", "123456789012", "*", "*", "*", "*", "*", "*", "*", "*", "*", "*", "*", "*", "*")
	add("eu-west-1", "123456789012", "rise/", "${aws:username}", pushARN, "", "arn:aws:iam::123456789012:root", `"}`, "", `"`, "arn:aws:iam::123456789012:root", "", "", "", "")
	f.Fuzz(func(t *testing.T, region, account, prefix, installation, push, pull, controller, external, key, tag, principal, oidc, cluster,
		namespace, serviceAccount, shared string, sessionTags, autoRemove bool,
	) {
		c := ecr.DefaultConfig()
		c.Region, c.AccountID, c.RepoPrefix, c.Installation = region, account, prefix, installation
		c.PushRoleARN, c.PullRoleARN, c.ExternalID, c.KMSKeyARN = push, pull, external, key
		c.SessionTags, c.AutoRemove = sessionTags, autoRemove
		if tag != "" {
			c.Tags = tags(tag, "")
		}
		if shared != "" {
			c.SharedRepositories = []string{shared}
		}
		o := iampolicy.Options{ControllerARN: controller}
		if principal != "" {
			o.Principals, o.Operators = []string{principal}, []string{principal}
		}
		if oidc != "" {
			o.IRSA = iampolicy.IRSA{ProviderARN: oidc, Namespace: namespace, ServiceAccount: serviceAccount}
		}
		if cluster != "" {
			o.PodIdentity = iampolicy.PodIdentity{ClusterARN: cluster, Namespace: namespace, ServiceAccount: serviceAccount}
		}
		policies, err := iampolicy.All(c, o)
		if err != nil {
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			require.Empty(t, policies)
			return
		}
		if prefix == "" {
			prefix = "rise/"
		}
		repositories := ":ecr:" + region + ":" + account + ":repository/"
		if shared != "" {
			below, pattern := strings.CutSuffix(shared, "*")
			require.NotContains(t, below, "*")
			require.Equal(t, pattern, strings.HasSuffix(below, "/"))
			require.False(t, strings.HasPrefix(below, prefix) || pattern && strings.HasPrefix(prefix, below), "%s opens what is under %s", shared, prefix)
		}
		for _, p := range policies {
			text := p.Document.String()
			var again iampolicy.Document
			require.NoError(t, json.Unmarshal([]byte(text), &again))
			require.Equal(t, text, again.String(), "stable")
			require.LessOrEqual(t, p.Document.Size(), 6144)
			require.Equal(t, "2012-10-17", p.Document.Version)
			trusting := strings.HasSuffix(p.Name, "-trust") || p.Name == "key"
			sids := map[string]bool{}
			for _, s := range p.Document.Statement {
				require.False(t, sids[s.Sid], "%s: two statements %s", p.Name, s.Sid)
				sids[s.Sid] = true
				require.Equal(t, trusting, len(s.Principal) > 0, p.Name)
				for kind, who := range s.Principal {
					require.Contains(t, []string{"AWS", "Federated", "Service"}, kind)
					require.NotEmpty(t, who)
					for _, one := range who {
						require.False(t, strings.ContainsAny(one, "*?$ ") || strings.HasSuffix(one, ":root"), "principal %q", one)
						require.NotContains(t, []string{"", account}, one)
					}
				}
				if p.Name == "key" || strings.HasSuffix(p.Name, "-trust") {
					continue
				}
				require.NotEmpty(t, append(s.Resource, s.NotResource...))
				for _, one := range append(s.Resource, s.NotResource...) {
					switch {
					case one == "*":
						require.True(t, s.Effect == "Deny" || s.Sid == "Token" || s.Sid == "ReadRegistry", "%s %s", p.Name, s.Sid)
					case s.Sid == "List":
						require.True(t, strings.HasSuffix(one, repositories+"*"))
					case shared != "" && strings.HasSuffix(one, repositories+shared):
						require.Contains(t, []string{"push", "pull"}, p.Name)
						require.True(t, s.Sid == "Shared" || s.Effect == "Deny", s.Sid)
						require.True(t, s.Sid != "Shared" || len(s.Action) == 3, "pulling only")
					case strings.Contains(one, "*"):
						require.True(t, strings.HasSuffix(one, repositories+prefix+"*"), one)
						require.Equal(t, 1, strings.Count(one, "*"))
					default:
						require.Contains(t, []string{push, pull, controller, key}, one)
					}
					require.NotContains(t, one, "?")
					require.NotContains(t, one, "$")
				}
			}
			require.Equal(t, sessionTags && p.Name == "push", strings.Contains(text, "$"), "one variable, in one place")
		}
	})
}
