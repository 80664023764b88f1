package provider_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const secretText = "s3cr3t-hunter2"

// printedForms is every way in which a value may end up in an output by accident.
func printedForms(t *testing.T, v any) map[string]string {
	t.Helper()
	forms := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10.3s"} {
		forms[verb] = fmt.Sprintf(verb, v)
		forms["pointer "+verb] = fmt.Sprintf(verb, &v)
		forms["in a struct "+verb] = fmt.Sprintf(verb, struct{ hidden, Shown any }{v, v})
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	forms["json"] = string(text)
	if text, err := xml.Marshal(v); err == nil {
		forms["xml"] = string(text)
	}
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(v); err == nil {
		forms["gob"] = out.String()
	}
	for kind, h := range map[string]slog.Handler{"slog json": slog.NewJSONHandler(&out, nil), "slog text": slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("message", "value", v, "group", slog.GroupValue(slog.Any("inner", v)))
		forms[kind] = out.String()
	}
	diff := &recorder{}
	assert.Equal(diff, v, "something else")
	assert.Equal(diff, struct{ hidden, Shown any }{v, &v}, v)
	assert.Contains(diff, []any{v}, 1)
	require.NotEmpty(t, diff.text, "the diff has to fail")
	forms["testify diff"] = diff.text
	return forms
}

// recorder is a test that keeps what it is told.
type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

func TestSecretsDontPrint(t *testing.T) {
	t.Parallel()
	secret := provider.NewSecret(secretText)
	registry, err := name.NewRegistry("registry.example.com")
	require.NoError(t, err)
	credentials := provider.Credentials{
		Target: registry.Repo("rise/hello"), Access: provider.Push, Method: provider.LoginCredentials, Username: "AWS", Password: secret,
		ExpiresAt: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), Details: []slog.Attr{slog.String("session_name", "rise-push-hello")},
	}
	authenticator, err := credentials.Authenticator()
	require.NoError(t, err)
	p := &fake{credentials: credentials}
	keychain := provider.NewKeychain(p, provider.Request{Project: "hello", Access: provider.Push}, nil)
	for what, v := range map[string]any{
		"secret": secret, "pointer": &secret, "credentials": credentials, "pointer to credentials": &credentials,
		"authenticator": authenticator, "keychain": keychain,
		"configuration": struct {
			Key provider.Secret `yaml:"key"`
		}{secret},
		"error": &provider.Error{Kind: provider.ErrAccessDenied, Details: []slog.Attr{slog.Any("secret", secret)}},
	} {
		for form, text := range printedForms(t, v) {
			for _, shown := range []string{secretText, fmt.Sprintf("%x", secretText), fmt.Sprintf("%X", secretText), fmt.Sprintf("%d", []byte(secretText))} {
				require.NotContains(t, text, shown, "%s printed as %s", what, form)
			}
		}
	}
	require.Equal(t, secretText, secret.Reveal())
	require.Equal(t, provider.Redacted, secret.String())
	require.Equal(t, provider.Redacted, fmt.Sprintf("%#v", secret))
}

func TestSecretZero(t *testing.T) {
	t.Parallel()
	var zero provider.Secret
	require.True(t, zero.IsZero())
	require.Empty(t, zero.Reveal())
	require.Empty(t, zero.String(), "that there is no secret is worth seeing")
	require.True(t, provider.NewSecret("").IsZero())
	require.False(t, provider.NewSecret("x").IsZero())
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	require.True(t, provider.NewSecret("a").Equal(provider.NewSecret("a")))
	require.False(t, provider.NewSecret("a").Equal(provider.NewSecret("b")))
	require.False(t, provider.NewSecret("a").Equal(provider.NewSecret("")))
	var zero provider.Secret
	require.True(t, provider.NewSecret("").Equal(zero))
}

func TestSecretText(t *testing.T) {
	t.Parallel()
	var s provider.Secret
	require.NoError(t, s.UnmarshalText([]byte(secretText)))
	require.Equal(t, secretText, s.Reveal())
	require.Error(t, s.UnmarshalText([]byte(provider.Redacted)), "a printed configuration that is read back lacks its secrets")
	require.Equal(t, secretText, s.Reveal(), "a refused text changes nothing")
}
