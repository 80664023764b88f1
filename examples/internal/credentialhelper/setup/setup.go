// Package setup is what the credential helper is configured by: the environment, or a file. It asks nobody.
package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A Setup is which registries the helper has credentials for, and from whom.
type Setup struct {
	entries map[string]entry
	// Where the set-up was read from: a path, or [Environment].
	Where string
}

type entry struct {
	Entry
	err error // what is wrong with it, which concerns nobody who asks for another host
}

// Environment is where a set-up is that is no file.
const Environment = "the environment"

// ErrNone is what [Load] fails with when nothing is configured at all.
var ErrNone = errors.New("nothing is configured") //nolint:errname // not an error to whoever asks for another registry

// Load reads the set-up. It is [ErrNone] that there is none.
func Load(lookup Lookup) (Setup, error) {
	if lookup.get(EnvURL) != "" {
		host, e, err := fromEnvironment(lookup)
		if host == "" {
			return Setup{}, err
		}
		return Setup{map[string]entry{HostOf(host): {e, words(err)}}, Environment}, nil
	}
	path, err := Path(lookup)
	if err != nil {
		return none(lookup, err)
	}
	file, err := ReadFile(path, lookup)
	if errors.Is(err, fs.ErrNotExist) {
		return none(lookup, nil)
	}
	if err != nil {
		return Setup{}, err
	}
	s := Setup{map[string]entry{}, path}
	chosen := HostOf(lookup.get(EnvRegistry))
	for host, e := range file.Hosts {
		if _, twice := s.entries[HostOf(host)]; twice {
			return Setup{}, fmt.Errorf("%s: hosts: two entries are for %s", path, HostOf(host))
		}
		s.entries[HostOf(host)] = entry{Entry: e}
	}
	if _, known := s.entries[chosen]; chosen != "" && !known {
		return Setup{}, fmt.Errorf("%s names a registry that %s has no entry for; it has %s. Set %s, %s and a token too to do without the file",
			EnvRegistry, path, listed(s.Hosts()), EnvURL, EnvProject)
	}
	for host, e := range s.entries {
		if chosen == "" || chosen == host {
			e.Entry, e.err = over(host, e.Entry, path, lookup)
		}
		if chosen == "" && len(s.entries) > 1 && (lookup.get(EnvProject) != "" || lookup.get(EnvAccess) != "") {
			e.err = fmt.Errorf("%s or %s is set, and %s has several registries (%s): set %s to the one that it is for",
				EnvProject, EnvAccess, path, listed(s.Hosts()), EnvRegistry)
		}
		s.entries[host] = e
	}
	return s, nil
}

// none is what Load answers without a file: an error where the environment begins something.
func none(lookup Lookup, err error) (Setup, error) {
	set := slices.DeleteFunc(append([]string{EnvRegistry, EnvProject, EnvAccess}, wholeOnly()...), func(name string) bool { return lookup.get(name) == "" })
	if len(set) == 0 {
		return Setup{}, errors.Join(ErrNone, err)
	}
	return Setup{}, fmt.Errorf("%s %s set, but not %s: set %s to the service's URL, %s to the registry's host, %s, and one of %s, %s, %s and %s",
		listed(set), isOrAre(set), EnvURL, EnvURL, EnvRegistry, EnvProject, EnvTokenFile, EnvToken, EnvTokenVariable, EnvAudience)
}

// For returns the entry for a host of [HostOf], and whether there is one. The error is about that entry.
func (s Setup) For(host string) (e Entry, ours bool, err error) {
	found, ours := s.entries[host]
	return found.Entry, ours, found.err
}

// Hosts are the registries that there is an entry for, sorted.
func (s Setup) Hosts() []string { return slices.Sorted(maps.Keys(s.entries)) }

// words are errors of an entry as one line.
func words(err error) error {
	if err == nil {
		return nil
	}
	var all []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if variable, problem, ok := strings.Cut(line, ": "); ok && sentence.MatchString(problem) {
			line = variable + " " + problem
		}
		all = append(all, line)
	}
	return errors.New(strings.Join(all, "; "))
}

// sentence is the rest of one that begins with what it is about.
var sentence = regexp.MustCompile(`^(?:is|isn't|must|has) `)
