package server_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
)

// What the server prints can be pasted: some token of the configuration is answered.
func TestWelcome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ tokens, want string }{
		"push":        {`[{token: aaaaaaaaaaaaaaaa, subject: a, projects: ["*"], access: push}]`, "?project=hello'\n\n"},
		"pull":        {`[{token: aaaaaaaaaaaaaaaa, subject: a, projects: [hello]}]`, "?project=hello&access=pull'\n\n"},
		"the best":    {`[{token: aaaaaaaaaaaaaaaa, subject: a, access: push}, {token: bbbbbbbbbbbbbbbb, subject: b, projects: [x]}, {token: cccccccccccccccc, subject: c, projects: ["y-*"], access: push}]`, "?project=y-hello'\n\n"},
		"no projects": {`[{token: aaaaaaaaaaaaaaaa, subject: a}]`, "?project=hello&access=pull'\n\n"},
		"no tokens":   {`[]`, "Nobody may ask for any: auth has neither tokens nor oidc.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := newServer(t, files(t, map[string]string{"development.yaml": `
server: {listen: "127.0.0.1:0"}
auth: {tokens: ` + tt.tokens + `}
registry: {type: oci-client-auth, registry_url: "localhost:5000"}
`}), service.Own{}, io.Discard)
			require.NoError(t, err)
			defer s.Close() //nolint:errcheck // it served nothing
			var out buffer
			s.Welcome(&out, nil)
			require.Contains(t, out.String(), tt.want)
			require.NotContains(t, out.String(), "aaaaaaaa")
		})
	}
}
