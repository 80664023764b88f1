// Image makes a container image of programs of this repository, without a Docker daemon: static binaries, the certificate authorities that Mozilla
// trusts, and nothing else. It runs as user 65532.
//
//	go run ./deploy/image -output DIR [-push registry.example.com/rise-registry:v1] [PACKAGE...]
//
// Without packages it packs ./examples/server, which the image runs, and ./examples/operator, which is /operator in it; then the configuration is in
// /etc/rise, its run mode is production, and /var/lib/rise is its user's own, as are volumes that are first used there. Any other program of its own comes without either:
//
//	go run ./deploy/image -output DIR -tag kubelet-credential-rise:v1 ./examples/kubelet-credential-rise
//
// DIR, which must not exist or be empty, gets
//
//	oci/                        an OCI layout: an index of all platforms, and the SBOMs, which refer to their image
//	image-linux-amd64.tar       what docker load and podman load take, one for each platform
//	server-linux-amd64.cdx.json the SBOM (CycloneDX) of each program for each platform
//
// and the digest of the index is printed. The same commit, Go version and flags give the same digest, on any machine: a clean clone stamps its commit
// and the commit's time into program and labels. The authorities are those of golang.org/x/crypto/x509roots, at the version that deploy/go.mod has, not
// the machine's; -roots names a file of others, such as a company's own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1) //nolint:gocritic // what is deferred ends with the process
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	authorities, err := roots(o.roots)
	if err != nil {
		return err
	}
	if err := emptyDir(o.output); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "rise-image")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // temporary
	var images []platformImage
	for _, platform := range o.platforms {
		programs, err := build(ctx, filepath.Join(work, platform.Architecture), platform, o.packages)
		if err != nil {
			return err
		}
		image, err := newImage(o, platform, authorities, programs)
		if err != nil {
			return err
		}
		if o.sbom {
			for i := range programs {
				if programs[i].sbom, err = sbom(ctx, programs[i], o.version); err != nil {
					return err
				}
			}
		}
		images = append(images, platformImage{platform, image, programs})
	}
	index, err := newIndex(o, images)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	artifacts, err := artifacts(images)
	if err != nil {
		return err
	}
	if err := write(o, index, images, artifacts); err != nil {
		return err
	}
	if o.push != "" {
		if err := push(ctx, o.push, index, artifacts); err != nil {
			return err
		}
	}
	_, err = fmt.Println(digest)
	return err
}
