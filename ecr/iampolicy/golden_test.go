package iampolicy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

var update = flag.Bool("update", false, "rewrite the policies in testdata/policies")

const golden = "../../testdata/policies"

// input is a case's input.json, in the Terraform module's words: it reads the same files.
type input struct {
	Partition         string              `json:"partition"`
	DNSSuffix         string              `json:"dns_suffix"`
	Region            string              `json:"region"`
	AccountID         string              `json:"account_id"`
	RepoPrefix        string              `json:"repo_prefix"`
	Shared            []string            `json:"shared_repositories"`
	Installation      string              `json:"installation"`
	ControllerRoleARN string              `json:"controller_role_arn"`
	PushRoleARN       string              `json:"push_role_arn"`
	PullRoleARN       string              `json:"pull_role_arn"`
	ExternalID        string              `json:"external_id"`
	RoleExternalID    string              `json:"role_external_id"`
	KMSKeyARN         string              `json:"kms_key_arn"`
	SessionTags       bool                `json:"session_tags"`
	AutoRemove        bool                `json:"auto_remove"`
	Tags              map[string]string   `json:"tags"`
	Principals        []string            `json:"principals"`
	Services          []iampolicy.Service `json:"services"`
	Operators         []string            `json:"operators"` // of the service control policy, which the module doesn't make
	IRSA              struct {
		OIDCProviderARN string `json:"oidc_provider_arn"`
		Namespace       string `json:"namespace"`
		ServiceAccount  string `json:"service_account"`
	} `json:"irsa"`
	PodIdentity struct {
		ClusterARN     string `json:"cluster_arn"`
		Namespace      string `json:"namespace"`
		ServiceAccount string `json:"service_account"`
	} `json:"pod_identity"`
	Settings struct {
		MaxImageCount      int `json:"max_image_count"`
		UntaggedExpireDays int `json:"untagged_expire_days"`

		ProjectIDs      any `json:"project_ids"` // these have no influence on policies
		SessionDuration any `json:"session_duration"`
		RemoveAfter     any `json:"remove_after"`
		Mutability      any `json:"image_tag_mutability"`
		Exclusions      any `json:"image_tag_mutability_exclusions"`
		ScanOnPush      any `json:"scan_on_push"`
	} `json:"settings"` // of the registry section
}

func (in input) config() ecr.Config {
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.RepoPrefix, c.Installation = in.Region, in.AccountID, in.RepoPrefix, in.Installation
	c.PushRoleARN, c.PullRoleARN, c.ExternalID, c.KMSKeyARN = in.PushRoleARN, in.PullRoleARN, in.ExternalID, in.KMSKeyARN
	c.SessionTags, c.AutoRemove = in.SessionTags, in.AutoRemove
	c.RoleExternalID, c.Tags = in.RoleExternalID, in.Tags
	c.SharedRepositories = in.Shared
	c.MaxImageCount, c.UntaggedExpireDays = in.Settings.MaxImageCount, in.Settings.UntaggedExpireDays
	if len(in.Principals) > 0 { // they assume the controller role
		c.RoleARN = in.ControllerRoleARN
	}
	return c
}

func (in input) options() iampolicy.Options {
	return iampolicy.Options{
		ControllerARN: in.ControllerRoleARN, IRSA: iampolicy.IRSA{
			ProviderARN: in.IRSA.OIDCProviderARN, Namespace: in.IRSA.Namespace, ServiceAccount: in.IRSA.ServiceAccount,
		}, PodIdentity: iampolicy.PodIdentity(in.PodIdentity), Principals: in.Principals, Services: in.Services, Operators: in.Operators,
	}
}

func readInput(t *testing.T, name string) input {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(golden, name, "input.json"))
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var in input
	require.NoError(t, decoder.Decode(&in))
	return in
}

func caseNames(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(golden)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.GreaterOrEqual(t, len(names), 9)
	return names
}

// The policies are those in testdata/policies, to the byte. go test ./ecr/iampolicy -run TestGolden -update rewrites them.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := readInput(t, name)
			policies, err := iampolicy.All(in.config(), in.options())
			require.NoError(t, err)
			for file, r := range map[string]provider.Request{
				"session-push": {Project: "hello", Access: provider.Push}, "session-pull": {Project: "hello", Access: provider.Pull},
				"session-push-id": {Project: "hello", ProjectID: "0b5f8c9e-8a34-4f0b-9d8e-2f6d1c7a5b3e", Access: provider.Push},
			} {
				d, err := iampolicy.Session(in.config(), r)
				require.NoError(t, err)
				policies = append(policies, iampolicy.Policy{Name: file, Document: d})
			}
			known := []string{"input.json", "registry.json"}
			for _, p := range policies {
				text, err := json.MarshalIndent(p.Document, "", "  ")
				require.NoError(t, err)
				path := filepath.Join(golden, name, p.Name+".json")
				if *update {
					require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
				}
				want, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, string(want), string(text)+"\n")
				known = append(known, p.Name+".json")
			}
			require.Equal(t, policies[:len(policies)-3], provisioned(t, name, in.options()), "what the registry section asks for")
			files, err := os.ReadDir(filepath.Join(golden, name))
			require.NoError(t, err)
			for _, f := range files {
				require.True(t, slices.Contains(known, f.Name()), "%s/%s is made by nobody", name, f.Name())
			}
		})
	}
}

// provisioned are the policies of the configuration in registry.json, which is what the Terraform module puts out.
func provisioned(t *testing.T, name string, o iampolicy.Options) []iampolicy.Policy {
	t.Helper()
	section, err := os.ReadFile(filepath.Join(golden, name, "registry.json"))
	require.NoError(t, err)
	factory, err := registry.NewFactory(ecr.Builder())
	require.NoError(t, err)
	into := struct {
		Registry registry.Config `yaml:"registry"`
	}{factory.Config()}
	require.NoError(t, configload.Loader{
		RunMode: "test", FS: fstest.MapFS{"test.yaml": {Data: slices.Concat([]byte(`{"registry":`), section, []byte("}"))}},
		LookupEnv: func(string) (string, bool) { return "", false },
	}.Load(&into))
	c, ok := into.Registry.Section().(*ecr.Config)
	require.True(t, ok)
	policies, err := iampolicy.All(*c, o)
	require.NoError(t, err)
	return policies
}
