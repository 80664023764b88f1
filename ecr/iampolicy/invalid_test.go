package iampolicy_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	const root = "arn:aws:iam::123456789012:root"
	for name, test := range map[string]struct {
		config  func(*ecr.Config)
		options func(*iampolicy.Options)
		key     string
		why     string
	}{
		"invalid configuration":     {func(c *ecr.Config) { c.AccountID = "1" }, nil, "account_id", "12 digits"},
		"wildcard in a role":        {func(c *ecr.Config) { c.PushRoleARN = "arn:aws:iam::123456789012:role/*" }, nil, "push_role_arn", "without wildcards"},
		"one role for both":         {func(c *ecr.Config) { c.PullRoleARN = c.PushRoleARN }, nil, "pull_role_arn", "must not be push_role_arn"},
		"deleting, no installation": {func(c *ecr.Config) { c.AutoRemove, c.Installation = true, "" }, nil, "installation", "required with auto_remove"},
		"tag key beyond IAM":        {func(c *ecr.Config) { c.Tags = tags("団体", "x") }, nil, "tags", "ISO 8859-1"},
		"too many long tag keys": {func(c *ecr.Config) {
			c.Tags = map[string]string{}
			for i := range 42 {
				c.Tags[fmt.Sprintf("%02d", i)+strings.Repeat("k", 126)] = ""
			}
		}, nil, "tags", "more than the 6144"},
		"long tag keys, three times each": {func(c *ecr.Config) {
			c.Tags = map[string]string{}
			for i := range 10 {
				c.Tags[fmt.Sprintf("%02d", i)+strings.Repeat("k", 126)] = ""
			}
		}, nil, "tags", "more than the 6144"},
		"a prefix and ARNs that are too long together": {func(c *ecr.Config) {
			longest(c)
			c.PushRoleARN = strings.Replace(c.PushRoleARN, "role/", "role/"+strings.Repeat("more/", 5), 1)
		}, nil, "repo_prefix", "more than the 6144"},
		"no controller":                    {nil, func(o *iampolicy.Options) { o.ControllerARN = "" }, "controller_arn", "required where role_arn isn't set"},
		"another controller than role_arn": {func(c *ecr.Config) { c.RoleARN = controllerARN + "-2" }, nil, "controller_arn", "role_arn"},
		"controller: root":                 {nil, func(o *iampolicy.Options) { o.ControllerARN = root }, "controller_arn", "root"},
		"controller: everybody":            {nil, func(o *iampolicy.Options) { o.ControllerARN = "*" }, "controller_arn", "ARN of an IAM role or user"},
		"controller: wildcard":             {nil, func(o *iampolicy.Options) { o.ControllerARN = "arn:aws:iam::123456789012:role/rise-*" }, "controller_arn", "without wildcards"},
		"controller: variable":             {nil, func(o *iampolicy.Options) { o.ControllerARN = "arn:aws:iam::123456789012:role/${aws:username}" }, "controller_arn", "without wildcards"},
		"controller: session":              {nil, func(o *iampolicy.Options) { o.ControllerARN = "arn:aws:sts::123456789012:assumed-role/rise-backend/x" }, "controller_arn", "ARN of an IAM role or user"},
		"controller: account":              {nil, func(o *iampolicy.Options) { o.ControllerARN = "123456789012" }, "controller_arn", "ARN of an IAM role or user"},
		"controller: other account":        {nil, func(o *iampolicy.Options) { o.ControllerARN = "arn:aws:iam::999999999999:role/x" }, "controller_arn", "account_id"},
		"controller: other partition":      {nil, func(o *iampolicy.Options) { o.ControllerARN = "arn:aws-cn:iam::123456789012:role/x" }, "controller_arn", "partition aws"},
		"controller: push role":            {nil, func(o *iampolicy.Options) { o.ControllerARN = pushARN }, "controller_arn", "another role"},
		"principals: root":                 {nil, func(o *iampolicy.Options) { o.Principals = []string{userARN, root} }, "principals[1]", "root"},
		"principals: everybody":            {nil, func(o *iampolicy.Options) { o.Principals = []string{"*"} }, "principals[0]", "ARN of an IAM role or user"},
		"principals: group":                {nil, func(o *iampolicy.Options) { o.Principals = []string{"arn:aws:iam::123456789012:group/x"} }, "principals[0]", "role or user"},
		"principals: too many": {nil, func(o *iampolicy.Options) {
			for i := range 60 {
				o.Principals = append(o.Principals, fmt.Sprintf("%s-%d", userARN, i))
			}
		}, "principals", "more than the 2048"},
		"services: another":     {nil, func(o *iampolicy.Options) { o.Services = []iampolicy.Service{iampolicy.EC2, "s3"} }, "services[1]", "ecs-tasks, ec2 or lambda"},
		"services: everybody":   {nil, func(o *iampolicy.Options) { o.Services = []iampolicy.Service{"*"} }, "services[0]", "ecs-tasks, ec2 or lambda"},
		"services: a principal": {nil, func(o *iampolicy.Options) { o.Services = []iampolicy.Service{"ec2.amazonaws.com"} }, "services[0]", "ecs-tasks, ec2 or lambda"},
		"services: twice":       {nil, func(o *iampolicy.Options) { o.Services = []iampolicy.Service{iampolicy.EC2, iampolicy.EC2} }, "services[1]", "twice"},
		"operators: everybody":  {nil, func(o *iampolicy.Options) { o.Operators = []string{"arn:aws:iam::*:role/x"} }, "operators[0]", "without wildcards"},
		"IRSA: no provider":     {nil, func(o *iampolicy.Options) { o.IRSA.ProviderARN = "" }, "irsa.oidc_provider_arn", "OIDC provider"},
		"IRSA: wildcard": {nil, func(o *iampolicy.Options) {
			o.IRSA.ProviderARN = "arn:aws:iam::123456789012:oidc-provider/*.example.com"
		}, "irsa.oidc_provider_arn", "OIDC provider"},
		"IRSA: other account": {nil, func(o *iampolicy.Options) {
			o.IRSA.ProviderARN = strings.Replace(o.IRSA.ProviderARN, "1234", "9234", 1)
		}, "irsa.oidc_provider_arn", "account_id"},
		"IRSA: any namespace":         {nil, func(o *iampolicy.Options) { o.IRSA.Namespace = "*" }, "irsa.namespace", "Kubernetes namespace"},
		"IRSA: no service account":    {nil, func(o *iampolicy.Options) { o.IRSA.ServiceAccount = "" }, "irsa.service_account", "Kubernetes service account"},
		"Pod Identity: no cluster":    {nil, func(o *iampolicy.Options) { o.PodIdentity.ClusterARN = "" }, "pod_identity.cluster_arn", "EKS cluster"},
		"Pod Identity: any cluster":   {nil, func(o *iampolicy.Options) { o.PodIdentity.ClusterARN = "arn:aws:eks:eu-west-1:123456789012:cluster/*" }, "pod_identity.cluster_arn", "EKS cluster"},
		"Pod Identity: any namespace": {nil, func(o *iampolicy.Options) { o.PodIdentity.Namespace = "rise-?" }, "pod_identity.namespace", "Kubernetes namespace"},
		"Pod Identity: variable":      {nil, func(o *iampolicy.Options) { o.PodIdentity.ServiceAccount = "${x}" }, "pod_identity.service_account", "Kubernetes service account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, o := standard(), everyone()
			if test.config != nil {
				test.config(&c)
			}
			if test.options != nil {
				test.options(&o)
			}
			policies, err := iampolicy.All(c, o)
			require.ErrorIs(t, err, provider.ErrMisconfigured)
			require.Empty(t, policies)
			var first *provider.ConfigError
			require.ErrorAs(t, err, &first)
			require.Equal(t, test.key, first.Key)
			require.Contains(t, first.Problem, test.why)
		})
	}
	for name, build := range map[string]func() (iampolicy.Document, error){
		"pull_role_arn": func() (iampolicy.Document, error) { return iampolicy.Pull(standard()) },
		"kms_key_arn":   func() (iampolicy.Document, error) { return iampolicy.Key(standard(), everyone()) },
		"principals":    func() (iampolicy.Document, error) { return iampolicy.ControllerTrust(standard(), iampolicy.Options{}) },
		"controller_arn": func() (iampolicy.Document, error) {
			return iampolicy.User(standard(), iampolicy.Options{ControllerARN: userARN})
		},
	} {
		d, err := build()
		require.ErrorIs(t, err, provider.ErrMisconfigured, name)
		require.ErrorContains(t, err, name)
		require.Empty(t, d)
	}
}

