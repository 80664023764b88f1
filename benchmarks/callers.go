package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

const (
	githubIssuer   = "https://token.actions.githubusercontent.com"
	githubAudience = "https://rise.example.com"
)

// callers measures the endpoint for callers with OIDC tokens that have GitHub's form, new ones and one that was seen, beside a bare handler that checks each signature.
func (r *report) callers(ctx context.Context, dir string, n sizes) error {
	p, err := built(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close(p) }()
	if _, err := p.Credentials(ctx, push); err != nil {
		return err
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, by := range []struct {
		algorithm jose.SignatureAlgorithm
		key       crypto.Signer
	}{{jose.RS256, rsaKey}, {jose.ES256, ecKey}} {
		j, err := newJobs(p, dir, by.algorithm, by.key, n.requests/4)
		if err != nil {
			return err
		}
		fresh, err := compare(j, j.floor, j.requests, j.forget, n.rounds, len(j.requests))
		if err != nil {
			return fmt.Errorf("new %s tokens: %w", by.algorithm, err)
		}
		seen, err := compare(j, j.floor, j.requests[:1], nil, n.rounds, n.requests)
		if err != nil {
			return fmt.Errorf("one %s token: %w", by.algorithm, err)
		}
		_, _ = fmt.Fprintf(r.w, "\nThe endpoint with cache, OIDC tokens (%s, GitHub's claims), rules and audit log beside a bare handler that checks each signature by go-jose:\n"+
			"- new tokens: %.0f and %.0f requests/s, %.2f ×; %.0f and %.0f allocations a request\n- one that was seen: %.0f and %.0f requests/s, %.2f ×\n",
			by.algorithm, fresh.ours, fresh.bare, fresh.ratio, fresh.ourAllocs, fresh.bareAllocs, seen.ours, seen.bare, seen.ratio)
		r.atMost(fmt.Sprintf("a new OIDC token, %s: time on a core by a bare handler's with one check", by.algorithm), fresh.cost, 1.3)
		r.atMost(fmt.Sprintf("an OIDC token that was seen, %s: time on a core by a bare handler's with one check", by.algorithm), seen.cost, 1)
	}
	return nil
}

// jobs are callers with a token each, of an issuer whose keys are in a file.
type jobs struct {
	requests []string
	floor    http.Handler
	handler  atomic.Pointer[http.Handler]
	renew    func() (http.Handler, error)
}

// newJobs signs as many tokens as n.
func newJobs(p provider.Provider, dir string, algorithm jose.SignatureAlgorithm, key crypto.Signer, n int) (*jobs, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "38826b17-6a30-5f9b-b169-8beb8202f723"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	j := &jobs{}
	for id := range n {
		token, err := jobToken(signer, id)
		if err != nil {
			return nil, err
		}
		j.requests = append(j.requests, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "38826b17-6a30-5f9b-b169-8beb8202f723", Use: "sig", Algorithm: string(algorithm)}}})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, string(algorithm)+".json")
	if err := os.WriteFile(file, keys, 0o600); err != nil {
		return nil, err
	}
	issuer := oidc.Issuer{
		Name: "github", Issuer: githubIssuer, Audience: githubAudience, JWKSFile: file,
		Rules: []oidc.Rule{
			{Claims: map[string]string{"repository_owner_id": "65", "repository_id": "74", "ref": "refs/heads/main"}, Projects: []string{"hello"}, Access: provider.Push},
			{Claims: map[string]string{"repository_owner_id": "65"}, Projects: []string{"{repository}"}, Access: provider.Pull},
		},
	}
	log := endpoint.Log(slog.New(slog.NewJSONHandler(io.Discard, nil))) //nolint:sloglint // formatting is part of the cost
	j.renew = func() (http.Handler, error) {
		callers, err := oidc.New([]oidc.Issuer{issuer}, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		return endpoint.New(p, callers.Authenticate, callers.Authorize, endpoint.WithAudit(log)), nil
	}
	if err := j.forget(); err != nil {
		return nil, err
	}
	last, err := jobToken(signer, n)
	if err != nil {
		return nil, err
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+last)
	w := httptest.NewRecorder()
	j.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return nil, errors.New(w.Body.String())
	}
	j.floor = checking(bareHandler(w.Result(), w.Body.Bytes()), algorithm, key.Public())
	return j, nil
}

// forget makes every token a new one. The issuer's keys are fetched by the next request, from a file.
func (j *jobs) forget() error {
	h, err := j.renew()
	j.handler.Store(&h)
	return err
}

func (j *jobs) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*j.handler.Load()).ServeHTTP(w, r) }

// checking is the least that a handler can do with a token: it checks the signature, and looks at nothing that was signed.
func checking(h http.Handler, algorithm jose.SignatureAlgorithm, key crypto.PublicKey) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := endpoint.BearerToken(r)
		signed, err := jose.ParseSignedCompact(token.Reveal(), []jose.SignatureAlgorithm{algorithm})
		if err == nil {
			_, err = signed.Verify(key)
		}
		if err != nil {
			http.Error(w, "forged", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// jobToken has the claims that GitHub's documentation shows, of another job for each id.
func jobToken(signer jose.Signer, id int) (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"jti": fmt.Sprintf("example-id-%d", id), "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod", "aud": githubAudience, "ref": "refs/heads/main",
		"sha": "f3c1b9d2a6e84c70b5d9e1f2a3b4c5d6e7f80910", "repository": "octo-org/octo-repo", "repository_owner": "octo-org", "actor_id": "12", "repository_visibility": "private",
		"repository_id": "74", "repository_owner_id": "65", "run_id": "example-run-id", "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted",
		"actor": "octocat", "workflow": "example-workflow", "head_ref": "", "base_ref": "", "event_name": "workflow_dispatch", "ref_type": "branch",
		"job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main", "iss": githubIssuer,
		"nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
