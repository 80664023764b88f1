package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/benchmarks/internal/guide"
	"github.com/rise-deploy/rise-registry-go/benchmarks/internal/loopback"
)

const (
	// replicas is how many servers are behind a proxy.
	replicas = 3
	// routers is how many clients ask at once, and how many callers there are: one of them alone may ask 500 times a second.
	routers = 32
)

// replica is examples/server in a process of its own.
type replica struct {
	address, program string
	environ          []string
	cmd              *exec.Cmd
	log              string // a file: what it has in it when an answer comes was written before
}

// has says whether it has answered for a project since it was started.
func (r *replica) has(project string) bool {
	text, err := os.ReadFile(r.log)
	return err == nil && bytes.Contains(text, []byte(" project="+project+" "))
}

func (r *replica) start(ctx context.Context) error {
	log, err := os.Create(r.log)
	if err != nil {
		return err
	}
	defer log.Close()               //nolint:errcheck // the process has its own
	r.cmd = exec.Command(r.program) //nolint:gosec,noctx // just built; ended by end
	r.cmd.Env, r.cmd.Stderr = r.environ, log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	return loopback.Listens(ctx, r.address)
}

// end kills it.
func (r *replica) end() { end(r.cmd) }

func end(cmd *exec.Cmd) {
	if cmd != nil && cmd.Process != nil && cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// guided are the operators' guide's proxies: the first line of a file there, what is around it, and the program's arguments.
var guided = map[string]struct {
	file, around string
	args         []string
}{
	"nginx": {
		"# /etc/nginx/conf.d/rise.conf", "daemon off; worker_processes 2; pid DIR/pid; events {}\nhttp {\naccess_log off; client_body_temp_path DIR/1; proxy_temp_path DIR/2; " +
			"fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;\nGUIDE}\n",
		[]string{"-e", "stderr", "-p", "DIR", "-c", "DIR/proxy.conf"},
	},
	"haproxy": {"# /etc/haproxy/haproxy.cfg", "GUIDE", []string{"-db", "-f", "DIR/proxy.conf"}},
}

// fleet is replicas behind a proxy.
type fleet struct {
	replicas []*replica
	proxy    *exec.Cmd
	dir      string
	url      string
	through  *http.Client // the proxy
	direct   *http.Client
}

// newFleet starts replicas on u, and a proxy whose file edit may change.
func newFleet(ctx context.Context, u *upstream, program, dir, proxy string, edit func(string) string) (_ *fleet, err error) {
	f := &fleet{dir: dir, direct: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: routers}}}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	text, err := guide.Block("# each replica's /etc/rise/production.yaml")
	if err != nil {
		return nil, err
	}
	var tokens []string
	for i := range routers {
		tokens = append(tokens, fmt.Sprintf("{token: %s-%d, subject: ci-%d, projects: ['*'], access: push}", bearer, i, i))
	}
	for i := range replicas {
		address, err := loopback.Free()
		if err != nil {
			return nil, err
		}
		folder := filepath.Join(dir, fmt.Sprintf("replica-%d", i))
		config := strings.NewReplacer("0.0.0.0:3000", address, "10.0.0.10/32", "127.0.0.1/32").Replace(text) + fmt.Sprintf(
			"auth: {tokens: [%s]}\nregistry: {type: ecr, region: %s, account_id: '%s', push_role_arn: '%s', access_key_id: AKIAEXAMPLE, secret_access_key: secret}\n",
			strings.Join(tokens, ", "), region, account, roleARN)
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "production.yaml"), []byte(config), 0o600)); err != nil {
			return nil, err
		}
		r := &replica{address: address, program: program, log: filepath.Join(folder, "log"), environ: []string{
			"RISE_CONFIG_DIR=" + folder, "RISE_CONFIG_RUN_MODE=production", "AWS_ENDPOINT_URL=" + u.server.URL,
			"AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
		}}
		f.replicas = append(f.replicas, r)
		if err := r.start(ctx); err != nil {
			return nil, err
		}
	}
	if text, err = guide.Block(guided[proxy].file); err != nil {
		return nil, err
	}
	return f, f.front(ctx, proxy, edit(text))
}

// front starts the proxy, with a certificate for loopback.
func (f *fleet) front(ctx context.Context, proxy, text string) error {
	s := httptest.NewTLSServer(nil)
	s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	host, err := loopback.Free()
	if err != nil {
		return err
	}
	pairs := []string{"listen 443", "listen " + host, "bind :443", "bind " + host, "/etc/ssl", f.dir}
	for i, r := range f.replicas {
		pairs = append(pairs, fmt.Sprintf("10.0.0.%d:3000", i+1), r.address)
	}
	text = strings.NewReplacer("GUIDE", strings.NewReplacer(pairs...).Replace(text), "DIR", f.dir).Replace(guided[proxy].around)
	for name, content := range map[string][]byte{
		"rise.crt": certificate, "rise.key": private, "rise.pem": append(bytes.Clone(certificate), private...), "proxy.conf": []byte(text),
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	args := strings.Split(strings.ReplaceAll(strings.Join(guided[proxy].args, "\n"), "DIR", f.dir), "\n")
	f.proxy = exec.Command(proxy, args...) //nolint:gosec,noctx // ended by close
	if err := f.proxy.Start(); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	f.url = "https://" + host
	f.through = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: routers}}
	return loopback.Listens(ctx, host)
}

func (f *fleet) close() {
	if f.proxy != nil && f.proxy.Process != nil {
		_ = f.proxy.Process.Signal(os.Interrupt) // nginx's workers end with it
		_ = f.proxy.Wait()
	}
	for _, r := range f.replicas {
		r.end()
	}
}

// askAt asks for a project's credential, and returns how long that took.
func askAt(ctx context.Context, client *http.Client, url, project string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/registry/credentials?project="+project, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", fmt.Sprintf("Bearer %s-%d", bearer, crc32.ChecksumIEEE([]byte(project))%routers)) // each project has its caller
	start := time.Now()
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, bufio.NewReader(answer.Body))
	took := time.Since(start)
	if err = errors.Join(err, answer.Body.Close()); err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: answered %d", project, answer.StatusCode)
	}
	return took, err
}
