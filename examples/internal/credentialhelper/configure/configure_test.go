package configure_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/configure"
	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
)

const token = "the-token-that-nobody-may-see"

// account is a user's folder.
type account struct {
	dir string
	env []string
}

func newAccount(t *testing.T) account {
	t.Helper()
	dir := t.TempDir()
	return account{dir, []string{"HOME=" + dir}}
}

func (a account) lookup(name string) (string, bool) {
	for i := len(a.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(a.env[i], name+"="); ok {
			return value, true
		}
	}
	return "", false
}

func (a account) path(name string) string { return filepath.Join(a.dir, filepath.FromSlash(name)) }

func (a account) write(t *testing.T, name, text string, mode fs.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(a.path(name)), 0o700))
	require.NoError(t, os.WriteFile(a.path(name), []byte(text), mode))
	require.NoError(t, os.Chmod(a.path(name), mode))
}

func (a account) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(a.path(name))
	require.NoError(t, err)
	return string(text)
}

// files are all of the account's, with their modes and what they hold.
func (a account) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		require.NoError(t, err)
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, a.dir+"/")] = info.Mode().String() + " " + string(text)
		return err
	}))
	return all
}

func (a account) run(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := configure.Run(configure.Process{Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, LookupEnv: a.lookup})
	require.NotContains(t, out.String(), token)
	if err != nil {
		require.NotContains(t, err.Error(), token)
	}
	return out.String(), err
}

func (a account) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := a.run(t, token+"\n", args...)
	require.NoError(t, err, out)
	return out
}

const (
	dockerFile = ".docker/config.json"
	ownFile    = ".config/rise/credential.yaml"
	podmanFile = ".config/containers/auth.json"
)

// full is a command line that sets everything up.
func full(more ...string) []string {
	return append([]string{
		"--registry", "registry.example.com", "--url", "https://rise.example.com", "--project", "hello", "--token-file", "/run/token",
	}, more...)
}