// longest makes all names as long as AWS lets them be.
func longest(c *ecr.Config) {
	path := "arn:aws:iam::123456789012:role/" + strings.Repeat("p", 510) + "/"
	c.PushRoleARN, c.PullRoleARN = path+strings.Repeat("r", 64), path+strings.Repeat("q", 64)
	c.RepoPrefix, c.Installation = strings.Repeat("a", 192)+"/", strings.Repeat("i", 63)
	c.KMSKeyARN, c.AutoRemove, c.MaxImageCount = keyARN, true, 1
}

// The controller's policy fits: with the longest names, or with everything that can be configured and 40 tags.
func TestFits(t *testing.T) {
	t.Parallel()
	names, keys := standard(), standard()
	longest(&names)
	keys.PullRoleARN, keys.KMSKeyARN, keys.AutoRemove, keys.MaxImageCount, keys.Tags = pullARN, keyARN, true, 1, map[string]string{}
	for i := range 40 {
		keys.Tags[fmt.Sprintf("company:%02d:cost-center", i)[:20]] = "x"
	}
	require.Len(t, keys.Tags, 40)
	for _, c := range []ecr.Config{names, keys} {
		d, err := iampolicy.Controller(c)
		require.NoError(t, err)
		require.Greater(t, d.Size(), 5800)
		require.LessOrEqual(t, d.Size(), iampolicy.MaxIdentity)
	}
}

