package buildinfo_test

import (
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/buildinfo"
)

const module = "github.com/rise-deploy/rise-registry-go"

func TestLine(t *testing.T) {
	t.Parallel()
	settings := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}}
	revision := append(slices.Clone(settings), debug.BuildSetting{Key: "vcs.revision", Value: "1234abcd"}, debug.BuildSetting{Key: "vcs.time", Value: "2026-11-28T08:00:00Z"})
	library := &debug.Module{Path: module, Version: "v0.3.0"}
	for name, tt := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"nothing is known": {debug.BuildInfo{}, "server devel\n"},
		"a release": {debug.BuildInfo{Main: debug.Module{Path: module + "/examples", Version: "v0.3.0"}, GoVersion: "go1.26.8", Settings: settings, Deps: []*debug.Module{library}},
			"server v0.3.0 (go1.26.8 linux/arm64)\n"},
		"a clone": {debug.BuildInfo{Main: debug.Module{Path: module + "/examples", Version: "(devel)"}, GoVersion: "go1.26.8", Settings: revision},
			"server devel (revision 1234abcd of 2026-11-28T08:00:00Z, go1.26.8 linux/arm64)\n"},
		"a clone with changes": {debug.BuildInfo{Main: debug.Module{Path: module + "/examples"}, Settings: append(slices.Clone(revision), debug.BuildSetting{Key: "vcs.modified", Value: "true"})},
			"server devel (revision 1234abcd with changes of 2026-11-28T08:00:00Z)\n"},
		"a third party's": {debug.BuildInfo{Main: debug.Module{Path: "example.com/acme", Version: "v7.0.0"}, GoVersion: "go1.27.0", Deps: []*debug.Module{
			{Path: "example.com/x", Version: "v1.0.0"}, library, {Path: module + "/examples", Version: "v0.3.1", Replace: &debug.Module{Path: "../examples"}},
		}}, "server v7.0.0 (rise-registry-go v0.3.0, rise-registry-go/examples replaced by a folder, go1.27.0)\n"},
		"a fork": {debug.BuildInfo{Main: debug.Module{Path: "example.com/acme"}, Deps: []*debug.Module{{Path: module, Version: "v0.3.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v0.3.9"}}}},
			"server devel (rise-registry-go replaced by example.com/fork v0.3.9)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, buildinfo.LineOf("server", &tt.info))
		})
	}
	require.True(t, strings.HasPrefix(buildinfo.Line("operator"), "operator "))
}
