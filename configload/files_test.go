package configload_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
)

type listen struct {
	Listen string `yaml:"listen"`
}

// writeFiles makes a directory with files whose "listen" is their own name.
func writeFiles(t *testing.T, dir string, names ...string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("listen: "+name), 0o600))
	}
	return dir
}

func TestFilesChosenByTheEnvironment(t *testing.T) { // not parallel: changes the environment and directory
	t.Chdir(t.TempDir())
	writeFiles(t, "config", "development.yaml", "production.yml")
	other := writeFiles(t, filepath.Join(t.TempDir(), "other"), "development.yaml", "local.yml")

	for _, tt := range []struct {
		name, dir, mode, want string
	}{
		{"defaults", "", "", "development.yaml"},
		{"mode", "", "production", "production.yml"},
		{"directory", other, "", "local.yml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("RISE_CONFIG_DIR", tt.dir)
			t.Setenv("RISE_CONFIG_RUN_MODE", tt.mode)
			var got listen
			require.NoError(t, configload.Load(&got))
			require.Equal(t, tt.want, got.Listen)
		})
	}
}

func TestFilesChosenByTheLoader(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, t.TempDir(), "development.yaml", "a-1_B.yaml")
	e := env{"RISE_CONFIG_DIR": "/nonexistent", "RISE_CONFIG_RUN_MODE": "nonexistent"}
	var got listen
	require.NoError(t, configload.Loader{Dir: dir, RunMode: "a-1_B", LookupEnv: e.lookup}.Load(&got))
	require.Equal(t, "a-1_B.yaml", got.Listen)

	// With FS set, no variable moves the directory.
	got = listen{}
	require.NoError(t, configload.Loader{FS: os.DirFS(dir), RunMode: "development", LookupEnv: e.lookup}.Load(&got))
	require.Equal(t, "development.yaml", got.Listen)
	got = listen{}
	fsys := fstest.MapFS{"deep/down/development.yaml": {Data: []byte("listen: deep")}}
	require.NoError(t, configload.Loader{FS: fsys, Dir: "deep/down/", LookupEnv: env{}.lookup}.Load(&got))
	require.Equal(t, "deep", got.Listen)
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, t.TempDir(), "local.yaml")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700))
	for _, tt := range []struct {
		name   string
		loader configload.Loader
		env    env
		want   string
		is     error
	}{
		{"missing, all by the environment", configload.Loader{}, env{"RISE_CONFIG_DIR": dir},
			dir + "/development.yaml: no such file, and no development.yml either; this file is required; " +
				"RISE_CONFIG_DIR chooses the directory; RISE_CONFIG_RUN_MODE chooses the name", fs.ErrNotExist},
		{"missing directory", configload.Loader{Dir: dir + "/no"}, env{"RISE_CONFIG_RUN_MODE": "production"},
			dir + "/no/production.yaml: no such file, and no production.yml either; this file is required; " +
				"RISE_CONFIG_RUN_MODE chooses the name", fs.ErrNotExist},
		{"missing, mode by the program", configload.Loader{RunMode: "x"}, env{"RISE_CONFIG_DIR": dir},
			dir + "/x.yaml: no such file, and no x.yml either; this file is required; " +
				"RISE_CONFIG_DIR chooses the directory", fs.ErrNotExist},
		{"a folder", configload.Loader{Dir: dir, RunMode: "folder"}, nil,
			dir + "/folder.yaml: can't be read: is a directory", nil},
		{"not a directory", configload.Loader{Dir: dir + "/local.yaml", RunMode: "x"}, nil,
			dir + "/local.yaml/local.yaml: can't be read: not a directory\n" +
				dir + "/local.yaml/x.yaml: can't be read: not a directory", nil},
		{"path as mode", configload.Loader{Dir: dir}, env{"RISE_CONFIG_RUN_MODE": "../x"},
			"the run mode must be a plain name of letters, digits, _ and -, not a path; RISE_CONFIG_RUN_MODE chooses it", nil},
		{"path as mode by the program", configload.Loader{Dir: dir, RunMode: "a/b"}, nil,
			"the run mode must be a plain name of letters, digits, _ and -, not a path; Loader.RunMode chooses it", nil},
		{"local as mode", configload.Loader{Dir: dir}, env{"RISE_CONFIG_RUN_MODE": "local"},
			`the run mode can't be "local", the name of the file that overrides every mode's; RISE_CONFIG_RUN_MODE chooses it`, nil},
		{"bad path in FS", configload.Loader{FS: os.DirFS(dir), Dir: "../x", RunMode: "x"}, nil,
			"../x/local.yaml: can't be read: invalid argument\n../x/x.yaml: can't be read: invalid argument", fs.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.loader.LookupEnv = tt.env.lookup
			var got listen
			err := tt.loader.Load(&got)
			require.EqualError(t, err, tt.want)
			var errs configload.Errors
			require.ErrorAs(t, err, &errs)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		into any
		want string
	}{
		{nil, "configload: Load needs a pointer to a struct, not <nil>"},
		{listen{}, "configload: Load needs a pointer to a struct, not configload_test.listen"},
		{(*listen)(nil), "configload: Load needs a pointer to a struct, not *configload_test.listen"},
		{new(int), "configload: Load needs a pointer to a struct, not *int"},
		{new(struct{ A []chan int }), "configload: struct { A []chan int }.A: type chan int can't be configured"},
		{new(struct{ A map[int]string }), "configload: struct { A map[int]string }.A: a map needs string keys, not int"},
		{new(struct {
			A string `yaml:"b"`
			B string
		}), `configload: struct { A string "yaml:\"b\""; B string }: two fields have the key "b"`},
		{new(struct {
			A string `yaml:",remain"`
		}), `configload: struct { A string "yaml:\",remain\"" }.A: unknown option "remain" in its yaml tag`},
		{new(struct {
			A *listen `yaml:",inline"`
		}), `configload: struct { A *configload_test.listen "yaml:\",inline\"" }.A: only a plain struct can be inline, ` +
			`not *configload_test.listen`},
		{new(struct{ A badParts }), "configload: a part of *configload_test.badParts must be a pointer to a struct " +
			"that is no Variant, not configload_test.listen"},
	} {
		require.EqualError(t, load(dev("a: {type: x}"), nil, tt.into), tt.want)
	}
}

// badParts gives a struct where a pointer to one is needed.
type badParts struct{}

func (*badParts) SetConfigType(string) error { return nil }
func (*badParts) ConfigParts() []any         { return []any{listen{}} }

func TestRecursiveType(t *testing.T) {
	t.Parallel()
	type tree struct {
		Name     string
		Children []tree
	}
	var got tree
	require.NoError(t, load(dev("name: a\nchildren: [{name: b, children: [{name: c}]}]"), nil, &got))
	require.Equal(t, tree{"a", []tree{{"b", []tree{{"c", nil}}}}}, got)
}
