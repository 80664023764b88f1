package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fileLayer is a layer of one file of root's.
func fileLayer(name string, mode int64, content []byte) (v1.Layer, error) {
	return layer(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}, content)
}

// stateLayer is a layer of one folder of the user's own.
func stateLayer(name string) (v1.Layer, error) {
	return layer(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700, Uid: user, Gid: user}, nil)
}

// layer has one thing, and the folders above it, all made at the epoch: nothing of the machine is in it.
func layer(h *tar.Header, content []byte) (v1.Layer, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	epoch := time.Unix(0, 0).UTC()
	parents := strings.Split(path.Dir(strings.TrimSuffix(h.Name, "/")), "/")
	for i := range parents {
		if dir := path.Join(parents[:i+1]...); dir != "." {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: epoch, Format: tar.FormatUSTAR}); err != nil {
				return nil, err
			}
		}
	}
	h.ModTime, h.Format = epoch, tar.FormatUSTAR
	if err := w.WriteHeader(h); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// user is nobody's: a number, as the image has no names of users.
const user = 65532

func programLayer(p program) (v1.Layer, error) {
	content, err := os.ReadFile(p.path)
	if err != nil {
		return nil, err
	}
	return fileLayer(p.name, 0o755, content)
}
