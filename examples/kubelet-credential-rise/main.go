// Kubelet-credential-rise is a kubelet's credential provider plugin: a pod's images are pulled with a credential that its service account has a right to, for
// that one repository. No pull secrets, and no right that a whole node has. README.md says how it is installed.
//
//	kubelet-credential-rise --help
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rise-deploy/rise-registry-go/examples/internal/kubeletplugin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := kubeletplugin.Run(ctx, kubeletplugin.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
	})
	stop()
	os.Exit(code)
}
