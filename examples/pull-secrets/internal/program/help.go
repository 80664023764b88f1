package program

import (
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// Name is the program's.
const Name = "pull-secrets"

// version is the module's, or as much of it as is known.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// help prints what the program does, all flags and examples.
func help(to io.Writer, s *flag.FlagSet) {
	var b strings.Builder
	b.WriteString(`pull-secrets keeps a pull secret (kubernetes.io/dockerconfigjson) in each namespace that is mapped to a project. It asks the credentials
endpoint for them, renews them at half of their life, and removes them when the mapping goes.

usage: pull-secrets --endpoint URL --token-file FILE --installation NAME (--mapping-file FILE | --mapping-label) [flag ...]

`)
	s.VisitAll(func(f *flag.Flag) {
		kind, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  --%s", f.Name)
		if kind != "" && kind != "value" {
			b.WriteString(" " + strings.ToUpper(kind))
		} else if kind == "value" {
			b.WriteString(" LEVEL")
		}
		fmt.Fprintf(&b, "\n      %s", usage)
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		b.WriteString("\n")
	})
	b.WriteString(`
examples:

  in a cluster, namespaces mapped by a ConfigMap:
    pull-secrets --endpoint https://deploy.example.com --token-file /var/run/secrets/rise/token \
      --installation production --mapping-file /etc/pull-secrets/namespaces.yaml

  namespaces mapped by their label rise/project, which nobody but the platform may set:
    pull-secrets --endpoint https://deploy.example.com --token-file /var/run/secrets/rise/token \
      --installation production --mapping-label --exclude 'kube-*,monitoring'

  on a developer's machine:
    pull-secrets --endpoint http://127.0.0.1:3000 --token-file token --installation dev --mapping-label \
      --kubeconfig ~/.kube/config --namespace default --listen 127.0.0.1:8080 --log-format text

exit codes: 0 ended by SIGINT or SIGTERM; 1 something failed that won't get well by itself; 2 the command line, or a file that it names, isn't right
`)
	_, _ = io.WriteString(to, b.String()) // there is nobody else to tell
}
