//go:build unix

package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// script is what a page's job runs: a shell and its arguments.
type script struct {
	shell []string
	text  string
	env   map[string]string
	tag   string // of the image that it pushes
}

// workloads say how each page's platform runs its jobs. The first of a page's scripts asks for a credential; the second, if there is one, logs in with the token itself.
var workloads = map[string]func(t *testing.T, s *servedPage) []script{
	"github-actions": func(t *testing.T, s *servedPage) []script {
		type step struct{ Run string }
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Env   map[string]string
				Steps []step
			}
		}
		parse(t, s.blocks(t, "yaml", "# .github/workflows/push.yml\n")[0], &workflow)
		require.Equal(t, "write", workflow.Permissions["id-token"])
		job := workflow.Jobs["push"]
		var instead []step
		parse(t, s.blocks(t, "yaml", "      - name:")[0], &instead)
		env := maps.Clone(job.Env)
		maps.Copy(env, map[string]string{"GITHUB_SHA": "c040cae", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-runner"})
		env["ACTIONS_ID_TOKEN_REQUEST_URL"] = s.mint(t, func(r *http.Request) (object, string) {
			if r.Header.Get("Authorization") != "Bearer of-the-runner" || r.URL.Query().Get("api-version") != "2.0" {
				return nil, ""
			}
			return object{"aud": r.URL.Query().Get("audience")}, `{"count":1,"value":"%s"}`
		}) + "?api-version=2.0"
		bash := []string{"bash", "-e"} // GitHub's default
		return []script{{bash, job.Steps[1].Run, env, "c040cae"}, {bash, instead[0].Run, env, "c040cae"}}
	},
	"gitlab-ci": func(t *testing.T, s *servedPage) []script {
		type job struct {
			Variables map[string]string
			IDTokens  map[string]struct{ Aud string } `yaml:"id_tokens"`
			Before    []string                        `yaml:"before_script"`
			Script    []string
		}
		var scripts []script
		for _, begins := range []string{"# .gitlab-ci.yml\n", "push-with-the-token-itself:\n"} {
			var file map[string]job
			parse(t, s.blocks(t, "yaml", begins)[0], &file)
			require.Len(t, file, 1)
			for _, j := range file {
				env := map[string]string{"CI_COMMIT_SHA": "714a629"}
				maps.Copy(env, j.Variables)
				for variable, token := range j.IDTokens {
					env[variable] = s.token(t, changed(object{"aud": token.Aud}, s.now()))
				}
				scripts = append(scripts, script{[]string{"sh", "-e"}, strings.Join(slices.Concat(j.Before, j.Script), "\n"), env, "714a629"})
			}
		}
		return scripts
	},
	"buildkite": func(t *testing.T, s *servedPage) []script {
		var pipeline struct {
			Steps []struct {
				Command string
				Env     map[string]string
			}
		}
		parse(t, s.blocks(t, "yaml", "# .buildkite/pipeline.yml\n")[0], &pipeline)
		require.Equal(t, ".buildkite/push.sh", pipeline.Steps[0].Command)
		s.fake(t, "buildkite-agent", func(args []string) object {
			if len(args) < 4 || !slices.Equal(args[:3], []string{"oidc", "request-token", "--audience"}) {
				return nil
			}
			claims := object{"aud": args[3], "organization_id": nil, "pipeline_id": nil}
			if i := slices.Index(args, "--claim"); i > 0 {
				for _, asked := range strings.Split(args[i+1], ",") {
					claims[asked] = s.claims[asked]
				}
			}
			return claims
		})
		var scripts []script
		env := maps.Clone(pipeline.Steps[0].Env)
		env["BUILDKITE_COMMIT"] = "9f31820"
		for _, text := range s.blocks(t, "bash", "#!/usr/bin/env bash\n# .buildkite/push.sh, executable\n") {
			scripts = append(scripts, script{[]string{"bash"}, text, env, "9f31820"})
		}
		return scripts
	},
	"aws": func(t *testing.T, s *servedPage) []script {
		s.fake(t, "aws", func(args []string) object {
			if len(args) < 4 || !slices.Equal(args[:3], []string{"sts", "get-web-identity-token", "--audience"}) ||
				!slices.Equal(args[4:], strings.Fields("--signing-algorithm ES384 --duration-seconds 300 --query WebIdentityToken --output text")) {
				return nil
			}
			return object{"aud": args[3]}
		})
		var scripts []script
		for _, text := range s.blocks(t, "bash", "#!/usr/bin/env bash\n") {
			scripts = append(scripts, script{[]string{"bash"}, text, nil, "v1"})
		}
		return scripts
	},
	"kubernetes": func(t *testing.T, s *servedPage) []script {
		_, manifest, found := strings.Cut(s.blocks(t, "yaml", "apiVersion: v1\n")[0], "---\n")
		require.True(t, found)
		var pod struct {
			Spec struct {
				Containers []struct {
					Env           []struct{ Name, Value string }
					Command, Args []string
					VolumeMounts  []struct {
						Name, MountPath string
					} `yaml:"volumeMounts"`
				}
				Volumes []struct {
					Projected struct {
						Sources []struct {
							Token struct {
								Path, Audience string
								Seconds        int `yaml:"expirationSeconds"`
							} `yaml:"serviceAccountToken"`
						}
					}
				}
			}
		}
		parse(t, manifest, &pod)
		container, token := pod.Spec.Containers[0], pod.Spec.Volumes[0].Projected.Sources[0].Token
		require.Equal(t, []string{"sh", "-ec"}, container.Command)
		file := filepath.Join(s.dir, "rise", token.Path)
		require.NoError(t, os.WriteFile(file, []byte(s.token(t, changed(object{"aud": []string{token.Audience}, "exp": token.Seconds}, s.now()))), 0o600))
		env := map[string]string{}
		for _, variable := range container.Env {
			env[variable.Name] = variable.Value
		}
		itself := s.blocks(t, "sh", "# needs crane and the pod's volume\n")[0] + "tar cf layer.tar hello.txt\ncrane append -f layer.tar -t registry.example.com/shop:v1\n"
		return []script{{[]string{"sh", "-e"}, container.Args[0], env, "v1"}, {[]string{"sh", "-e"}, itself, env, "v1"}}
	},
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(text), into))
}

