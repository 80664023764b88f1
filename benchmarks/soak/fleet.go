package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rise-deploy/rise-registry-go/benchmarks/internal/loopback"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

const (
	// replicas is how many servers there are.
	replicas = 3
	// teams is how many callers there are, each with projects of its own.
	teams = 10
	// tokenLife is how long the double's credentials live: short, so that they are renewed all the time.
	tokenLife = 90 * time.Second
	// leastLife is what is left of one that is handed out.
	leastLife = 10 * time.Second
)

// fleet is replicas on one double of AWS.
type fleet struct {
	aws        *ecrtest.Server
	deployment ecrtest.Deployment
	authority  *authority
	tls        *tls.Config
	replicas   []*replica
	projects   [teams][]string
}

func project(team, n int) string { return fmt.Sprintf("team-%d-%03d", team, n) }

func callerToken(team int) string { return fmt.Sprintf("token-of-team-%d-in-the-soak", team) }

func build(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "server")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./server") //nolint:gosec // this module's neighbour
	cmd.Dir, cmd.Env = filepath.Join("..", "examples"), append(os.Environ(), "GOWORK=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// newFleet starts everything. projects is how many there are.
func newFleet(ctx context.Context, dir string, projects int) (_ *fleet, err error) {
	program, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	f := &fleet{aws: ecrtest.NewServer(ecrtest.Config{TokenLifetime: tokenLife})}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	f.deployment = f.aws.Setup(ecrtest.SetupOptions{})
	for n := range projects {
		name := project(n%teams, n/teams)
		f.projects[n%teams] = append(f.projects[n%teams], name)
		f.aws.CreateRepository(f.deployment.Repository(name))
	}
	if f.authority, err = newAuthority(); err != nil {
		return nil, err
	}
	f.tls = &tls.Config{RootCAs: f.authority.pool(), MinVersion: tls.VersionTLS12}
	for i := range replicas {
		r, err := f.replica(program, dir, i)
		if err != nil {
			return nil, err
		}
		f.replicas = append(f.replicas, r)
		if err := r.start(ctx); err != nil {
			return nil, err
		}
		r.up.Store(true)
	}
	return f, nil
}

func (f *fleet) replica(program, dir string, i int) (r *replica, err error) {
	r = &replica{name: fmt.Sprintf("replica %d", i), program: program, dir: filepath.Join(dir, fmt.Sprintf("replica-%d", i))}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		return nil, err
	}
	if r.address, err = loopback.Free(); err != nil {
		return nil, err
	}
	if r.metrics, err = loopback.Free(); err != nil {
		return nil, err
	}
	r.watch = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: f.tls, DisableKeepAlives: true}} // keeps nothing that would be counted
	if r.audit, err = newShipper(filepath.Join(r.dir, "audit")); err != nil {
		return nil, err
	}
	if _, err := f.authority.renew(r.dir); err != nil {
		return nil, err
	}
	r.environ = []string{
		"RISE_CONFIG_DIR=" + r.dir, "RISE_CONFIG_RUN_MODE=production", "AWS_ENDPOINT_URL=" + f.aws.URL, "KEY_ID=" + f.deployment.ControllerUser.ID,
		"KEY=" + f.deployment.ControllerUser.Secret, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
	}
	return r, f.configure(r, setting{})
}

// setting is what SIGHUP changes.
type setting struct {
	newcomer bool   // one caller more
	session  string // session_duration
	broken   bool   // a mistake in it
}

// configure writes a replica's configuration, in the form of the operators' guide.
func (f *fleet) configure(r *replica, s setting) error {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, `server:
  listen: %s
  metrics_listen: %s
  tls: {cert_file: %s, key_file: %s}
  drain: %s
audit: {file: %s}
auth:
  tokens:
`, r.address, r.metrics, filepath.Join(r.dir, "tls.crt"), filepath.Join(r.dir, "tls.key"), drain, filepath.Join(r.dir, "audit"))
	for team := range teams {
		_, _ = fmt.Fprintf(&text, "    - {token: %s, subject: team-%d, projects: [\"team-%d-*\"], access: push}\n", callerToken(team), team, team)
	}
	if s.newcomer {
		text.WriteString("    - {token: token-of-a-newcomer-in-the-soak, subject: newcomer, projects: [nothing], access: pull}\n")
	}
	if s.broken {
		text.WriteString("    - {token: short, subject: wrong, projects: [nothing], access: pull}\n")
	}
	_, _ = fmt.Fprintf(&text, `registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: %s
  access_key_id: "${KEY_ID}"
  secret_access_key: "${KEY}"
  cache: {min_remaining: %s}
`, f.deployment.PushRoleARN, leastLife)
	if s.session != "" {
		text.WriteString("  session_duration: " + s.session + "\n")
	}
	return replace(filepath.Join(r.dir, "production.yaml"), []byte(text.String()))
}

// of is the replica that a load balancer that hashes by project sends a request to.
func (f *fleet) of(project string) *replica {
	h := fnv.New32a()
	_, _ = h.Write([]byte(project))
	first := int(h.Sum32() % replicas)
	for i := range replicas {
		if r := f.replicas[(first+i)%replicas]; r.up.Load() {
			return r
		}
	}
	return f.replicas[first]
}

// watch takes a replica out while it isn't ready, as load balancers do, until ctx ends.
func (f *fleet) watch(ctx context.Context) {
	for _, r := range f.replicas {
		go func() {
			for ctx.Err() == nil {
				r.up.Store(r.ready())
				time.Sleep(200 * time.Millisecond)
			}
		}()
	}
}

// close ends what is left.
func (f *fleet) close() {
	for _, r := range f.replicas {
		r.kill()
	}
	f.aws.Close()
}

// stop ends all replicas as they are to end.
func (f *fleet) stop(ctx context.Context) (errs error) {
	for _, r := range f.replicas {
		if err := errors.Join(r.signal(syscall.SIGTERM), r.ends(ctx)); err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s: %w", r.name, err))
		}
	}
	return errs
}