// A service may run as a user that is itself the controller: then nothing assumes a controller role.
func TestControllerUser(t *testing.T) {
	t.Parallel()
	o := iampolicy.Options{ControllerARN: userARN}
	policies, err := iampolicy.All(standard(), o)
	require.NoError(t, err)
	var names []string
	for _, p := range policies {
		names = append(names, p.Name)
		if p.Name == "diagnose" {
			require.NotContains(t, p.Document.String(), userARN, "iam:GetRole is for roles")
		}
	}
	require.Equal(t, []string{"controller", "push", "push-trust", "diagnose", "service-control"}, names)
}

// Every action exists.
func TestActionsExist(t *testing.T) {
	t.Parallel()
	clients := map[string]reflect.Type{"ecr": reflect.TypeFor[*awsecr.Client](), "sts": reflect.TypeFor[*awssts.Client]()}
	known := map[string]bool{ // permissions that aren't operations, and services whose SDK isn't a dependency
		"sts:TagSession": true, "iam:GetRole": true, "kms:DescribeKey": true, "kms:RetireGrant": true, "kms:CreateGrant": true,
	}
	in := readInput(t, "everything")
	policies, err := iampolicy.All(in.config(), in.options())
	require.NoError(t, err)
	seen := 0
	for _, p := range policies {
		for _, s := range p.Document.Statement {
			for _, action := range append(s.Action, s.NotAction...) {
				service, operation, _ := strings.Cut(action, ":")
				if !known[action] {
					require.Contains(t, clients, service, action)
					_, ok := clients[service].MethodByName(operation)
					require.True(t, ok, "%s: %s", p.Name, action)
				}
				seen++
			}
		}
	}
	require.Greater(t, seen, 40)
}
