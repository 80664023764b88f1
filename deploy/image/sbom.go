package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	sbomVersion = "v1.10.0" // of cyclonedx-gomod
	sbomType    = "application/vnd.cyclonedx+json"
)

// sbom is what a program is made of, as the program itself says: its modules with their hashes, and the standard library.
func sbom(ctx context.Context, p program, version string) ([]byte, error) {
	out := p.path + ".cdx.json"
	command := sbomCommand(ctx)
	command = append(command, "bin", "-json", "-std", "-noserial", "-notimestamp", "-output", out)
	if version != "" {
		command = append(command, "-version", version)
	}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], p.path)...) //nolint:gosec // the program above
	cmd.Dir = filepath.Dir(p.path)                                              // outside of any module
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cyclonedx-gomod of %s: %w\n%s", p.name, err, said)
	}
	text, err := os.ReadFile(out) //nolint:gosec // ours
	if err != nil {
		return nil, err
	}
	return corrected(text, p, version)
}

// sbomCommand is the installed cyclonedx-gomod if it is the right one; else Go downloads and builds it.
func sbomCommand(ctx context.Context) []string {
	const name = "cyclonedx-gomod"
	if out, err := exec.CommandContext(ctx, name, "version").Output(); err == nil && strings.Contains(string(out), sbomVersion) {
		return []string{name}
	}
	return []string{"go", "run", "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@" + sbomVersion}
}

// corrected leaves out what is the tool's own, whose hash differs with how it was built, and names modules of this repository by their names: the tool has the
// folders that go.mod's replace directives name.
func corrected(text []byte, p program, version string) ([]byte, error) {
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if metadata, ok := document["metadata"].(map[string]any); ok {
		delete(metadata, "tools")
	}
	version = cmp.Or(version, p.info.Main.Version)
	for _, m := range p.info.Deps {
		if m.Replace == nil || m.Replace.Sum != "" {
			continue
		}
		components, _ := document["components"].([]any)
		for _, c := range components {
			if c, ok := c.(map[string]any); ok && c["name"] == m.Replace.Path {
				c["name"], c["version"] = m.Path, version
			}
		}
		replaceAll(document, strings.NewReplacer("pkg:golang/"+m.Replace.Path+"@"+m.Replace.Version, "pkg:golang/"+m.Path+"@"+version))
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(document)
	return out.Bytes(), err
}

// replaceAll changes the texts of a JSON value, and returns it.
func replaceAll(value any, r *strings.Replacer) any {
	switch value := value.(type) {
	case string:
		return r.Replace(value)
	case []any:
		for i := range value {
			value[i] = replaceAll(value[i], r)
		}
	case map[string]any:
		for key := range value {
			value[key] = replaceAll(value[key], r)
		}
	}
	return value
}

// artifact is an SBOM as registries keep it: it refers to its image.
type artifact struct {
	image v1.Image
	name  string
}

func artifacts(images []platformImage) ([]artifact, error) {
	var all []artifact
	for _, i := range images {
		subject, err := partial.Descriptor(i.image)
		if err != nil {
			return nil, err
		}
		for _, p := range i.programs {
			if p.sbom == nil {
				continue
			}
			name := sbomName(p, i.platform)
			image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), sbomType)
			image, err := mutate.Append(image, mutate.Addendum{
				Layer:       static.NewLayer(p.sbom, sbomType),
				Annotations: map[string]string{"org.opencontainers.image.title": name},
			})
			if err != nil {
				return nil, err
			}
			referring, ok := mutate.Subject(image, v1.Descriptor{MediaType: subject.MediaType, Size: subject.Size, Digest: subject.Digest}).(v1.Image)
			if !ok {
				return nil, fmt.Errorf("%T isn't an image", referring)
			}
			all = append(all, artifact{referring, name})
		}
	}
	return all, nil
}

func sbomName(p program, platform v1.Platform) string {
	return p.name + "-" + platform.OS + "-" + platform.Architecture + ".cdx.json"
}
