package ecr_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
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

// What a terminal obeys isn't text.
func TestErrorsArePrintable(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.Inject(ecrtest.Fault{Action: sts, Error: "AccessDenied", Message: "a\u009b31mred\u202eevil\u2028line\u0085x"})
	_, err := aws.provider(t).Credentials(t.Context(), push)
	require.ErrorContains(t, err, "AccessDenied: a 31mred evil line x")
}
