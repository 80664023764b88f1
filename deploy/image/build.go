package main

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// program is one that was built.
type program struct {
	name string // as in the image, without its /
	path string // of the file
	info *buildinfo.BuildInfo
	sbom []byte
}

// setting is what Go wrote into the program about its build.
func (p program) setting(key string) string {
	for _, s := range p.info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// build builds packages, named by their folders, for a platform.
func build(ctx context.Context, dir string, platform v1.Platform, packages []string) ([]program, error) {
	var programs []program
	for _, folder := range packages {
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		p := program{name: filepath.Base(absolute)}
		p.path = filepath.Join(dir, p.name)
		// The path that would be in it by default, and the linker's own id, differ from machine to machine.
		cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-buildvcs=auto", "-trimpath", "-ldflags=-s -w -buildid=", "-o", p.path, ".") //nolint:gosec // what the caller names
		cmd.Dir, cmd.Stderr = absolute, os.Stderr
		cmd.Env = environment(platform)
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("go build %s for %s: %w", folder, platform.String(), err)
		}
		if p.info, err = buildinfo.ReadFile(p.path); err != nil {
			return nil, err
		}
		if err := checkStatic(p.path); err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		programs = append(programs, p)
	}
	return programs, nil
}

// environment is this process's, without what of it, or of Go's own file of settings, would be in the result.
func environment(platform v1.Platform) []string {
	var env []string
	for _, variable := range os.Environ() {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "GOFLAGS", "GOEXPERIMENT", "GOFIPS140", "GOWORK", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "CGO_ENABLED":
		default:
			env = append(env, variable)
		}
	}
	return append(env, "GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off", "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0")
}

// checkStatic refuses a program that would need a loader, which the image hasn't.
func checkStatic(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s isn't static", filepath.Base(path))
		}
	}
	return nil
}
