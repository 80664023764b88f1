package ecr_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// stsEndpoint sets the endpoint of STS as AWS_ENDPOINT_URL_STS does.
func stsEndpoint(t *testing.T, url string) ecr.Option {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte("[default]\nservices = mine\n[services mine]\nsts =\n  endpoint_url = "+url+"\n"), 0o600))
	return ecr.WithLoadOptions(config.WithSharedConfigFiles([]string{file}))
}

// STS may be asked in another region than the registry's, and is signed for the region that its endpoint names.
func TestSTSRegion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		key, endpoint string // sts_region, AWS_ENDPOINT_URL_STS
		region        string // that requests are signed for; "" means that New fails
	}{
		"neither":                    {"", "", "eu-west-1"},
		"the registry's":             {"eu-west-1", "", "eu-west-1"},
		"another":                    {"us-east-1", "", "us-east-1"},
		"endpoint of another":        {"", "https://sts.us-east-1.amazonaws.com", "us-east-1"},
		"both of another":            {"us-east-1", "https://sts.us-east-1.amazonaws.com", "us-east-1"},
		"endpoint of the registry's": {"", "https://sts.eu-west-1.amazonaws.com", "eu-west-1"},
		"the global endpoint":        {"", "https://sts.amazonaws.com/", "us-east-1"},
		"FIPS":                       {"", "https://sts-fips.us-east-1.amazonaws.com", "us-east-1"},
		"dual stack":                 {"", "https://sts.us-east-1.api.aws", "us-east-1"},
		"upper case":                 {"", "https://STS.US-EAST-1.amazonaws.com", "us-east-1"},
		"VPC endpoint":               {"", "https://vpce-0123-abcd.sts.us-east-1.vpce.amazonaws.com", "us-east-1"},
		"VPC endpoint, zonal":        {"", "https://vpce-0123-abcd-us-east-1a.sts.us-east-1.vpce.amazonaws.com:443", "us-east-1"},
		"a name of one's own":        {"", "https://sts.internal.example.com", "eu-west-1"},
		"one's own with the key":     {"us-east-1", "https://sts.internal.example.com", "us-east-1"},
		"looks like AWS's":           {"", "https://sts.us-east-1.amazonaws.com.example.com", "eu-west-1"},
		"they disagree":              {"eu-central-1", "https://sts.us-east-1.amazonaws.com", ""},
		"the registry's, disagreed":  {"eu-west-1", "https://sts.us-east-1.amazonaws.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{InMemory: true, OtherRegions: []string{"us-east-1"}}, ecrtest.SetupOptions{})
			aws.CreateRepository(aws.deployment.Repository("hello"))
			aws.config.STSRegion = test.key
			opts := []ecr.Option{hermetic(), inMemory(aws.Server)}
			if test.endpoint != "" {
				opts = append(opts, stsEndpoint(t, test.endpoint))
			}
			p, err := ecr.New(t.Context(), aws.config, opts...)
			if test.region == "" {
				require.ErrorIs(t, err, provider.ErrMisconfigured)
				require.ErrorContains(t, err, "is of region us-east-1, and sts_region is another")
				return
			}
			require.NoError(t, err)
			findings, err := diagnosis.Of(t.Context(), p, diagnosis.Options{})
			require.NoError(t, err)
			for f := range findings {
				require.Equal(t, "config", f.Check)
				require.Contains(t, f.Evidence, slog.String("sts_region", test.region))
				break
			}
			if strings.Contains(test.endpoint, "example.com") { // nobody is there
				return
			}
			_, err = provider.Issue(t.Context(), p, push)
			require.NoError(t, err)
			for _, call := range aws.Calls() {
				want := test.region
				if call.Service == "ecr" {
					want = "eu-west-1"
				}
				require.Equal(t, want, call.Region, call.Name())
			}
		})
	}
}
