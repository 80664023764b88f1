package tokenissuer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A project is handed out a grant, and docker exchanges it for a token that can do what it asked for and no more.
func ExampleProvider_Handler() {
	authority, err := tokenkeys.NewAuthority()
	if err != nil {
		fmt.Println(err)
		return
	}
	key, certificate, err := authority.NewSigningKey(24 * time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := tokenissuer.New(tokenissuer.Config{RegistryURL: "registry.example.com", Namespace: "rise-apps"},
		tokenissuer.WithKeys(key, certificate), tokenissuer.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	stillGood := func(_ context.Context, q tokenissuer.Question) error {
		if q.Request.Project == "suspended" {
			return provider.ErrConflict
		}
		return nil
	}
	server := httptest.NewServer(p.Handler(stillGood, nil, tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil })))
	defer server.Close()

	c, err := provider.Issue(context.Background(), p, provider.Request{Project: "hello", Access: provider.Push, Caller: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Target, c.Username, c.Password)

	for _, scope := range []string{"repository:rise-apps/hello:pull,push", "repository:rise-apps/other:pull"} {
		r, err := http.NewRequest(http.MethodGet, server.URL+"/token?service=registry.example.com&scope="+scope, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		r.SetBasicAuth(c.Username, c.Password.Reveal())
		fmt.Println(ask(r))
	}
	// Output:
	// registry.example.com/rise-apps/hello rise [redacted]
	// [{"type":"repository","name":"rise-apps/hello","actions":["pull","push"]}]
	// {"errors":[{"code":"DENIED","message":"This credential is good for pushing to and pulling from rise-apps/hello, and not for what was asked for."}]}
}

// ask returns what a token can do, or why there is none.
func ask(r *http.Request) string {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	var answer struct{ Token string }
	if json.Unmarshal(body, &answer) != nil || answer.Token == "" {
		return strings.TrimSpace(string(body))
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(answer.Token, ".")[1])
	if err != nil {
		return err.Error()
	}
	var token struct{ Access json.RawMessage }
	if err := json.Unmarshal(claims, &token); err != nil {
		return err.Error()
	}
	return string(token.Access)
}
