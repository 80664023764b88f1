package ecr_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// The SDK quotes a credential_process's output in its error.
func TestCredentialProcessIsNotQuoted(t *testing.T) { //nolint:paralleltest // environment
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.chain(t)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	const secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
	dir := t.TempDir()
	output, profile := filepath.Join(dir, "output"), filepath.Join(dir, "config")
	for command, want := range map[string]string{
		"cat " + output:                "printed what isn't its JSON",
		"cat " + output + " /nowhere/": "exit status 1",
	} {
		require.NoError(t, os.WriteFile(output, []byte(`{"Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "`+secret+`",}`), 0o600))
		require.NoError(t, os.WriteFile(profile, []byte("[default]\ncredential_process = "+command+"\n"), 0o600))
		p, err := ecr.New(t.Context(), aws.config,
			ecr.WithLoadOptions(config.WithSharedConfigFiles([]string{profile}), config.WithSharedCredentialsFiles(nil)))
		require.NoError(t, err)
		_, err = p.Credentials(t.Context(), push)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), secret)
		for f := range p.Diagnose(t.Context(), diagnosis.Options{}) {
			require.NotContains(t, f.Summary+f.Remedy, secret)
			for _, e := range f.Evidence {
				require.NotContains(t, e.String(), secret)
			}
		}
	}
}
