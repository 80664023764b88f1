// Package configure writes what the credential helper and the clients that ask it are configured by, and takes it away again.
package configure

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Run does the command. An [UsageError] says that it was called wrongly. Where it fails, the error says how much was done.
func Run(p Process) error {
	w, err := parse(p.Args)
	if err != nil {
		return err
	}
	if w.help {
		_, _ = fmt.Fprint(p.Stdout, usage)
		return nil
	}
	if err := w.token(p.Stdin); err != nil {
		return err
	}
	plan := p.configured
	if w.undo {
		plan = p.undone
	}
	changes, notes, err := plan(w)
	if err != nil {
		return err
	}
	return p.carryOut(w, changes, notes)
}

// carryOut shows the changes and makes them, in their order.
func (p Process) carryOut(w wishes, changes []change, notes []string) error {
	nothing := true
	for _, c := range changes {
		_, _ = fmt.Fprint(p.Stdout, c.String())
		nothing = nothing && c.empty()
	}
	for _, note := range notes {
		_, _ = fmt.Fprintln(p.Stdout, "note: "+note)
	}
	switch {
	case nothing:
		_, _ = fmt.Fprintln(p.Stdout, "Nothing has to be changed.")
		return nil
	case w.dryRun:
		_, _ = fmt.Fprintln(p.Stdout, "Nothing has been changed: --dry-run.")
		return nil
	}
	done := 0
	for _, c := range changes {
		if err := c.write(); err != nil {
			if done > 0 {
				err = fmt.Errorf("%w; the files above it have been changed, and the command may be run again", err)
			}
			return err
		}
		done++
	}
	_, _ = fmt.Fprintln(p.Stdout, "Done.")
	return nil
}

// configured plans what has to be changed for a registry: first what the helper reads, then who asks it.
func (p Process) configured(w wishes) (changes []change, notes []string, err error) {
	own, text, current, err := p.own()
	if err != nil {
		return nil, nil, err
	}
	b := text.find(w.registry)
	e, there := current.Hosts[w.registry]
	if there && b == nil {
		return nil, nil, fmt.Errorf("%s has an entry for %s that somebody wrote by hand: change it there, or take it out", own.path, w.registry)
	}
	e = w.over(e)
	if err := (setup.File{Hosts: map[string]setup.Entry{w.registry: e}}).Validate(); err != nil {
		problem := err.Error()
		if wrong := (*provider.ConfigError)(nil); errors.As(err, &wrong) {
			problem = wrong.Problem
		}
		return nil, nil, UsageError("--registry: " + problem)
	}
	if err := e.Validate(); err != nil {
		return nil, nil, UsageError(asFlags(err))
	}

	var records []record
	if b != nil {
		records = b.clients
	}
	for _, c := range p.clients(w) {
		planned, was, more, err := c.plan(w)
		if err != nil {
			return nil, nil, err
		}
		changes, notes = append(changes, planned), append(notes, more...)
		if !slices.ContainsFunc(records, func(r record) bool { return r.path == c.path }) {
			records = append(records, record{c.path, was})
		}
	}

	own.new = text.with(w.registry, e, records)
	own.private = !e.Token.IsZero()
	own.lines = difference(current.Hosts[w.registry], e, there, w.registry)
	if err := p.checked(own, current, w.registry, &e); err != nil {
		return nil, nil, err
	}
	notes = append(notes, aboutTokenFile(e.TokenFile)...)
	if _, err := exec.LookPath("docker-credential-" + Program); err != nil {
		notes = append(notes, "docker-credential-"+Program+" isn't on this shell's PATH, where clients look for it.")
	}
	return append([]change{own}, changes...), notes, nil
}

// undone plans the way back: first who asks the helper, then what it reads.
func (p Process) undone(w wishes) (changes []change, notes []string, err error) {
	own, text, current, err := p.own()
	if err != nil {
		return nil, nil, err
	}
	b := text.find(w.registry)
	if b == nil {
		if _, there := current.Hosts[w.registry]; there {
			return nil, nil, fmt.Errorf("%s has an entry for %s that somebody wrote by hand, so there is nothing of configure's to undo", own.path, w.registry)
		}
		return nil, []string{"configure has nothing for " + w.registry + " in " + own.path + "."}, nil
	}
	for _, r := range b.clients {
		planned, note, err := restored(w.registry, r)
		if err != nil {
			return nil, nil, err
		}
		if note != "" {
			notes = append(notes, note)
		}
		changes = append(changes, planned)
	}
	own.new = text.without(w.registry)
	own.lines = []string{"- hosts: " + quote(w.registry)}
	for _, v := range values(current.Hosts[w.registry]) {
		own.lines = append(own.lines, "-   "+v.key+": "+v.shown)
	}
	if own.new != nil {
		if err := p.checked(own, current, w.registry, nil); err != nil {
			return nil, nil, err
		}
	}
	return append(changes, own), notes, nil
}

// own is the helper's file, as it is.
func (p Process) own() (c change, text helperFile, current setup.File, err error) {
	if c.path, err = setup.Path(p.LookupEnv); err != nil {
		return c, text, current, err
	}
	current, err = setup.ReadFile(c.path, p.LookupEnv)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return c, text, current, fmt.Errorf("the helper's file can't be used as it is: %w", err)
	}
	if c.old, err = snapshot(c.path); err != nil {
		return c, text, current, err
	}
	if !missing && c.old == nil {
		return c, text, current, fmt.Errorf("%s has the ending .yml: name it .yaml for configure to work on it", c.path)
	}
	return c, readHelperFile(c.old), current, nil
}

// checked reads the new text as the helper will: all other entries are as they were.
func (p Process) checked(own change, before setup.File, registry string, e *setup.Entry) error {
	after, err := setup.Parse(own.path, string(own.new), p.LookupEnv)
	wanted := maps.Clone(before.Hosts)
	if wanted == nil {
		wanted = map[string]setup.Entry{}
	}
	delete(wanted, registry)
	if e != nil {
		wanted[registry] = *e
	}
	if err != nil || !maps.EqualFunc(wanted, after.Hosts, setup.Entry.Equal) {
		return fmt.Errorf("%s is written in a way that configure can't add to; add the entry by hand, below \"hosts:\"", own.path)
	}
	return nil
}

// aboutTokenFile says what the user may want to know of it, unless it is as it should be.
func aboutTokenFile(path string) (notes []string) {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return []string{path + " can't be read, as it is now; it is read each time that a credential is asked for."}
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return []string{fmt.Sprintf("others may read %s; chmod 600 %[1]s keeps the token from them.", path)}
	}
	return nil
}

// difference shows what becomes of an entry.
func difference(before, after setup.Entry, there bool, registry string) (lines []string) {
	old := map[string]string{}
	sign := "+"
	if there {
		sign = " "
		for _, v := range values(before) {
			old[v.key] = v.shown
		}
	}
	lines = append(lines, sign+" hosts: "+quote(registry))
	kept := map[string]bool{}
	for _, v := range values(after) {
		was, had := old[v.key]
		kept[v.key] = true
		switch {
		case had && was == v.shown && (v.key != "token" || before.Token.Equal(after.Token)):
			lines = append(lines, "    "+v.key+": "+v.shown)
			continue
		case had:
			lines = append(lines, "-   "+v.key+": "+was)
		}
		lines = append(lines, "+   "+v.key+": "+v.shown)
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if !kept[key] {
			lines = append(lines, "-   "+key+": "+old[key])
		}
	}
	return lines
}
