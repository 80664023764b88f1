package main

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// rootsFile is one of those that Go looks for.
	rootsFile = "etc/ssl/certs/ca-certificates.crt"
	source    = "https://github.com/rise-deploy/rise-registry-go"
)

// platformImage is the image for one platform, and what is in it.
type platformImage struct {
	platform v1.Platform
	image    v1.Image
	programs []program
}

// newImage makes the image whose first program it runs.
func newImage(o options, platform v1.Platform, authorities []byte, programs []program) (v1.Image, error) {
	created, err := createdAt(programs[0])
	if err != nil {
		return nil, err
	}
	layer, err := fileLayer(rootsFile, 0o644, authorities)
	if err != nil {
		return nil, err
	}
	adds := []mutate.Addendum{{Layer: layer, History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "certificate authorities"}}}
	if o.state != "" {
		if layer, err = stateLayer(o.state); err != nil {
			return nil, err
		}
		adds = append(adds, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "/" + o.state}})
	}
	for _, p := range programs {
		if layer, err = programLayer(p); err != nil {
			return nil, err
		}
		adds = append(adds, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: created}, CreatedBy: p.name + ", by " + p.info.GoVersion}})
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.Append(image, adds...); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = platform.OS, platform.Architecture, v1.Time{Time: created}
	labels := labels(o, programs[0], created)
	config.Config = v1.Config{User: fmt.Sprintf("%d:%d", user, user), Entrypoint: []string{"/" + programs[0].name}, Env: append([]string{"PATH=/"}, o.env...), WorkingDir: "/", Labels: labels}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(image, labels).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("%T isn't an image", annotated)
	}
	return annotated, nil
}

// newIndex makes the index of all platforms.
func newIndex(o options, images []platformImage) (v1.ImageIndex, error) {
	var adds []mutate.IndexAddendum
	for _, i := range images {
		platform := i.platform
		adds = append(adds, mutate.IndexAddendum{Add: i.image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	first := images[0].programs[0]
	created, err := createdAt(first)
	if err != nil {
		return nil, err
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...)
	annotated, ok := mutate.Annotations(index, labels(o, first, created)).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("%T isn't an index", annotated)
	}
	return annotated, nil
}

// createdAt is SOURCE_DATE_EPOCH, the commit's time, or the epoch: never the time of this run.
func createdAt(p program) (time.Time, error) {
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH must be in seconds: %w", err)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if text := p.setting("vcs.time"); text != "" {
		return time.Parse(time.RFC3339, text)
	}
	return time.Unix(0, 0).UTC(), nil
}

// labels are what is known of the image: labels of its configuration, and annotations of its manifests.
func labels(o options, p program, created time.Time) map[string]string {
	all := map[string]string{}
	for name, value := range map[string]string{
		"title":       cmp.Or(o.title, p.name),
		"description": o.description,
		"source":      source,
		"version":     cmp.Or(o.version, p.info.Main.Version),
		"revision":    cmp.Or(o.revision, p.setting("vcs.revision")),
		"created":     created.Format(time.RFC3339),
	} {
		if value != "" {
			all["org.opencontainers.image."+name] = value
		}
	}
	return all
}
