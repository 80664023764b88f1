package kubeletplugin_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

const (
	v1       = "credentialprovider.kubelet.k8s.io/v1"
	password = "the-password-of-hello"
	audience = "https://rise.example.com"
	subject  = "system:serviceaccount:shop:web"
)

// podToken looks like what a kubelet sends; nobody here verifies it.
func podToken(t *testing.T, life time.Duration) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://kubernetes.default.svc", "aud": []string{audience}, "sub": subject, "exp": time.Now().Add(life).Unix(),
	})
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode(claims) + "." + encode([]byte("signature-of-nobody"))
}

// outcome is how a run ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs the program on this input, with variables in place of flags.
func run(t *testing.T, env map[string]string, input string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := kubeletplugin.Run(t.Context(), kubeletplugin.Process{
		Args: args, Stdin: strings.NewReader(input), Stdout: &stdout, Stderr: &stderr,
		LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
	})
	return outcome{code, stdout.String(), stderr.String()}
}

func request(t *testing.T, image, token string) string {
	t.Helper()
	text, err := json.Marshal(kubeletplugin.Request{Kind: "CredentialProviderRequest", APIVersion: v1, Image: image, ServiceAccountToken: token})
	require.NoError(t, err)
	return string(text)
}

// response is a credential for a repository, as an endpoint answers.
func response(repository string, life time.Duration) string {
	return fmt.Sprintf(`{"credentials":{"registry_url":%q,"username":"rise","password":%q,"expires_in":%d,"expires_at":%q,"auth_method":"login_credentials"},"repository":"hello"}`,
		repository, password, int(life.Seconds()), time.Now().Add(life).UTC().Format(time.RFC3339))
}

// endpoint answers each request so.
func endpoint(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// says is an answer of this status and body.
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// refuses is an endpoint's error.
func refuses(status int, code string, headers ...string) http.HandlerFunc {
	return says(status, fmt.Sprintf(`{"error":"No.","code":%q}`, code), headers...)
}
