package server

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/examples/internal/embedded"
)

// walk are the commands that show all of it, one after the other: a credential, a login with it, a push of hello that works, and one of other that
// doesn't.
type walk struct {
	ask          string // the curl command of hello's credential
	user         string
	hello, other name.Repository
	// service is the registry's in /token's questions; empty where registries take the login itself.
	service string
}

// walker is a client's commands, the last of which is refused.
type walker struct {
	program  string
	commands func(walk) []string
}

var walkers = []walker{
	{"docker", func(w walk) []string { return w.engine("docker", "") }},
	{"podman", func(w walk) []string { return w.engine("podman", " --tls-verify=false") }},
	{"skopeo", walk.skopeo},
}

// print writes the commands of the clients that are installed.
func (w walk) print(out io.Writer, installed func(program string) bool) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
	p("Paste these lines into another terminal, one after the other. A credential that can push to %s, and to nothing else:\n\n  %s\n\n", w.hello, w.ask)
	found := slices.DeleteFunc(slices.Clone(walkers), func(c walker) bool { return !installed(c.program) })
	if len(found) == 0 {
		found = []walker{{"curl alone", walk.curl}}
	}
	for _, c := range found {
		commands := c.commands(w)
		last := len(commands) - 1
		p("With %s, log in with such a credential and push:\n\n  %s\n\nWith hello's credential, other is refused:\n\n  %s\n\n",
			c.program, strings.Join(commands[:last], "\n  "), commands[last])
	}
}

// folder makes one of nobody else's for what is pushed. A name that others can foresee could be theirs already, with links to the user's files in it.
const folder = "dir=$(mktemp -d)"

// password prints the credential's.
func (w walk) password() string {
	return strings.Replace(w.ask, "curl", "curl -s", 1) + ` | sed 's/.*"password":"\([^"]*\)".*/\1/'`
}

func (w walk) login(program, flags string) string {
	return fmt.Sprintf("%s | %s login%s -u %s --password-stdin %s", w.password(), program, flags, w.user, w.hello.RegistryStr())
}

// engine is for docker and those who speak as it does.
func (w walk) engine(program, flags string) []string {
	return []string{
		w.login(program, flags),
		folder + ` && echo hello > "$dir/hello.txt"`,
		fmt.Sprintf(`tar cf - -C "$dir" hello.txt | %s import - %s:v1`, program, w.hello),
		fmt.Sprintf("%s push%s %s:v1", program, flags, w.hello),
		fmt.Sprintf("%s tag %s:v1 %s:v1 && %s push%s %s:v1", program, w.hello, w.other, program, flags, w.other),
	}
}

// The smallest image there is.
const (
	emptyDigest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // SHA-256 of {}
	imageType   = "application/vnd.oci.image.manifest.v1+json"
	emptyImage  = `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:` +
		emptyDigest + `","size":2},"layers":[]}`
)

func (w walk) skopeo() []string {
	const push = `skopeo copy --insecure-policy --dest-tls-verify=false "dir:$dir" docker://`
	return []string{
		w.login("skopeo", " --tls-verify=false"),
		fmt.Sprintf(`%s && printf '{}' > "$dir/%s"`, folder, emptyDigest),
		fmt.Sprintf(`printf '%s' > "$dir/manifest.json"`, emptyImage),
		fmt.Sprintf("%s%s:v1", push, w.hello),
		fmt.Sprintf("%s%s:v1", push, w.other),
	}
}

func (w walk) curl() []string {
	const code = ` -w '%{http_code}\n'`
	url := func(r name.Repository, path string) string {
		return fmt.Sprintf("'http://%s/v2/%s/%s'", r.RegistryStr(), r.RepositoryStr(), path)
	}
	question := func(r name.Repository) string {
		return fmt.Sprintf(`curl -s -u "%s:$password" 'http://%s%s?service=%s&scope=repository:%s:pull,push'`, w.user, r.RegistryStr(), embedded.TokenPath, w.service, r.RepositoryStr())
	}
	upload := func(r name.Repository, auth string) string {
		return "curl -s " + auth + code + " -H 'Content-Type: application/octet-stream' -d '{}' " + url(r, "blobs/uploads/?digest=sha256:"+emptyDigest)
	}
	commands := []string{"password=$(" + w.password() + ")"}
	auth := fmt.Sprintf(`-u "%s:$password"`, w.user)
	refused := upload(w.other, auth)
	if w.service != "" {
		commands = append(commands, "token=$("+question(w.hello)+` | sed 's/.*"token":"\([^"]*\)".*/\1/')`)
		auth = `-H "Authorization: Bearer $token"`
		refused = question(w.other)
	}
	return append(commands, upload(w.hello, auth),
		"curl -s -X PUT "+auth+code+" -H 'Content-Type: "+imageType+"' -d '"+emptyImage+"' "+url(w.hello, "manifests/v1"), refused)
}
