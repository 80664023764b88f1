package main

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	tokenService = "registry.example.com"
	// grants is how many pushes go on at once where exchanges are measured.
	grants = 100
)

// issuer is a service of type oci-token-issuer, and the least that its /token could be.
type issuer struct {
	provider     *tokenissuer.Provider
	token, floor http.Handler
	exchanges    []string // requests to /token, each with another grant
}

func newIssuer(ctx context.Context) (issuer, error) {
	authority, err := tokenkeys.NewAuthority()
	if err != nil {
		return issuer{}, err
	}
	key, certificate, err := authority.NewSigningKey(24 * time.Hour)
	if err != nil {
		return issuer{}, err
	}
	p, err := tokenissuer.New(tokenissuer.Config{RegistryURL: tokenService, Namespace: "rise-apps"}, tokenissuer.WithKeys(key, certificate))
	if err != nil {
		return issuer{}, err
	}
	log := tokenissuer.Log(slog.New(slog.NewJSONHandler(io.Discard, nil))) //nolint:sloglint // formatting is part of the cost
	i := issuer{provider: p, token: p.Handler(func(context.Context, tokenissuer.Question) error { return nil }, nil, tokenissuer.WithAudit(log))}
	if i.floor, err = tokenFloor(key, certificate); err != nil {
		return issuer{}, err
	}
	for n := range grants {
		project := fmt.Sprintf("project-%d", n)
		c, err := provider.Issue(ctx, p, provider.Request{Project: project, Access: provider.Push, Caller: "ci"})
		if err != nil {
			return issuer{}, err
		}
		login := base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password.Reveal()))
		i.exchanges = append(i.exchanges, "GET /token?account=rise&scope=repository%3Arise-apps%2F"+project+"%3Apush%2Cpull&service="+tokenService+
			" HTTP/1.1\r\nHost: "+tokenService+"\r\nAuthorization: Basic "+login+"\r\n\r\n")
	}
	return i, nil
}

// tokenFloor checks the HMAC of what it is shown and signs a token, by go-jose, with the certificate in its header, as registries want it. It looks at nothing else.
func tokenFloor(key, certificate []byte) (http.Handler, error) {
	keyBlock, _ := pem.Decode(key)
	certificateBlock, _ := pem.Decode(certificate)
	private, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	secret, err := hkdf.Key(sha256.New, keyBlock.Bytes, nil, "rise-registry-go grant v1 "+tokenService, 32)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(certificateBlock.Bytes)}))
	if err != nil {
		return nil, err
	}
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	type claims struct {
		Issuer  string   `json:"iss"`
		Service string   `json:"aud"`
		Ends    int64    `json:"exp"`
		Access  []access `json:"access"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		end := max(strings.LastIndexByte(password, '.'), 0)
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(password[:end]))
		signature, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(password[end:], "."))
		if err != nil || !hmac.Equal(mac.Sum(nil), signature) {
			http.Error(w, "forged", http.StatusUnauthorized)
			return
		}
		text, err := json.Marshal(claims{"rise", tokenService, time.Now().Add(5 * time.Minute).Unix(), []access{{"repository", "rise-apps/hello", []string{"pull", "push"}}}})
		if err != nil {
			panic(err)
		}
		signed, err := signer.Sign(text)
		if err != nil {
			panic(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			panic(err)
		}
		body := `{"token":"` + token + `"}`
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	}), nil
}
