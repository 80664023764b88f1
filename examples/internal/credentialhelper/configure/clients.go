package configure

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
)

// client is a file in which programs read whom to ask for a registry's credentials.
type client struct{ path, key string }

// clients are those that are wished for.
func (p Process) clients(w wishes) (all []client) {
	docker, podman := setup.Keys(w.registry)
	if !w.noDocker {
		all = append(all, client{p.dockerFile(), docker})
	}
	if w.podman {
		all = append(all, client{p.podmanFile(), podman})
	}
	return all
}

func (p Process) value(name string) string {
	value, _ := p.LookupEnv(name)
	return value
}

// dockerFile is docker's config.json. podman, buildah and skopeo read it too, unless told otherwise.
func (p Process) dockerFile() string {
	if dir := p.value("DOCKER_CONFIG"); dir != "" {
		return absolute(filepath.Join(dir, "config.json"))
	}
	return absolute(filepath.Join(p.home(), ".docker", "config.json"))
}

// podmanFile is podman's, buildah's and skopeo's own. The one below XDG_RUNTIME_DIR, where podman login writes, is gone after a restart.
func (p Process) podmanFile() string {
	if file := p.value("REGISTRY_AUTH_FILE"); file != "" {
		return absolute(file)
	}
	if dir := p.value("XDG_CONFIG_HOME"); dir != "" {
		return absolute(filepath.Join(dir, "containers", "auth.json"))
	}
	return absolute(filepath.Join(p.home(), ".config", "containers", "auth.json"))
}

func (p Process) home() string {
	if home := p.value("HOME"); home != "" {
		return home
	}
	home, _ := os.UserHomeDir() // setup.Path has failed before, where there is none
	return home
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// plan adds the helper to the client's file. was is the program that was there before.
func (c client) plan(w wishes) (planned change, was string, notes []string, err error) {
	planned = change{path: c.path}
	if planned.old, err = snapshot(c.path); err != nil {
		return planned, "", nil, err
	}
	file, err := readClientFile(planned.old)
	if err != nil {
		return planned, "", nil, fmt.Errorf("%s %w", c.path, err)
	}
	was = file.helper(c.key)
	if was == Program {
		planned.new = planned.old
		return planned, "", nil, nil
	}
	if was != "" && !w.force {
		return planned, "", nil, fmt.Errorf("%s has %s for %s already: --force puts docker-credential-%s in its place, until --undo", c.path, called(was), c.key, Program)
	}
	if planned.new, err = file.with(c.key, Program); err != nil {
		return planned, "", nil, fmt.Errorf("%s %w", c.path, err)
	}
	if was != "" {
		planned.lines = append(planned.lines, fmt.Sprintf("- %s: %s: %s", helpersKey, quote(c.key), quote(was)))
	}
	planned.lines = append(planned.lines, fmt.Sprintf("+ %s: %s: %s", helpersKey, quote(c.key), quote(Program)))
	if m := file.top.member("auths"); m != nil && hasKey(file.text[m.value:m.end], c.key) {
		notes = append(notes, fmt.Sprintf("%s keeps a login for %s too, which isn't used any more; docker logout %[2]s deletes it.", c.path, c.key))
	}
	if store := file.stringOf("credsStore"); store != "" {
		notes = append(notes, fmt.Sprintf("%s goes on keeping the logins of all other registries; for %s it isn't asked any more.", called(store), c.key))
	}
	return planned, was, notes, nil
}

var programName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,80}$`)

// called is a helper's name as it may be shown: a file may have any text there, and a terminal would do what it says.
func called(program string) string {
	if !programName.MatchString(program) {
		return "another helper"
	}
	return "docker-credential-" + program
}

// restored takes the helper out of a client's file, as far as it is still there.
func restored(registry string, r record) (planned change, note string, err error) {
	planned = change{path: r.path}
	if planned.old, err = snapshot(r.path); err != nil {
		return planned, "", err
	}
	planned.new = planned.old
	if planned.old == nil {
		return planned, r.path + " isn't there any more.", nil
	}
	file, err := readClientFile(planned.old)
	if err != nil {
		return planned, "", fmt.Errorf("%s %w", r.path, err)
	}
	docker, podman := setup.Keys(registry)
	key := docker
	if file.helper(key) != Program {
		key = podman
	}
	if is := file.helper(key); is != Program {
		return planned, fmt.Sprintf("%s doesn't have docker-credential-%s for %s any more, and is left as it is.", r.path, Program, registry), nil
	}
	if planned.new, err = file.with(key, r.before); err != nil {
		return planned, "", fmt.Errorf("%s %w", r.path, err)
	}
	if len(planned.new) <= len("{}\n") { // it was made for this
		planned.new = nil
	}
	planned.lines = append(planned.lines, fmt.Sprintf("- %s: %s: %s", helpersKey, quote(key), quote(Program)))
	if r.before != "" {
		planned.lines = append(planned.lines, fmt.Sprintf("+ %s: %s: %s", helpersKey, quote(key), quote(r.before)))
	}
	return planned, "", nil
}

func hasKey(object json.RawMessage, key string) bool {
	var all map[string]json.RawMessage
	if json.Unmarshal(object, &all) != nil {
		return false
	}
	_, has := all[key]
	return has
}
