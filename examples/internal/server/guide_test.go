//go:build unix

package server_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

const operatorsGuide = "../../../docs/operators-guide.md"

// guideBlock is the one block of the operators' guide that begins with a line.
func guideBlock(t *testing.T, begins string) string {
	t.Helper()
	var found []string
	for _, b := range blocksOf(t, operatorsGuide) {
		if strings.HasPrefix(b.text, begins) {
			found = append(found, b.text)
		}
	}
	require.Len(t, found, 1, begins)
	return found[0]
}

// secureFolders makes a folder with a certificate that is good on loopback, and its key, and another with its authority alone.
func secureFolders(t *testing.T, dir string) (server, authority string) {
	t.Helper()
	server, authority = filepath.Join(dir, "ssl"), filepath.Join(dir, "authorities")
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	certificate := &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw} // its own authority
	for file, block := range map[string]*pem.Block{
		filepath.Join(server, "registry.crt"): certificate, filepath.Join(authority, "registry.crt"): certificate,
		filepath.Join(server, "registry.key"): {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return server, authority
}

// proxies are those of the guide: how its file is made one that needs nothing of the machine's own, and the program's arguments.
var proxies = map[string]struct {
	file, around string
	args         []string
}{
	"nginx": {
		"# /etc/nginx/conf.d/registry.conf", "daemon off; user root; pid DIR/pid; events {}\nhttp {\naccess_log off; client_body_temp_path DIR/1; proxy_temp_path DIR/2; " +
			"fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;\nGUIDE}\n",
		[]string{"-e", "stderr", "-p", "DIR", "-c", "DIR/proxy.conf"},
	},
	"caddy": {
		"# /etc/caddy/Caddyfile", "{\nadmin off\nauto_https disable_redirects\n}\nGUIDE", []string{"run", "--adapter", "caddyfile", "--config", "DIR/proxy.conf"},
	},
}

// The guide's own registry, service and proxy work as its files have them, but for names, ports and paths: a diagnosis passes; clients push, over TLS, what no
// proxy may stop, and are refused another project; and what the guide says of deleting is so.
func TestGuidesProxies(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../operator").CombinedOutput()
	require.NoError(t, err, string(out))
	for name, proxy := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry, program := realtest.Program(t, "docker-registry"), realtest.Program(t, name)
			host, behind, service, second := realtest.FreeAddress(t), realtest.FreeAddress(t), realtest.FreeAddress(t), realtest.FreeAddress(t)
			dir := t.TempDir()
			ssl, authorities := secureFolders(t, dir)
			here := strings.NewReplacer("registry.example.com {", "https://"+host+" {", "registry.example.com", host, "listen 443", "listen "+host,
				"127.0.0.1:3000", service, "127.0.0.1:5000", behind, "127.0.0.1:5055", second, "/etc/docker/registry", dir+"/registry", "/etc/rise", dir+"/rise",
				"/etc/ssl", ssl, "/var/lib/docker-registry", dir+"/data", "/tmp/", dir+"/", "runuser -u docker-registry -- ", "")
			const token = "a-token-of-the-ci-job"
			environ := []string{
				"PATH=" + bin + ":" + os.Getenv("PATH"), "SSL_CERT_FILE=" + filepath.Join(authorities, "registry.crt"), "DOCKER_CONFIG=" + dir, "CI_TOKEN=" + token,
			}
			paste := func(text string, more ...string) string {
				return pasted(t, append(more, environ...), "cd "+dir+" && "+inClone+"\n"+strings.TrimSuffix(here.Replace(text), "\n"))
			}
			file := func(name, begins string) string {
				text, path := here.Replace(guideBlock(t, begins)), filepath.Join(dir, name)
				if begins == proxy.file {
					text = strings.NewReplacer("GUIDE", text, "DIR", dir).Replace(proxy.around)
				}
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
				return path
			}

			require.NoError(t, os.Mkdir(filepath.Join(dir, "registry"), 0o700))
			require.Contains(t, paste(guideBlock(t, "go run ./examples/operator token-keys --dir keys\n")), "exit 0")
			require.Contains(t, paste(guideBlock(t, "# needs root, Debian's docker-registry, and the folder keys")), "exit 0")
			realtest.Serve(t, behind, exec.Command(registry, "serve", file("registry/config.yml", "# /etc/docker/registry/config.yml")))
			file("rise/production.yaml", "# /etc/rise/production.yaml")
			s := start(t, configload.Loader{Dir: filepath.Join(dir, "rise"), RunMode: "production", LookupEnv: env(map[string]string{"CI_TOKEN": token})})
			file("proxy.conf", proxy.file)
			args := make([]string, len(proxy.args))
			for i, arg := range proxy.args {
				args[i] = strings.ReplaceAll(arg, "DIR", dir)
			}
			cmd := exec.Command(program, args...)
			cmd.Env = append(os.Environ(), "HOME="+dir)
			realtest.Serve(t, host, cmd)

			text := paste(guideBlock(t, "# needs all of the above\n"))
			require.Contains(t, text, "exit 0")
			require.NotRegexp(t, "[✗–!] ", text)

			image := filepath.Join(dir, "image.tar")
			layers, err := random.Image(3<<20, 2) // nginx's own limit is 1 MiB
			require.NoError(t, err)
			require.NoError(t, tarball.WriteToFile(image, mustTag(t, host+"/rise-apps/hello:v1"), layers))
			c := s.issue(t, token)
			login := filepath.Join(dir, "config.json") // as docker login leaves it
			auth := base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password))
			require.NoError(t, os.WriteFile(login, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600))
			for client, push := range map[string]func(project string) realtest.Output{
				"crane": func(project string) realtest.Output {
					return realtest.Run(t, environ, realtest.Program(t, "crane"), "push", image, host+"/rise-apps/"+project+":v1")
				},
				"skopeo": func(project string) realtest.Output {
					return realtest.Run(t, nil, realtest.Program(t, "skopeo"), "copy", "--insecure-policy", "--authfile", login, "--dest-cert-dir", authorities,
						"docker-archive:"+image, "docker://"+host+"/rise-apps/"+project+":v2")
				},
			} {
				out := push("hello")
				require.NoError(t, out.Err, out.Text)
				out = push("other")
				require.Error(t, out.Err)
				require.Contains(t, out.Text, strings.ReplaceAll(refusals[client], " hello,", " rise-apps/hello,"))
			}
			require.Contains(t, s.output.String(), "source_addr=127.0.0.1 grant=", "the proxy says who asks")

			text = paste(guideBlock(t, "# needs root, Debian's docker-registry set up as above, and crane"))
			require.Contains(t, text, "v1\nv2\n")
			require.Contains(t, text, "exit 0")
			for tag, gone := range map[string]bool{"v1": true, "v2": false} {
				out := realtest.Run(t, environ, realtest.Program(t, "crane"), "manifest", host+"/rise-apps/hello:"+tag)
				require.Equal(t, gone, out.Err != nil, out.Text)
			}
			text = paste(strings.Replace(guideBlock(t, "# needs root, and Debian's docker-registry set up as above"), "systemctl", ": systemctl", 2))
			require.Contains(t, text, "exit 0")
			require.Contains(t, paste(guideBlock(t, "# needs root, and a suspended project")), "exit 0")
			out := realtest.Run(t, environ, realtest.Program(t, "crane"), "ls", host+"/rise-apps/hello")
			require.Contains(t, out.Text, "NAME_UNKNOWN")
			if name == "nginx" { // one is enough: an engine of its own
				require.Contains(t, paste(guideBlock(t, "# needs all of the above, and docker\n"), realtest.Engine(t)), strings.TrimSpace(guideBlock(t, "denied: ")))
			}
		})
	}
}

func mustTag(t *testing.T, text string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(text)
	require.NoError(t, err)
	return tag
}
