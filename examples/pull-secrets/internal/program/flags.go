package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/mapping"
)

// flags are the command line.
type flags struct {
	endpoint, tokenFile, caFile, registry string
	insecure                              bool
	mappingFile                           string
	byLabel                               bool
	exclude                               string
	installation, secretName              string
	kubeconfig, namespace, lease          string
	leaseDuration, timeout                time.Duration
	concurrency                           int
	listen                                string
	logLevel                              slog.Level
	logFormat                             string
	version                               bool

	excluded mapping.Excluded
}

// namespaceFile is where a pod finds the namespace that it is in.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// set returns the flag set that fills f. lookup has the environment's variables.
func (f *flags) set(lookup func(string) (string, bool)) *flag.FlagSet {
	env := func(name string) string {
		value, _ := lookup(name)
		return value
	}
	s := flag.NewFlagSet(Name, flag.ContinueOnError)
	s.SetOutput(io.Discard)
	s.StringVar(&f.endpoint, "endpoint", env("RISE_URL"), "`URL` of the service with the credentials endpoint, which has to serve consumer=cluster (RISE_URL)")
	s.StringVar(&f.tokenFile, "token-file", env("RISE_TOKEN_FILE"), "`file` with the token by which the endpoint knows this controller, read again for each request (RISE_TOKEN_FILE)")
	s.StringVar(&f.caFile, "ca-file", env("RISE_CA_FILE"), "PEM `file` of the authorities that the endpoint's certificate is trusted by; the system's without it (RISE_CA_FILE)")
	s.StringVar(&f.registry, "registry", env("RISE_REGISTRY"), "`host` of the registry, as the cluster reaches it; credentials for any other are refused. Without it, whatever the endpoint says (RISE_REGISTRY)")
	s.BoolVar(&f.insecure, "insecure", false, "allow an endpoint of http:// that isn't on this machine: whoever is in between reads tokens and credentials")
	s.StringVar(&f.mappingFile, "mapping-file", "", "`file` of lines namespace: project, read again when it changes")
	s.BoolVar(&f.byLabel, "mapping-label", false, "map namespaces by their label "+mapping.LabelKey+": only where nobody but the platform may label namespaces")
	s.StringVar(&f.exclude, "exclude", "kube-system,kube-public,kube-node-lease", "`patterns` of namespaces that never get a secret, with commas between them; * is any characters")
	s.StringVar(&f.installation, "installation", "", "`name` of this installation, which marks its secrets; another one never touches them")
	s.StringVar(&f.secretName, "secret-name", "rise-pull", "`name` of the secrets; RBAC has to name it too")
	s.StringVar(&f.kubeconfig, "kubeconfig", "", "`file` that says where the API server is; without it, as a pod finds it")
	s.StringVar(&f.namespace, "namespace", env("POD_NAMESPACE"), "`namespace` of the Lease; the pod's without it (POD_NAMESPACE)")
	s.StringVar(&f.lease, "lease", Name, "`name` of the Lease by which replicas elect one; RBAC has to name it too")
	s.DurationVar(&f.leaseDuration, "lease-duration", 15*time.Second, "how long after a leader's last sign another replica waits, in whole seconds")
	s.DurationVar(&f.timeout, "timeout", 40*time.Second, "how long the endpoint may take to answer, with what is tried again")
	s.IntVar(&f.concurrency, "concurrency", 8, "how many credentials are asked for at once")
	s.StringVar(&f.listen, "listen", ":8080", "`address` for /healthz, /readyz and /metrics, over plain HTTP")
	s.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	s.StringVar(&f.logFormat, "log-format", "json", "json or text")
	s.BoolVar(&f.version, "version", false, "print the version and end")
	return s
}

var (
	dnsName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
)

// check reports every mistake at once.
func (f *flags) check() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if f.endpoint == "" {
		fail("--endpoint is missing: the service's URL, as https://deploy.example.com")
	}
	if f.tokenFile == "" {
		fail("--token-file is missing: a file, so that the token shows in no list of processes")
	}
	if (f.mappingFile != "") == f.byLabel {
		fail("give one of --mapping-file and --mapping-label")
	}
	if !labelValue.MatchString(f.installation) {
		fail("--installation is missing or no label's value: a name such as production, at most 63 of A-Z, a-z, 0-9, ., _ and -")
	}
	if !dnsName.MatchString(f.secretName) || len(f.secretName) > 253 {
		fail("--secret-name %q is no name of a secret, as rise-pull", f.secretName)
	}
	if !dnsName.MatchString(f.lease) {
		fail("--lease %q is no name of a Lease, as pull-secrets", f.lease)
	}
	if f.leaseDuration < 2*time.Second || f.leaseDuration%time.Second != 0 || f.leaseDuration > time.Hour {
		fail("--lease-duration %v has to be whole seconds, at least two and at most an hour", f.leaseDuration)
	}
	if f.timeout < time.Second || f.timeout > 10*time.Minute {
		fail("--timeout %v has to be between 1s and 10m", f.timeout)
	}
	if f.concurrency < 1 || f.concurrency > 100 {
		fail("--concurrency %d has to be between 1 and 100", f.concurrency)
	}
	if f.logFormat != "json" && f.logFormat != "text" {
		fail("--log-format %q has to be json or text", f.logFormat)
	}
	var err error
	if f.excluded, err = mapping.ParseExcluded(f.exclude); err != nil {
		fail("--exclude: %w", err)
	}
	if f.namespace == "" {
		own, err := os.ReadFile(namespaceFile)
		if f.namespace = strings.TrimSpace(string(own)); err != nil {
			fail("--namespace is missing, and this isn't a pod that has one")
		}
	}
	return errors.Join(errs...)
}
