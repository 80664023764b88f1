package ecr_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// An endpoint that sends back, wherever an error of AWS has text, what it was sent: a session token, say.
func TestErrorsEchoNothing(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("IQoJb3JpZ2lu", 40)
	for _, action := range []string{sts, token} {
		for name, fault := range map[string]ecrtest.Fault{
			"code":       {Error: secret, Message: "no"},
			"message":    {Error: "AccessDenied", Message: secret},
			"request id": {Error: "AccessDenied", Header: http.Header{"X-Amzn-Requestid": {secret}, "X-Amz-Requestid": {secret}}},
		} {
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			fault.Action = action
			aws.Inject(fault)
			_, err := aws.provider(t).Credentials(t.Context(), push)
			require.Error(t, err)
			e := asError(t, err)
			require.NotContains(t, fmt.Sprint(err.Error(), slog.GroupValue(e.Details...)), secret, "%s in the %s", action, name)
		}
	}
}

// echoing has that for the request id of each answer.
type echoing string

func (e echoing) Do(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		response.Header.Set("X-Amzn-Requestid", string(e))
	}
	return response, err
}

// An answer that is no error, with a secret for its request id, in a diagnosis.
func TestDiagnosisEchoesNothing(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.config.RegistryHost = aws.RegistryHost
	secret := aws.config.SecretAccessKey.Reveal()
	echo := ecr.WithLoadOptions(config.WithHTTPClient(echoing(secret)))
	seen := false
	for f := range aws.provider(t, echo).Diagnose(t.Context(), diagnosis.Options{}) {
		text := fmt.Sprint(f.Summary, f.Remedy, slog.GroupValue(f.Evidence...))
		require.NotContains(t, text, secret, f.Check)
		seen = seen || strings.Contains(text, provider.Redacted)
	}
	require.True(t, seen, "some finding has that request id")
}

// Names in answers that are no error, which findings tell.
func TestDiagnosisNamesNoSecret(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.config.RegistryHost = aws.RegistryHost
	secret := aws.config.SecretAccessKey.Reveal()[10:22]
	r := aws.deployment.Repository("hello")
	r.Tags["rise:installation"] = secret
	aws.CreateRepository(r)
	t.Cleanup(aws.AddCreationTemplate(ecrtest.CreationTemplate{Prefix: "rise", AppliedFor: []string{"CREATE_ON_PUSH"}}))
	aws.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositoryCreationTemplates", Mutate: func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"prefix":"rise"`), []byte(`"prefix":"rise/`+secret+`"`))
	}})
	aws.reads()
	text := ""
	for f := range aws.provider(t).Diagnose(t.Context(), diagnosis.Options{Project: "hello"}) {
		text += fmt.Sprint(f.Summary, f.Remedy, slog.GroupValue(f.Evidence...))
	}
	require.Contains(t, text, "a creation template that creates repositories on push reaches into rise/: [redacted]")
	require.NotContains(t, text, secret)
}

// What a terminal obeys isn't text.
func TestErrorsArePrintable(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.Inject(ecrtest.Fault{Action: sts, Error: "AccessDenied", Message: "a\u009b31mrole\u202epolicy\u2028line\u0085x"})
	_, err := aws.provider(t).Credentials(t.Context(), push)
	require.ErrorContains(t, err, "AccessDenied: a [redacted] policy line x")
}
