// Package buildinfo says which build of a program this is.
package buildinfo

import (
	"fmt"
	"runtime/debug"
	"strings"
)

const module = "github.com/rise-deploy/rise-registry-go"

// Line is what --version prints: the program's version, and what that leaves open: the revision that it was built from, the library's version
// where the program is another module's, and the version of Go. It is read from what the Go command wrote into the binary.
func Line(program string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return line(program, info)
}

func line(program string, info *debug.BuildInfo) string {
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	var about []string
	if !ours(info.Main.Path) {
		for _, dep := range info.Deps {
			if ours(dep.Path) {
				about = append(about, strings.TrimPrefix(dep.Path, "github.com/rise-deploy/")+" "+versionOf(dep))
			}
		}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		text := "revision " + revision
		if settings["vcs.modified"] == "true" {
			text += " with changes"
		}
		if at := settings["vcs.time"]; at != "" {
			text += " of " + at
		}
		about = append(about, text)
	}
	if info.GoVersion != "" {
		about = append(about, strings.TrimSpace(info.GoVersion+" "+strings.Trim(settings["GOOS"]+"/"+settings["GOARCH"], "/")))
	}
	if len(about) == 0 {
		return program + " " + version + "\n"
	}
	return fmt.Sprintf("%s %s (%s)\n", program, version, strings.Join(about, ", "))
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// versionOf is what is linked in place of m, if something is.
func versionOf(m *debug.Module) string {
	switch {
	case m.Replace != nil && m.Replace.Version == "":
		return "replaced by a folder"
	case m.Replace != nil:
		return "replaced by " + m.Replace.Path + " " + m.Replace.Version
	}
	return m.Version
}
