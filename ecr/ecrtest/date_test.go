package ecrtest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// Every answer, of every protocol, is dated by the server's clock, unless a fault says otherwise.
func TestDate(t *testing.T) {
	t.Parallel()
	const offset = 30 * time.Hour
	srv := newServer(t, ecrtest.Config{ClockOffset: offset})
	pod := srv.AddPodIdentity(ecrtest.PodIdentity{Role: srv.AddRole(ecrtest.Role{Name: "pod", Trust: trustOf(`{"Service":"pods.eks.amazonaws.com"}`)})})
	for name, test := range map[string]struct {
		url, target, body string
		status            int
	}{
		"STS":               {srv.URL, "", "Action=GetCallerIdentity", http.StatusForbidden},
		"STS alone":         {srv.STSURL, "", "Action=AssumeRole", http.StatusForbidden},
		"ECR":               {srv.URL, "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", "{}", http.StatusBadRequest},
		"ECR alone":         {srv.ECRURL, "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", "{}", http.StatusBadRequest},
		"ECR at STS":        {srv.STSURL, "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", "{}", http.StatusNotFound},
		"too large":         {srv.URL, "", strings.Repeat("x", 2<<20), http.StatusRequestEntityTooLarge},
		"the registry":      {srv.URL + "/v2/", "", "", http.StatusUnauthorized},
		"registry manifest": {srv.URL + "/v2/a/manifests/b", "", "", http.StatusUnauthorized},
		"Pod Identity":      {pod.URL, "", "", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := http.MethodPost
			if test.body == "" {
				method = http.MethodGet
			}
			r, err := http.NewRequestWithContext(t.Context(), method, test.url, strings.NewReader(test.body))
			require.NoError(t, err)
			if test.target != "" {
				r.Header.Set("X-Amz-Target", test.target)
			}
			before := time.Now().Add(offset - time.Second)
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, test.status, resp.StatusCode)
			date, err := http.ParseTime(resp.Header.Get("Date"))
			require.NoError(t, err)
			require.WithinRange(t, date, before, time.Now().Add(offset))
		})
	}
}

func TestFaultyDate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ header, want []string }{
		"another":  {[]string{"Fri, 01 Jan 9999 00:00:00 GMT"}, []string{"Fri, 01 Jan 9999 00:00:00 GMT"}},
		"nonsense": {[]string{"soon"}, []string{"soon"}},
		"none":     {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{})
			srv.Inject(ecrtest.Fault{Action: "registry:Ping", Times: 1, Header: http.Header{"Date": test.header, "X-Amzn-Requestid": {"1"}}})
			answer := do(t, srv, "", http.MethodGet, "/v2/", "")
			require.Equal(t, test.want, answer.Header["Date"])
			require.Equal(t, "1", answer.Header.Get("X-Amzn-Requestid"))
			require.NotEmpty(t, do(t, srv, "", http.MethodGet, "/v2/", "").Header.Get("Date"))
		})
	}
}
