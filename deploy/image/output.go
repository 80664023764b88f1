package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// write writes all of it into the output folder.
func write(o options, index v1.ImageIndex, images []platformImage, sboms []artifact) error {
	tag, err := name.NewTag(o.tag)
	if err != nil {
		return fmt.Errorf("-tag: %w", err)
	}
	path, err := layout.Write(filepath.Join(o.output, "oci"), empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag.TagStr()})); err != nil {
		return err
	}
	for _, a := range sboms {
		if err := path.AppendImage(a.image); err != nil {
			return err
		}
	}
	for _, i := range images {
		file := filepath.Join(o.output, "image-"+i.platform.OS+"-"+i.platform.Architecture+".tar")
		if err := tarball.WriteToFile(file, tag, i.image); err != nil {
			return err
		}
		for _, p := range i.programs {
			if p.sbom == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(o.output, sbomName(p, i.platform)), p.sbom, 0o644); err != nil { //nolint:gosec // for everybody
				return err
			}
		}
	}
	return nil
}

// push pushes index and SBOMs. The tag comes last, so that nobody finds it before what it is made of.
func push(ctx context.Context, reference string, index v1.ImageIndex, sboms []artifact) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return fmt.Errorf("-push: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, d := range manifest.Manifests { // what the SBOMs refer to
		image, err := index.Image(d.Digest)
		if err != nil {
			return err
		}
		if err := remote.Write(ref.Context().Digest(d.Digest.String()), image, options...); err != nil {
			return fmt.Errorf("-push: %w", err)
		}
	}
	for _, a := range sboms {
		digest, err := a.image.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(ref.Context().Digest(digest.String()), a.image, options...); err != nil {
			return fmt.Errorf("-push: %s: %w", a.name, err)
		}
	}
	if err := remote.WriteIndex(ref, index, options...); err != nil {
		return fmt.Errorf("-push: %w", err)
	}
	return nil
}