// now are the changes of this moment to what the platform says of the job.
func (s *servedPage) now() object {
	if changes := s.changes.Load(); changes != nil {
		return *changes
	}
	return object{}
}

// mint is where a platform gives tokens out: with what claims says of a request, in the form that it says, or none.
func (s *servedPage) mint(t *testing.T, claims func(*http.Request) (changes object, form string)) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		changes, form := claims(r)
		if changes == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(w, form, s.token(t, changed(changes, s.now())))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// fake puts a program into the job's PATH that prints a token by its arguments.
func (s *servedPage) fake(t *testing.T, program string, claims func(args []string) object) {
	t.Helper()
	url := s.mint(t, func(r *http.Request) (object, string) { return claims(r.URL.Query()["arg"]), "%s\n" })
	text := "#!/bin/sh\nset -eu\nfor arg in \"$@\"; do set -- \"$@\" --data-urlencode \"arg=$arg\"; shift; done\nexec curl -fsS -G \"$@\" " + url + "\n"
	s.install(t, program, text)
}

func (s *servedPage) install(t *testing.T, program, text string) {
	t.Helper()
	bin := filepath.Join(s.dir, "bin")
	require.NoError(t, os.MkdirAll(bin, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte(text), 0o700))
}

// run runs a script of the page, with this test's addresses, as one of the project's.
func (s *servedPage) run(t *testing.T, environ []string, script script, project string) realtest.Output {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"Dockerfile": "FROM scratch\nCOPY hello.txt /\n", "hello.txt": t.Name() + strconv.Itoa(int(s.runs.Add(1)))} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	text := s.here.Replace(strings.NewReplacer("project=shop", "project="+project, "registry.example.com/shop", "registry.example.com/"+project).Replace(script.text))
	file := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(file, []byte("cd "+dir+"\n"+text), 0o600))
	env := append([]string{"PATH=" + filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH"), "DOCKER_CONFIG=" + t.TempDir(), "NO_PROXY=127.0.0.1"}, environ...)
	for variable, value := range script.env {
		env = append(env, variable+"="+s.here.Replace(value))
	}
	return realtest.Run(t, env, realtest.Program(t, script.shell[0]), append(script.shell[1:], file)...)
}

// digest is that of the project's image with the tag, to a job of it; "" if there is none.
func (s *servedPage) digest(t *testing.T, tag string) string {
	t.Helper()
	status, _, c := s.ask(t, s.token(t, nil), "project=shop&access=pull")
	require.Equal(t, http.StatusOK, status)
	reference, err := name.NewTag(c.RegistryURL + ":" + tag)
	require.NoError(t, err)
	image, err := remote.Head(reference, remote.WithAuth(&authn.Basic{Username: c.Username, Password: c.Password}))
	if err != nil {
		return ""
	}
	return image.Digest.String()
}

// The pages' jobs run as they stand, but for addresses, each with what its platform gives it: a token of its issuer. They push their own project, and no other; a stranger's job pushes nothing.
func TestCallersJobs(t *testing.T) {
	t.Parallel()
	engine := realtest.Engine(t)
	realtest.Program(t, "curl")
	realtest.Program(t, "crane")
	strangers := map[string]object{
		"github-actions": {"repository_id": "7777", "repository_owner_id": "6666"},
		"gitlab-ci":      {"namespace_id": "99", "project_id": "4242"},
		"buildkite":      {"organization_id": "0184990a-0000-4fa8-9968-000000000001", "pipeline_id": "0184990a-0000-4fa8-9968-000000000002"},
		"aws":            {"sub": "arn:aws:iam::666666666666:role/shop-ci", "https://sts.amazonaws.com/": object{"aws_account": "666666666666"}},
		"kubernetes":     {"sub": "system:serviceaccount:evil:pusher", "kubernetes.io": object{"namespace": "evil"}},
	}
	for page, p := range pages() {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			s := p.serve(t, page)
			s.install(t, "apk", "#!/bin/sh\n") // what it would add is installed
			pushed := ""
			for n, script := range workloads[page](t, s) {
				refused := func(out realtest.Output) {
					t.Helper()
					require.Error(t, out.Err, out.Text)
					require.Regexp(t, "error: 40[14]|unauthorized|(?i)denied", out.Text)
				}
				refused(s.run(t, []string{engine}, script, "other"))
				stranger := strangers[page]
				s.changes.Store(&stranger)
				refused(s.run(t, []string{engine}, workloads[page](t, s)[n], "shop"))
				require.Equal(t, pushed, s.digest(t, script.tag))
				s.changes.Store(nil)
				out := s.run(t, []string{engine}, workloads[page](t, s)[n], "shop")
				require.NoError(t, out.Err, "script %d: %s", n, out.Text)
				require.NotEqual(t, pushed, s.digest(t, script.tag), out.Text)
				pushed = s.digest(t, script.tag)
			}
		})
	}
}
