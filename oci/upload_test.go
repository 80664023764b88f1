package oci_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// An upload that is started says where it goes on, and clients have to be able to go there. The login goes nowhere else, and never over plain HTTP.
func TestDiagnosisOfUploads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		location func(host string) string
		status   diagnosis.Status
		summary  string
		remedy   string
		canceled bool
	}{
		"a path":              {func(string) string { return "/v2/hello/blobs/uploads/1" }, diagnosis.Passed, "an upload could be started, and was canceled", "", true},
		"its own URL":         {func(host string) string { return "https://" + host + "/v2/hello/blobs/uploads/1" }, diagnosis.Passed, "an upload could be started, and was canceled", "", true},
		"plain HTTP":          {func(host string) string { return "http://" + host + "/v2/hello/blobs/uploads/1" }, diagnosis.Failed, "left to expire; but it goes on at a URL of plain HTTP", "X-Forwarded-Proto", false},
		"another host":        {func(string) string { return "https://localhost:1/v2/hello/blobs/uploads/1" }, diagnosis.Warned, "goes on at another host", "$http_host", false},
		"another, by HTTP":    {func(string) string { return "http://localhost:1/v2/hello/blobs/uploads/1" }, diagnosis.Failed, "a URL of plain HTTP", "X-Forwarded-Proto", false},
		"none":                {func(string) string { return "" }, diagnosis.Failed, "has no Location", "headers", false},
		"what is no URL":      {func(string) string { return "https://[::1/%zz" }, diagnosis.Failed, "has no Location that is a URL", "headers", false},
		"the port, spelt out": {func(host string) string { return "//" + host + "/v2/hello/blobs/uploads/1" }, diagnosis.Passed, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			canceled, location := false, ""
			server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				switch r.Method {
				case http.MethodPost:
					w.Header()["Location"] = []string{location}
					w.WriteHeader(http.StatusAccepted)
				case http.MethodDelete:
					canceled = true
					w.WriteHeader(http.StatusNoContent)
				default:
					w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
				}
			}))
			mu.Lock()
			location = test.location(host(server))
			mu.Unlock()
			list := site{
				config: oci.ClientAuthConfig{RegistryURL: host(server)}, opts: append(login("someone", "hunter2"), trusting(server)),
				o: diagnosis.Options{Project: "hello", WriteProbe: true},
			}.diagnose(t)
			f := list[len(list)-1]
			require.Equal(t, "push_access", f.Check)
			require.Equal(t, test.status, f.Status, "%+v", f)
			require.Contains(t, f.Summary, test.summary)
			require.Contains(t, f.Remedy, test.remedy)
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, test.canceled, canceled)
		})
	}
}

// trusting lets the diagnosis trust a server's certificate.
func trusting(server *httptest.Server) oci.Option {
	return oci.WithTransport(server.Client().Transport)
}
