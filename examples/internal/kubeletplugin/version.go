package kubeletplugin

import "runtime/debug"

// Name is the program's, and so the provider's in a kubelet's configuration.
const Name = "kubelet-credential-rise"

// version is the module's, and the revision where there is no such.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
