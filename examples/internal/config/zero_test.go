package config_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// writeKeys writes a signing key and its certificate.
func writeKeys(t *testing.T, file string) {
	t.Helper()
	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(time.Hour)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, slices.Concat(key, certificate), 0o600))
}

// required are the keys of each type that have no default.
func required(t *testing.T) map[string]string {
	t.Helper()
	signing := filepath.Join(t.TempDir(), "signing.pem")
	writeKeys(t, signing)
	return map[string]string{
		"ecr":              "region: eu-west-1, account_id: '123456789012', push_role_arn: 'arn:aws:iam::123456789012:role/p'",
		"oci-client-auth":  "registry_url: 'localhost:5000'",
		"oci-token-issuer": fmt.Sprintf("registry_url: 'localhost:5000', signing_key_file: %s, signing_cert_file: %s", signing, signing),
		"oci-token-auth":   "registry_url: 'localhost:5000', username: rise, password: correct-horse-battery",
		"signed-login":     "host: 'r.example.com', key: 0123456789abcdef0123456789abcdef",
	}
}

// emptyIsDefault are the fields with a default that can't be meant otherwise than by a value that isn't zero. Those of other packages
// have tests of their own that see what zero does.
var emptyIsDefault = []string{"Server.Listen", "Server.Limits.Connections", "Server.Limits.Requests", "Server.Limits.RequestsPerCaller", "Server.Limits.CallerPerSecond", "Server.Limits.ScrapesPerSecond",
	"Server.Limits.HeaderBytes", "Server.Limits.HeaderTimeout", "ecr.RepoPrefix", "ecr.SessionDuration", "ecr.ImageTagMutability", "signed-login.Lifetime",
	"oci-token-issuer.TokenIssuer", "oci-token-issuer.SessionDuration", "oci-token-issuer.TokenDuration"}

// The zero value of every field of every configuration means what leaving its key out means: it is the default itself, or can't be mistaken
// for a value.
func TestZeroMeansLeftOut(t *testing.T) {
	t.Parallel()
	required := required(t)
	walked := map[reflect.Type]bool{}
	defaults := map[string]bool{}
	factory, err := registry.NewFactory(append(app.Builders(), customprovider.Builder())...)
	require.NoError(t, err)
	for _, typ := range factory.Types() {
		require.Contains(t, required, typ)
		c, err := config.Load(configload.Loader{FS: fstest.MapFS{
			"development.yaml": &fstest.MapFile{Data: fmt.Appendf(nil, "registry: {type: %s, %s}", typ, required[typ])},
		}, LookupEnv: func(string) (string, bool) { return "", false }}, factory)
		require.NoError(t, err)
		set := map[string]bool{"type": true}
		for _, pair := range strings.Split(required[typ], ", ") {
			key, _, _ := strings.Cut(pair, ":")
			set[key] = true
		}
		valid := func(what string) {
			require.NoError(t, c.Validate(), what)
			_, err := factory.Build(t.Context(), c.Registry)
			require.NoError(t, err, what)
		}
		valid("as loaded")
		visit := func(name string, f reflect.StructField, v reflect.Value) {
			if set[f.Tag.Get("yaml")] || v.IsZero() {
				return // nothing was left out; or zero it is
			}
			defaults[name] = true
			if f.Type.Kind() != reflect.Pointer {
				require.Contains(t, emptyIsDefault, name, "a field whose default isn't zero is a pointer, or its zero value is the default")
			}
			old := reflect.ValueOf(v.Interface())
			v.SetZero()
			valid(name)
			v.Set(old)
		}
		walk(walked, "", reflect.ValueOf(&c).Elem(), visit)
		walk(walked, typ+".", reflect.ValueOf(c.Registry.Section()).Elem(), visit)
	}
	for _, name := range append(emptyIsDefault, "Server.Drain", "Registry.Cache.Enabled", "ecr.ScanOnPush", "ecr.RemoveAfter") {
		require.True(t, defaults[name], "%s: this test sees it", name)
	}

	// The credential helper's has no defaults.
	for _, client := range []any{&setup.File{}, &setup.Entry{}} {
		walk(walked, "setup.", reflect.ValueOf(client).Elem(), func(string, reflect.StructField, reflect.Value) {})
	}

	// No configuration is forgotten.
	for name := range configurations(t) {
		found := false
		for t := range walked {
			found = found || t.String() == name
		}
		require.True(t, found, "%s has yaml tags and isn't walked by this test", name)
	}
}

// walk visits the fields that have keys and hold single values.
func walk(walked map[reflect.Type]bool, path string, v reflect.Value, visit func(string, reflect.StructField, reflect.Value)) {
	walked[v.Type()] = true
	for f, value := range v.Fields() {
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case key == "-" || !f.IsExported():
		case option == "inline":
			walk(walked, path, value, visit)
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[provider.Secret]():
			walk(walked, path+f.Name+".", value, visit)
		default:
			visit(path+f.Name, f, value)
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct { // has no default elements
				walk(walked, path+f.Name+"[].", reflect.New(f.Type.Elem()).Elem(), visit)
			}
		}
	}
}

// configurations are the structs of the module's packages that have yaml tags.
func configurations(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					if f.Tag != nil && strings.Contains(f.Tag.Value, `yaml:"`) {
						found[file.Name.Name+"."+spec.Name.Name] = true
					}
				}
			}
			return true
		})
		return nil
	}))
	require.True(t, found["ecr.Repositories"] && found["registry.CacheConfig"] && found["config.Token"], "this test would see it")
	return found
}

// A configuration written in Go has its tokens checked as one that is loaded has.
func TestTokensWrittenInGo(t *testing.T) {
	t.Parallel()
	factory, err := registry.NewFactory(append(app.Builders(), customprovider.Builder())...)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"hunter2\n": "ends in the end of a line", " hunter2": "begins or ends with white space", `"hunter2"`: "has quotes around it",
		"$hunter2": "is the name of a variable", "hunter 2": "must hold no white space", "": "is required", "hunter2-hunter2": "must have at least 16 characters",
	} {
		c := config.Config{Registry: factory.Config(), Auth: config.Auth{Tokens: []config.Token{{Token: provider.NewSecret(text), Subject: "ci"}}}}
		err := c.Validate()
		require.ErrorContains(t, err, "auth.tokens[0].token: "+want, "%q", text)
		require.NotContains(t, err.Error(), "hunter")
	}
	require.NoError(t, config.Config{Auth: config.Auth{Tokens: []config.Token{{Token: provider.NewSecret("hunter2-hunter2-"), Subject: "ci"}}}}.Validate())
}