// Whatever docker's file is like: one entry comes in, nothing else changes, a second run changes nothing, and --undo brings the old bytes back.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"docker's own":       "{\n\t\"auths\": {\n\t\t\"example.com\": {\n\t\t\t\"auth\": \"YTpi\"\n\t\t}\n\t},\n\t\"HttpHeaders\": {\n\t\t\"User-Agent\": \"x\"\n\t}\n}",
		"two blanks":         "{\n  \"psFormat\": \"a\\\"b\\\\\",\n  \"auths\": {}\n}\n",
		"one line":           `{"auths":{"example.com":{"auth":"YTpi"}},"detachKeys":"ctrl-e,e"}`,
		"one line, blanks":   `{ "auths": {} , "x" : [1, {"credHelpers": {}}] }`,
		"other helpers":      "{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcloud\",\n\t\t\"x.dkr.ecr.eu-west-1.amazonaws.com\": \"ecr-login\"\n\t},\n\t\"auths\": {}\n}\n",
		"helpers in a line":  `{"credHelpers":{"gcr.io":"gcloud"}}`,
		"helpers, last":      "{\n  \"credsStore\": \"pass\",\n  \"credHelpers\": { \"gcr.io\": \"gcloud\" }\n}\n",
		"unknown keys":       "{\"1e400\": 1e400, \"é\": \"\\u00e9<>&\", \"big\": 12345678901234567890}",
		"Windows' line ends": "{\r\n\t\"auths\": {},\r\n\t\"credsStore\": \"wincred\"\r\n}\r\n",
		"another's case":     `{"CREDHELPERS": {"gcr.io": "gcloud"}}`,
		"escaped key":        `{"credHelpers": {"gcr.i\u006f": "gcloud"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			a.write(t, dockerFile, text, 0o640)
			a.write(t, ownFile, "# mine\nhosts:\n    example.com: # by hand\n        {url: 'https://x.example', project: a, token_variable: X}\n", 0o644)
			before := a.files(t)

			out := a.must(t, full("--dry-run")...)
			require.Contains(t, out, `+ credHelpers: "registry.example.com": "rise"`)
			require.Equal(t, before, a.files(t))

			require.Contains(t, a.must(t, full()...), "Done.")
			var now struct{ CredHelpers map[string]string }
			require.NoError(t, json.Unmarshal([]byte(a.read(t, dockerFile)), &now))
			require.Equal(t, "rise", now.CredHelpers["registry.example.com"])
			s, err := setup.Load(a.lookup)
			require.NoError(t, err)
			require.Equal(t, []string{"example.com", "registry.example.com"}, s.Hosts())
			after := a.files(t)
			require.Len(t, after, 2)

			require.Contains(t, a.must(t, full()...), "Nothing has to be changed.")
			require.Equal(t, after, a.files(t))

			a.must(t, "--registry", "registry.example.com", "--undo", "--dry-run")
			require.Equal(t, after, a.files(t))
			a.must(t, "--registry", "registry.example.com", "--undo")
			require.Equal(t, before, a.files(t))
			require.Contains(t, a.must(t, "--registry", "registry.example.com", "--undo"), "Nothing has to be changed.")
		})
	}
}

// Where there was nothing, nothing is left, and what is made is for its owner alone.
func TestFromNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.must(t, full("--podman")...)
	files := a.files(t)
	require.Equal(t, []string{podmanFile, ownFile, dockerFile}, slices.Sorted(maps.Keys(files)))
	for _, file := range files {
		require.True(t, strings.HasPrefix(file, "-rw-------"), file)
	}
	for _, name := range []string{podmanFile, dockerFile} {
		require.JSONEq(t, `{"credHelpers": {"registry.example.com": "rise"}}`, a.read(t, name))
	}
	a.must(t, "--registry", "registry.example.com", "--undo")
	require.Empty(t, a.files(t))
}

// Two registries, in any order of coming and going, and one that changes.
func TestSeveral(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.must(t, full()...)
	first := a.files(t)
	out := a.must(t, "--registry", "localhost:5001", "--url", "http://localhost:3000", "--project", "other", "--access", "pull", "--token-stdin")
	require.Contains(t, out, "token: [redacted]")
	s, err := setup.Load(a.lookup)
	require.NoError(t, err)
	e, _, err := s.For("localhost:5001")
	require.NoError(t, err)
	require.Equal(t, token, e.Token.Reveal())
	require.Equal(t, "pull", e.Access.String())

	out = a.must(t, "--registry", "registry.example.com", "--project", "shop")
	require.Contains(t, out, `-   project: "hello"`+"\n  +   project: \"shop\"")
	a.must(t, "--registry", "registry.example.com", "--access", "pull", "--", "print-token", "for $ME", "it's")
	s, err = setup.Load(a.lookup)
	require.NoError(t, err)
	e, _, err = s.For("registry.example.com")
	require.NoError(t, err)
	require.Equal(t, setup.Entry{URL: "https://rise.example.com", Project: "shop", Access: e.Access, TokenCommand: []string{"print-token", "for $ME", "it's"}}, e)
	a.must(t, full("--access", "push")...)
	a.must(t, "--registry", "localhost:5001", "--undo")
	require.Equal(t, strings.ReplaceAll(first[ownFile], `project: "hello"`, "project: \"hello\"\n    access: push"), a.files(t)[ownFile])
	require.Equal(t, first[dockerFile], a.files(t)[dockerFile])
	a.must(t, "--registry", "registry.example.com", "--undo")
	require.Empty(t, a.files(t))
}

// A file that others may read isn't any more, once there is a token in it.
func TestTokenInFile(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.write(t, ownFile, "# mine\n", 0o644)
	a.must(t, "--registry", "localhost:5001", "--url", "http://localhost:3000", "--project", "other", "--token-stdin")
	require.True(t, strings.HasPrefix(a.files(t)[ownFile], "-rw------- # mine\n"))
	require.NotContains(t, a.files(t)[dockerFile], token)
	_, err := setup.Load(a.lookup)
	require.NoError(t, err)
}

// Another program's entry is left alone, or taken over and given back.
func TestAnotherHelper(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.write(t, dockerFile, `{"credHelpers": {"registry.example.com": "ecr-login"}, "credsStore": "pass", "auths": {"registry.example.com": {}}}`, 0o600)
	before := a.files(t)
	_, err := a.run(t, "", full()...)
	require.ErrorContains(t, err, "docker-credential-ecr-login for registry.example.com already: --force")
	require.Equal(t, before, a.files(t))

	out := a.must(t, full("--force")...)
	require.Contains(t, out, `- credHelpers: "registry.example.com": "ecr-login"`)
	require.Contains(t, out, "keeps a login for registry.example.com too")
	require.Contains(t, out, "docker-credential-pass goes on keeping the logins of all other registries")
	a.must(t, full("--project", "other")...) // and again
	a.must(t, "--registry", "registry.example.com", "--undo")
	require.Equal(t, before, a.files(t))

	// Somebody else's since then.
	a.must(t, full("--force")...)
	a.write(t, dockerFile, `{"credHelpers": {"registry.example.com": "pass"}}`, 0o600)
	require.Contains(t, a.must(t, "--registry", "registry.example.com", "--undo"), "is left as it is")
	require.JSONEq(t, `{"credHelpers": {"registry.example.com": "pass"}}`, a.read(t, dockerFile))
}

// What may be wrong with the token's file is said, and no reason to stop.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.write(t, "token", token, 0o644)
	args := append(full(), "--token-file", a.path("token"))
	require.Contains(t, a.must(t, args...), "others may read "+a.path("token")+"; chmod 600")
	require.NoError(t, os.Chmod(a.path("token"), 0o600))
	require.NotContains(t, a.must(t, args...), "token; ")
	require.NoError(t, os.Remove(a.path("token")))
	require.Contains(t, a.must(t, args...), "can't be read, as it is now")
}

// A symbolic link stays one, and the file's mode stays.
func TestLinks(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.write(t, "dotfiles/docker.json", "{}", 0o644)
	require.NoError(t, os.MkdirAll(a.path(".docker"), 0o700))
	require.NoError(t, os.Symlink("../dotfiles/docker.json", a.path(dockerFile)))
	a.must(t, full()...)
	target, err := os.Readlink(a.path(dockerFile))
	require.NoError(t, err)
	require.Equal(t, "../dotfiles/docker.json", target)
	info, err := os.Stat(a.path("dotfiles/docker.json"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), info.Mode())
	require.Contains(t, a.read(t, "dotfiles/docker.json"), "registry.example.com")

	require.NoError(t, os.Remove(a.path("dotfiles/docker.json")))
	_, err = a.run(t, "", full()...)
	require.ErrorContains(t, err, "symbolic link to a file that isn't there")
}

// Where variables say, the files are.
func TestPlaces(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.env = append(a.env, "DOCKER_CONFIG="+a.path("docker"), "XDG_CONFIG_HOME="+a.path("xdg"), "REGISTRY_AUTH_FILE="+a.path("auth.json"))
	a.must(t, full("--podman")...)
	require.Equal(t, []string{"auth.json", "docker/config.json", "xdg/rise/credential.yaml"}, slices.Sorted(maps.Keys(a.files(t))))
	a.env = slices.Delete(a.env, 1, 2) // undone where it was done
	a.must(t, "--registry", "registry.example.com", "--undo")
	require.Empty(t, a.files(t))

	a = newAccount(t)
	a.must(t, full("--podman", "--no-docker")...)
	require.Equal(t, []string{podmanFile, ownFile}, slices.Sorted(maps.Keys(a.files(t))))

	a = newAccount(t)
	a.must(t, "--registry", "index.docker.io", "--url", "https://rise.example.com", "--project", "hello", "--token-variable", "X", "--podman")
	require.JSONEq(t, `{"credHelpers": {"https://index.docker.io/v1/": "rise"}}`, a.read(t, dockerFile))
	require.JSONEq(t, `{"credHelpers": {"docker.io": "rise"}}`, a.read(t, podmanFile))
	a.must(t, "--registry", "index.docker.io", "--undo")
	require.Empty(t, a.files(t))
}

// What can't be done is said before anything is.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const byHand = "hosts:\n  registry.example.com: {url: 'https://rise.example.com', project: a, token_variable: X}\n"
	for name, test := range map[string]struct {
		docker, own string
		args        []string
		want        string
		usage       bool
	}{
		"no registry":         {args: []string{"--url", "x"}, want: "--registry is missing", usage: true},
		"nothing else":        {args: []string{"--registry", "registry.example.com"}, want: "--url: is missing", usage: true},
		"a URL as registry":   {args: full("--registry", "https://registry.example.com/x"), want: "--registry: the host must be", usage: true},
		"a token":             {args: full("--token", token), want: "can be read by everybody", usage: true},
		"a token in one":      {args: full("--token=" + token), want: "can be read by everybody", usage: true},
		"two tokens":          {args: full("--token-variable", "X"), want: "several tokens", usage: true},
		"no token":            {args: append(full()[:6], "--token-stdin"), want: "no token on the standard input", usage: true},
		"unknown":             {args: full("--porject", "x"), want: "porject", usage: true},
		"left over":           {args: full("x"), want: "left over", usage: true},
		"bad access":          {args: full("--access", "all"), want: "push or pull", usage: true},
		"bad project":         {args: full("--project", "A"), want: "--project: isn't a project's name", usage: true},
		"plain HTTP":          {args: full("--url", "http://rise.example.com"), want: "--url: ", usage: true},
		"undo with more":      {args: full("--undo"), want: "--undo needs --registry alone", usage: true},
		"nobody asks":         {args: full("--no-docker"), want: "--no-docker needs --podman", usage: true},
		"an entry by hand":    {own: byHand, args: full(), want: "wrote by hand"},
		"undo what's by hand": {own: byHand, args: []string{"--registry", "registry.example.com", "--undo"}, want: "nothing of configure's to undo"},
		"a broken own file":   {own: "hosts: [", args: full(), want: "can't be used as it is"},
		"its unknown key":     {own: "host: {}", args: full(), want: "unknown"},
		"a flow mapping":      {own: "hosts: {example.com: {url: 'https://x.example', project: a, token_variable: X}}", args: full(), want: "add the entry by hand"},
		"broken JSON":         {docker: `{"auths": {`, args: full(), want: "isn't valid JSON"},
		"JSON of another":     {docker: `[]`, args: full(), want: "must be a JSON object"},
		"helpers of another":  {docker: `{"credHelpers": []}`, args: full(), want: "credHelpers: must be a JSON object"},
		"helpers that aren't": {docker: `{"credHelpers": {"a": 1}}`, args: full(), want: "must have names of programs"},
		"a host twice":        {docker: `{"credHelpers": {"registry.example.com": "rise", "registry.example.com": "pass"}}`, args: full(), want: "docker-credential-pass for registry.example.com already"},
		"a helper's escapes":  {docker: `{"credHelpers": {"registry.example.com": "\u001b]0;x\u0007\n::error::"}}`, args: full(), want: "has another helper for registry.example.com already"},
		"helpers twice":       {docker: `{"credHelpers": {}, "credhelpers": {}}`, args: full(), want: "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			if test.docker != "" {
				a.write(t, dockerFile, test.docker, 0o600)
			}
			if test.own != "" {
				a.write(t, ownFile, test.own, 0o600)
			}
			before := a.files(t)
			_, err := a.run(t, "", test.args...)
			require.ErrorContains(t, err, test.want)
			usage := configure.UsageError("")
			require.Equal(t, test.usage, errorsAs(err, &usage), "%v", err)
			require.Equal(t, before, a.files(t))
		})
	}
}

func errorsAs(err error, usage *configure.UsageError) bool {
	u, ok := err.(configure.UsageError) //nolint:errorlint // returned as it is
	*usage = u
	return ok
}

// Files made at random: what isn't ours is as it was, and comes back byte for byte.
func TestAnyFile(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		a := newAccount(t)
		text := randomObject(random, 0)
		a.write(t, dockerFile, text, 0o600)
		out, err := a.run(t, "", full()...)
		require.NoError(t, err, "%s\n%s", text, out)
		a.must(t, "--registry", "registry.example.com", "--undo")
		require.Equal(t, text, a.read(t, dockerFile))
	}
}

func randomObject(random *rand.Rand, depth int) string {
	blank := func() string { return []string{"", "", " ", "\n", "\n\t", "\r\n  "}[random.IntN(6)] }
	keys := []string{"auths", "a b", "é", `q\"uo\\te`, "x", "y"}
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var members []string
	for _, key := range keys[:1+random.IntN(len(keys))] {
		value := []string{"1", `"s\\\""`, "null", "[]", "{}", "[1, {}]", `"{\"credHelpers\": 1"`}[random.IntN(7)]
		if depth < 2 && random.IntN(3) == 0 {
			value = randomObject(random, depth+1)
		}
		members = append(members, blank()+`"`+key+`"`+blank()+":"+blank()+value+blank())
	}
	if depth == 0 && random.IntN(2) == 0 {
		inner := blank() + `"gcr.io"` + blank() + ":" + blank() + `"gcloud"` + blank()
		if random.IntN(2) == 0 {
			inner += "," + blank() + `"q\"uote"` + blank() + `:"x"` + blank()
		}
		at := random.IntN(len(members) + 1)
		members = slices.Insert(members, at, blank()+`"credHelpers"`+blank()+":"+blank()+"{"+inner+"}"+blank())
	}
	return "{" + strings.Join(members, ",") + "}" + blank()
}
