package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// options are what was asked for.
type options struct {
	output, tag, push  string
	version, revision  string
	title, description string
	roots              string
	platforms          []v1.Platform
	env                []string
	sbom               bool
	state              string // a folder of the user's own, where volumes are put
	packages           []string
}

func parse(args []string) (options, error) {
	var o options
	var platforms string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&o.output, "output", "", "the `folder` that gets everything; it must not exist, or be empty")
	flags.StringVar(&o.tag, "tag", "rise-registry:latest", "the `name` by which the archives are loaded")
	flags.StringVar(&o.push, "push", "", "push to this `reference` too, with the logins of docker's config.json")
	flags.StringVar(&o.version, "version", "", "the `version` in the labels; default: what Go found in the clone")
	flags.StringVar(&o.revision, "revision", "", "the `commit` in the labels; default: what Go found in the clone")
	flags.StringVar(&o.title, "title", "", "the `name` in the labels; default: rise-registry, or the first package's")
	flags.StringVar(&o.description, "description", "Short-lived container-registry credentials, one repository each", "the `sentence` in the labels")
	flags.StringVar(&o.roots, "roots", "", "a PEM `file` of certificate authorities in place of Mozilla's")
	flags.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64", "what to build for, as a `list` with commas")
	flags.BoolVar(&o.sbom, "sbom", true, "write SBOMs, by cyclonedx-gomod")
	flags.Func("env", "a `NAME=value` in the image's environment; may be repeated", func(text string) error {
		if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
			return errors.New("must be NAME=value")
		}
		o.env = append(o.env, text)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if o.output == "" {
		return options{}, errors.New("-output is required: the folder that gets the image")
	}
	if o.packages = flags.Args(); len(o.packages) == 0 {
		o.packages = []string{"./examples/server", "./examples/operator"}
		o.state, o.title = "var/lib/rise", cmp.Or(o.title, "rise-registry")
		o.env = append([]string{"RISE_CONFIG_DIR=/etc/rise", "RISE_CONFIG_RUN_MODE=production"}, o.env...)
	}
	for text := range strings.SplitSeq(platforms, ",") {
		p, err := v1.ParsePlatform(text)
		if err != nil {
			return options{}, fmt.Errorf("-platforms: %w", err)
		}
		if p.OS != "linux" || p.Architecture != "amd64" && p.Architecture != "arm64" || p.Variant != "" || p.OSVersion != "" {
			return options{}, fmt.Errorf("-platforms: %q must be linux/amd64 or linux/arm64", text)
		}
		o.platforms = append(o.platforms, *p)
	}
	return o, nil
}

// emptyDir makes dir, unless there is an empty one: a layout is added to, so what is old would stay in it.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // images are no secret
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("-output: %s isn't empty", dir)
	}
	return err
}
