package oci_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Whether clients can use the token service that a registry names shows without a login.
func TestRealm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		challenges []string // SELF is the registry's URL, HOST its host and port
		tls        bool
		status     diagnosis.Status
		summary    string
	}{
		"its own host":           {[]string{`Bearer realm="SELF/token",service="x"`}, false, diagnosis.Passed, "a token of its token service"},
		"its own host, TLS":      {[]string{`Bearer realm="SELF/token",service="x"`}, true, diagnosis.Passed, "a token of its token service"},
		"a public name":          {[]string{`bearer realm="https://auth.example.com/token?x=1",service="x"`}, true, diagnosis.Passed, "a token of its token service"},
		"behind Negotiate":       {[]string{"Negotiate", `Bearer service="x",realm="https://auth.example.com/token"`}, true, diagnosis.Passed, "a token"},
		"basic's realm is words": {[]string{`Basic realm="all of it"`}, true, diagnosis.Passed, "a user name and password"},
		"none":                   {[]string{`Bearer service="x"`}, false, diagnosis.Failed, "no realm"},
		"no parameters":          {[]string{`Bearer`}, false, diagnosis.Failed, "no realm"},
		"empty":                  {[]string{`Bearer realm="",service="x"`}, false, diagnosis.Failed, "no realm"},
		"relative":               {[]string{`Bearer realm="/service/token",service="x"`}, false, diagnosis.Failed, "no absolute http or https URL"},
		"no scheme":              {[]string{`Bearer realm="registry.example.com/token",service="x"`}, false, diagnosis.Failed, "no absolute http or https URL"},
		"another scheme":         {[]string{`Bearer realm="ws://registry.example.com/token",service="x"`}, false, diagnosis.Failed, "no absolute http or https URL"},
		"not a URL":              {[]string{`Bearer realm="https://%zz/token",service="x"`}, false, diagnosis.Failed, "no absolute http or https URL"},
		"no host":                {[]string{`Bearer realm="https:///token",service="x"`}, false, diagnosis.Failed, "no valid host"},
		"odd host":               {[]string{`Bearer realm="https://a_b c/token",service="x"`}, false, diagnosis.Failed, "no "},
		"port out of range":      {[]string{`Bearer realm="https://auth.example.com:99999/token",service="x"`}, false, diagnosis.Failed, "no valid host"},
		"a login":                {[]string{`Bearer realm="https://me:hunter2@auth.example.com/token",service="x"`}, false, diagnosis.Failed, "holds a login"},
		"plain HTTP for TLS":     {[]string{`Bearer realm="http://auth.example.com/token",service="x"`}, true, diagnosis.Failed, "in the clear"},
		"plain HTTP on itself":   {[]string{`Bearer realm="http://HOST/token",service="x"`}, true, diagnosis.Failed, "in the clear"},
		"loopback elsewhere":     {[]string{`Bearer realm="https://127.0.0.2:1/token",service="x"`}, false, diagnosis.Warned, "go-containerregistry"},
		"metadata service":       {[]string{`Bearer realm="http://169.254.169.254/latest",service="x"`}, false, diagnosis.Warned, "go-containerregistry"},
		"private":                {[]string{`Bearer realm="https://10.1.2.3/token",service="x"`}, true, diagnosis.Warned, "go-containerregistry"},
		"private, IPv6":          {[]string{`Bearer realm="https://[fd00::1]/token",service="x"`}, true, diagnosis.Warned, "oras"},
		"private, IPv4 in IPv6":  {[]string{`Bearer realm="https://[::ffff:10.1.2.3]/token",service="x"`}, true, diagnosis.Warned, "oras"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var challenges []string
			handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Www-Authenticate"] = challenges
				w.WriteHeader(http.StatusUnauthorized)
			})
			server := httptest.NewUnstartedServer(handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if test.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			for _, c := range test.challenges {
				challenges = append(challenges, strings.NewReplacer("SELF", server.URL, "HOST", host(server)).Replace(c))
			}
			list := site{
				config: oci.ClientAuthConfig{RegistryURL: host(server)}, opts: append(login("", ""), oci.WithTransport(server.Client().Transport)),
			}.diagnose(t)
			require.Equal(t, "registry", list[0].Check)
			require.Equal(t, test.status, list[0].Status, "%+v", list)
			require.Contains(t, list[0].Summary, test.summary)
			require.Equal(t, test.status == diagnosis.Passed, list[0].Remedy == "")
		})
	}
}
