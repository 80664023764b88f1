package kubeletplugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// installCommand puts this very program where a kubelet looks for it, and its configuration: what a DaemonSet's container does on each node.
type installCommand struct {
	BinDir   string `required:"" placeholder:"DIR" help:"The folder that the kubelet's --image-credential-provider-bin-dir names, as this container sees it."`
	Config   string `placeholder:"FILE" help:"The CredentialProviderConfig to install."`
	ConfigTo string `placeholder:"FILE" help:"The file that the kubelet's --image-credential-provider-config names, as this container sees it."`
}

func (c *installCommand) run(stdout io.Writer) error {
	if (c.Config == "") != (c.ConfigTo == "") {
		return errors.New("--config and --config-to go together")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The configuration last: a kubelet that finds it without the program doesn't start.
	if err := place(stdout, self, filepath.Join(c.BinDir, Name), 0o755); err != nil {
		return err
	}
	if c.Config == "" {
		return nil
	}
	return place(stdout, c.Config, c.ConfigTo, 0o644)
}

// place copies a file so that whoever opens or runs the other meanwhile has all of the old one or all of the new one.
func place(stdout io.Writer, from, to string, mode os.FileMode) error {
	content, err := os.ReadFile(from) //nolint:gosec // the caller says which
	if err != nil {
		return err
	}
	if there, err := os.ReadFile(to); err == nil && bytes.Equal(there, content) { //nolint:gosec // the caller says where
		if info, err := os.Lstat(to); err == nil && info.Mode() == mode {
			_, err = fmt.Fprintf(stdout, "unchanged: %s\n", to)
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // as a node's folders are
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) //nolint:errcheck // it isn't there any more, or an error is on its way
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), to); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "installed: %s\n", to)
	return err
}
